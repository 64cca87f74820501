use super::*;

#[test]
fn what_is_locked_is_what_is_picked() {
    let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
    let (one, other) = (digest("a"), digest("b"));
    let misses = |pick: &str, locked: Option<&str>, artifact: &str| {
        let source: Source = format!("oci://r.example/a{pick}").parse().expect(pick);
        source
            .pick
            .misses(locked, &artifact.parse().expect("a digest"))
    };
    let at = format!("@{one}");
    let both = format!(":1@{one}");
    for (pick, locked) in [
        (":1.2", Some("1.2")),
        (":^1.2", Some("1.2")),
        (":^1.2", Some("v1.3.0")),
        (":>=1, <3", Some("2.0.0")),
        (&at, None),
        (&both, Some("1")),
    ] {
        assert_eq!(misses(pick, locked, &one), None, "{pick}");
    }
    for (pick, locked, said) in [
        (":1.2", Some("1.3"), "`1.3` is not `1.2`"),
        (":1.2", None, "no version is not `1.2`"),
        (":^1.2", Some("1.1.9"), "`1.1.9` does not fit `^1.2`"),
        (":^1.2", Some("1.2.0-rc.1"), "does not fit"),
        (":^1.2", Some("latest"), "`latest` does not fit"),
        (":^1.2", None, "no version does not fit"),
        (&both, Some("2"), "`2` is not `1`"),
        (&at, Some("2"), "`2` is not no version"),
    ] {
        let why = misses(pick, locked, &one).unwrap_or_default();
        assert!(why.contains(said), "{pick}: {why}");
    }
    for pick in [&at, &both] {
        let why = misses(pick, Some("1"), &other).unwrap_or_default();
        assert_eq!(why, format!("{other} is not {one}"));
    }
}

#[test]
fn sources_say_where_and_which() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    for (text, host, path, range) in [
        (
            "oci://r.example/team/harden:1.2",
            "r.example",
            "team/harden",
            false,
        ),
        (
            "oci://localhost:5000/harden:v1",
            "localhost:5000",
            "harden",
            false,
        ),
        ("oci://[::1]:5000/a/b:^1.2", "[::1]:5000", "a/b", true),
        ("oci://r.example/a:>=1, <3", "r.example", "a", true),
        (
            &format!("oci://r.example/a@{digest}"),
            "r.example",
            "a",
            false,
        ),
        (
            &format!("oci://r.example/a:1@{digest}"),
            "r.example",
            "a",
            false,
        ),
    ] {
        let source: Source = text.parse().expect(text);
        assert_eq!(source.repository.host(), host, "{text}");
        assert_eq!(source.repository.path(), path, "{text}");
        assert_eq!(matches!(source.pick, Pick::Range(_)), range, "{text}");
        assert_eq!(source.to_string(), text, "it is written as it was");
    }
}

#[test]
fn an_image_is_where_docker_says() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    for (text, host, path) in [
        ("web:1", "docker.io", "library/web"),
        ("team/web", "docker.io", "team/web"),
        ("docker.io/team/web", "docker.io", "team/web"),
        ("localhost/web:1", "localhost", "web"),
        (
            &format!("127.0.0.1:5000/a/b@{digest}"),
            "127.0.0.1:5000",
            "a/b",
        ),
    ] {
        let repository = Reference::of_image(text).expect(text).repository;
        assert_eq!(
            (repository.host(), repository.path()),
            (host, path),
            "{text}"
        );
    }
    assert!(Reference::of_image("").is_err());
    assert!(Reference::of_image("Web").is_err());
}

#[test]
fn what_is_wrong_is_told_with_what_to_write() {
    for (text, said) in [
        ("harden:1", "does not begin with `oci://`"),
        ("https://r.example/a:1", "does not begin with"),
        ("oci://harden:1", "has no path"),
        ("oci://team/harden:1", "`team` is no host"),
        ("oci://r.example/harden", "which version"),
        ("oci://r.example/Harden:1", "`Harden` is no path"),
        ("oci://r.example/../a:1", "is no path"),
        ("oci://r.example/a:", "`` is no tag"),
        ("oci://r.example/a:^x", "is no range"),
        ("oci://r.example/a@sha256:12", "64 digits"),
        ("oci://user:word@r.example/a:1", "is no host"),
    ] {
        let error = text.parse::<Source>().expect_err(text);
        assert!(error.to_string().contains(said), "{text}: {error}");
    }
}

#[test]
fn only_this_machine_is_asked_without_tls() {
    for (host, loopback) in [
        ("localhost", true),
        ("localhost:5000", true),
        ("127.0.0.1:5000", true),
        ("127.9.9.9", true),
        ("[::1]:5000", true),
        ("localhost.example", false),
        ("10.0.0.1:5000", false),
        ("127.0.0.1.example", false),
    ] {
        assert_eq!(is_loopback(host), loopback, "{host}");
    }
}

#[test]
fn what_an_artifact_says_of_itself_has_to_be_what_its_tag_says() {
    let zeros = format!("sha256:{}", "0".repeat(64));
    let denies = |pick: &str, tag: &str, said: &str| {
        let source: Source = format!("oci://r.example/a{pick}").parse().expect(pick);
        source.pick.denies(Some(tag), Some(said))
    };
    for (pick, tag, said) in [
        (":1.2.0", "1.2.0", "1.2.0"),
        (":^1.2", "1.3.0", "1.3.0"),
        (":latest", "latest", "1.0.0"),
        (&format!(":1.2.0@{zeros}"), "1.2.0", "1.1.0"),
    ] {
        assert_eq!(denies(pick, tag, said), None, "{pick}");
    }
    for (pick, tag, said) in [
        (":1.2.0", "1.2.0", "1.1.0"),
        (":^1.2", "1.3.0", "1.2.0"),
        (":^1.2", "1.2.0", "1.1.0"),
        (":>=1.2.0, <1.2.5", "1.2", "1.2.7"),
    ] {
        let why = denies(pick, tag, said).unwrap_or_default();
        assert!(
            why.contains(&format!("the version {said}, not `{tag}`")),
            "{pick}: {why}"
        );
    }
}

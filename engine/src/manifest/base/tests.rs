use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::manifest::{Manifest, OnError, convert};
use crate::registry::{Digest, SigningKey};

/// One in a registry, as it is when it was verified.
fn artifact(reference: &str, text: &str, vouched: bool) -> Result<Base, ManifestError> {
    let entry = Extended {
        text: reference.to_owned(),
        target: Target::Registry(reference.parse().expect("a source")),
        at: "plugins.toml:1:12".to_owned(),
        span: 0..0,
    };
    let fragment = Fragment::artifact(reference.replace("oci://", ""), text.into())?;
    let trust = Trust::default().below(fragment.head()?.trust.as_ref());
    let locked = LockedBase {
        source: reference.to_owned(),
        version: None,
        digest: Digest::of(text.as_bytes()),
        content: Digest::of(text.as_bytes()),
        size: text.len() as u64,
    };
    let from = BaseFrom::Registry(locked, Vec::new());
    Ok(Base::new(fragment, &entry, from, vouched, trust))
}

fn merged(text: &str, bases: &[&str]) -> Result<Manifest, ManifestError> {
    let bases = bases.iter().enumerate().map(|(index, text)| {
        let reference = format!("oci://r.example/base-{index}:3");
        artifact(&reference, text, true)
    });
    let bases = Bases::Known(bases.collect::<Result<_, _>>()?);
    convert::manifest(text, None, PathBuf::from("/"), None, &bases, &|_| None)
}

/// The file, the message, and the text that the error points at.
fn error(result: Result<Manifest, ManifestError>) -> (String, String, String) {
    match result {
        Err(ManifestError::Invalid {
            message,
            span,
            source_code,
            ..
        }) => {
            let range = span.offset()..span.offset() + span.len();
            let at = source_code.inner()[range].to_owned();
            (source_code.name().to_owned(), message, at)
        }
        other => panic!("{other:?}"),
    }
}

const REQUIRED: &str = r#"
[plugins.harden]
source = "oci://r.example/harden:^1.2"
required = true
config = { user = "10001", mode = "strict" }
open = ["user"]
grants = { http = ["hooks.example"] }
timeout = "1m"

[plugins.check]
source = "oci://r.example/check:1"
required = true
order = "last"
on-error = "warn"
"#;

#[test]
fn plugins_of_bases_lie_around_those_of_the_project() {
    let plugin = |name: &str, more: &str| {
        format!("[plugins.{name}]\nsource = \"oci://r.example/{name}:1\"\n{more}\n")
    };
    let inner = plugin("inner", "") + &plugin("inner-last", "order = \"last\"");
    let outer = plugin("outer-last", "order = \"last\"")
        + &plugin("outer", "")
        + &plugin("second-last", "order = \"last\"")
        + "[plugins.inner]\ntimeout = \"2m\"\n";
    let project = plugin("own", "") + "[plugins.outer]\nmemory = \"1MiB\"\n";
    let manifest = merged(&project, &[&inner, &outer]).expect("a manifest");
    let names: Vec<_> = manifest.plugins.keys().map(|name| name.as_str()).collect();
    let expected = [
        "inner",
        "outer",
        "own",
        "outer-last",
        "second-last",
        "inner-last",
    ];
    assert_eq!(names, expected);
    let policy = &manifest.policy;
    assert_eq!(
        policy.bringer("inner").expect("a base").reference,
        "oci://r.example/base-0:3"
    );
    assert_eq!(policy.bringer("own"), None);
    let overrides: Vec<_> = policy
        .overrides
        .iter()
        .map(|one| {
            format!(
                "{} {} {:?} {} {}",
                one.plugin, one.key, one.old, one.new, one.at
            )
        })
        .collect();
    assert_eq!(
        overrides,
        [
            "inner timeout None 2m r.example/base-1:3:11:11",
            "outer memory None 1MiB plugins.toml:5:10",
        ]
    );
}

#[test]
fn what_is_said_in_a_stead_names_who_said_it_last() {
    let first =
        "[plugins.a]\nsource = \"oci://r.example/a:1\"\nconfig = { k = \"1\", l = \"1\" }\n";
    let second = "[plugins.a]\nconfig = { k = \"2\" }\n";
    let project = "[plugins.a]\nconfig = { k = \"3\", l = \"3\", m = \"3\" }\n";
    let manifest = merged(project, &[first, second]).expect("a manifest");
    let overrides = manifest.policy.overrides.iter();
    let overrides: Vec<_> = overrides
        .map(|one| format!("{} {:?} of {} by {}", one.key, one.old, one.base, one.by))
        .collect();
    assert_eq!(
        overrides,
        [
            "config.k Some(\"1\") of 0 by 1",
            "config.k Some(\"2\") of 1 by 2",
            "config.l Some(\"1\") of 0 by 2",
            "config.m None of 0 by 2",
        ]
    );
}

#[test]
fn what_is_required_can_be_configured() {
    let manifest = merged(
        "[plugins.harden]\nconfig = { user = \"1000\", tmp = \"/tmp\", mode = \"strict\" }\n\
         timeout = \"2m\"\nmemory = \"1GiB\"\nenabled = true\n\
         [plugins.check]\non-error = \"fail\"\n",
        &[REQUIRED],
    )
    .expect("a manifest");
    let harden = &manifest.plugins["harden"];
    let config: Vec<_> = harden.config.values().map(String::as_str).collect();
    assert_eq!(config, ["strict", "/tmp", "1000"]);
    assert_eq!(harden.timeout, Duration::from_secs(120));
    assert_eq!(harden.grants.listed(), ["http https://hooks.example"]);
    assert_eq!(manifest.plugins["check"].on_error, OnError::Fail);
    let policy = &manifest.policy;
    let required: Vec<_> = policy.required.keys().map(|name| name.as_str()).collect();
    assert_eq!(required, ["harden", "check"]);
    let keys: Vec<_> = policy.overrides_of("harden").map(|one| &one.key).collect();
    assert_eq!(
        keys,
        ["enabled", "timeout", "memory", "config.tmp", "config.user"]
    );
}

#[test]
fn what_is_required_can_not_be_got_round() {
    for (text, key, place) in [
        ("enabled = false", "enabled", "false"),
        ("path = \"other.wasm\"", "path", "\"other.wasm\""),
        (
            "source = \"oci://r.example/harden:^1.3\"",
            "source",
            "\"oci://r.example/harden:^1.3\"",
        ),
        ("services = [\"web\"]", "services", "[\"web\"]"),
        ("grants = {}", "grants", "{}"),
        (
            "grants = { http = [\"hooks.example\"], exec = true }",
            "grants",
            "{ http = [\"hooks.example\"], exec = true }",
        ),
        ("on-error = \"warn\"", "on-error", "\"warn\""),
        ("timeout = \"1s\"", "timeout", "\"1s\""),
        ("memory = \"1KiB\"", "memory", "\"1KiB\""),
        ("limits = { log = \"1KiB\" }", "limits.log", "\"1KiB\""),
        ("limits = { instances = 1 }", "limits.instances", "1"),
        ("config = { mode = \"lax\" }", "config.mode", "mode"),
    ] {
        let text = format!("[plugins.harden]\n{text}\n");
        for (bases, file) in [
            (&[REQUIRED][..], "plugins.toml"),
            (&[REQUIRED, &text][..], "r.example/base-1:3"),
        ] {
            // No base in a registry has a path at all.
            if key == "path" && bases.len() > 1 {
                continue;
            }
            let project = if bases.len() == 1 { text.as_str() } else { "" };
            let (name, message, at) = error(merged(project, bases));
            let said = format!(
                "plugin `harden` is required by the base oci://r.example/base-0:3: `{key}` can't \
                 be changed here"
            );
            assert_eq!((name.as_str(), message), (file, said), "{text}");
            assert_eq!(at, place, "{text}");
        }
    }
    let waived = "[plugins.harden]\nrequired = false\n";
    let (_, message, _) = error(merged("", &[REQUIRED, waived]));
    assert!(message.contains("`required` can't be changed"), "{message}");
}

#[test]
fn of_two_bases_the_later_wins_unless_both_require() {
    let one = |source: &str, more: &str| {
        format!("[plugins.a]\nsource = \"oci://r.example/{source}\"\n{more}\n")
    };
    let manifest = merged("", &[&one("a:1", ""), &one("b:1", "required = true")]);
    let manifest = manifest.expect("the first does not require it");
    assert_eq!(manifest.policy.overrides.len(), 1);
    assert_eq!(
        manifest.policy.requirer("a").expect("a base").reference,
        "oci://r.example/base-1:3"
    );
    let both = [one("a:1", "required = true"), one("b:1", "required = true")];
    let (file, message, at) = error(merged("", &[&both[0], &both[1]]));
    assert_eq!(file, "r.example/base-1:3");
    assert!(message.contains("base-0:3: `source` can't"), "{message}");
    assert_eq!(at, "\"oci://r.example/b:1\"");
    // The same twice is one, and what either says of the configuration holds.
    let more = "required = true\nconfig = { x = 1 }";
    let second = one("a:1", more);
    let (_, message, _) = error(merged(
        "[plugins.a]\nconfig = { x = 2 }\n",
        &[&both[0], &second],
    ));
    assert!(message.contains("`config.x` can't"), "{message}");
}

#[test]
fn what_is_not_required_can_be_left_out_and_replaced() {
    let base = "[plugins.a]\nsource = \"oci://r.example/a:1\"\n\
                [plugins.b]\nsource = \"oci://r.example/b:1\"\nenabled = false\n";
    let project = "[plugins.a]\nenabled = false\n[plugins.b]\nenabled = true\npath = \"b.wasm\"\n";
    let manifest = merged(project, &[base]).expect("a manifest");
    let names: Vec<_> = manifest.plugins.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["b"]);
    assert!(manifest.policy.bringer("a").is_some(), "it is told of");
    assert!(
        manifest.trust.plugins.is_empty(),
        "b is the project's own now"
    );
    let keys: Vec<_> = manifest
        .policy
        .overrides_of("b")
        .map(|one| &one.key)
        .collect();
    assert_eq!(keys, ["path", "enabled"]);
    assert_eq!(manifest.policy.locked.len(), 1);
}

#[test]
fn errors_of_a_base_point_into_it() {
    let source = "source = \"oci://r.example/a:1\"";
    for (text, said, place) in [
        ("[app]\nname = \"x\"", "a base can't have `[app]`", "app"),
        (
            "[secrets]\nA = { file = \"/etc/shadow\" }",
            "`[secrets]`",
            "secrets",
        ),
        ("[registries.\"a.b\"]\n", "`[registries]`", "registries"),
        ("[docker]\nhost = \"x\"", "`[docker]`", "docker"),
        ("[edge]\n", "`[edge]`", "edge"),
        ("[plugin.a]\n", "unknown field `plugin`", "plugin"),
        ("[plugins.a]\nsauce = 1", "unknown field `sauce`", "sauce"),
        (
            "[plugins.a]\ntimeout = \"soon\"",
            "is not a time",
            "\"soon\"",
        ),
        (
            "[plugins.a]\npath = \"a.wasm\"",
            "brings no files",
            "\"a.wasm\"",
        ),
        (
            "extends = [\"other.toml\"]",
            "brings no files",
            "\"other.toml\"",
        ),
        (
            "extends = [\"https://x\"]",
            "`https://` is not",
            "\"https://x\"",
        ),
        (
            "extends = [\"oci://r.example/a\"]",
            "names no base",
            "\"oci://r.example/a\"",
        ),
        (
            "[trust]\nkeys = [\"a.pub\"]",
            "brings no files",
            "\"a.pub\"",
        ),
        (
            "[trust]\nkeys = [\"-----BEGIN\"]",
            "can't be used",
            "\"-----BEGIN\"",
        ),
        ("[trust]\nrequire = false", "can't waive", "false"),
        ("[plugins.a]\n", "has no `path`", "a"),
        (
            &format!("[plugins.a]\n{source}\nopen = [\"x\"]"),
            "goes with `required",
            "[\"x\"]",
        ),
        (
            &format!("[plugins.a]\n{source}\nrequired = true\nopen = [\"x\"]"),
            "`x` is open",
            "[\"x\"]",
        ),
        (
            &format!("[plugins.a]\n{source}\nrequired = true\nenabled = false"),
            "required, and not enabled",
            "true",
        ),
        (
            &format!("[plugins.a]\n{source}\nservices = [\"db\"]"),
            "no service `db`",
            "\"db\"",
        ),
        ("= 1", "", ""),
    ] {
        let (file, message, at) = error(merged("", &[text]));
        assert!(message.contains(said), "{text}: {message}");
        assert_eq!(
            (file.as_str(), at.as_str()),
            ("r.example/base-0:3", place),
            "{text}"
        );
    }
    for (text, key) in [
        ("required = true", "required"),
        ("order = \"last\"", "order"),
    ] {
        let project = format!("[plugins.a]\npath = \"a.wasm\"\n{text}\n");
        let (_, message, _) = error(merged(&project, &[]));
        assert!(
            message.starts_with(&format!("`{key}` is for bases")),
            "{message}"
        );
    }
    // Each is fine alone: the place is in the one that requires it.
    let disabled = format!("# A comment.\n[plugins.a]\n{source}\nenabled = false");
    let both = [disabled.as_str(), "[plugins.a]\nrequired = true"];
    let (file, message, at) = error(merged("", &both));
    assert_eq!(message, "`a` is required, and not enabled");
    assert_eq!((file.as_str(), at.as_str()), ("r.example/base-1:3", "true"));
    let (_, message, at) = error(merged("extends = [\"a.toml\"]", &[]));
    assert_eq!(
        (message.as_str(), at.as_str()),
        ("bases can't be had here", "\"a.toml\"")
    );
}

#[test]
fn what_is_no_text_is_not_shown() {
    for (bytes, said) in [
        (&b"\xff\xfe"[..], "it is not UTF-8 text"),
        (b"a = 1\n# \x1b[2J", "line 2 has a control character"),
        ("\u{202e}".as_bytes(), "line 1 has a control character"),
    ] {
        let error = Fragment::artifact("r.example/a:1".to_owned(), bytes.to_owned());
        let error = error.expect_err(said).to_string();
        assert_eq!(error, format!("r.example/a:1 can't be read: {said}"));
    }
}

#[test]
fn who_is_not_vouched_for_grants_nothing() {
    let key = SigningKey::generate()
        .expect("random numbers")
        .public("k")
        .pem();
    let key = format!("[trust]\nkeys = [\"\"\"{key}\"\"\"]\n");
    let grants = "[plugins.a]\nsource = \"oci://r.example/a:1\"\ngrants = { exec = true }\n";
    let nothing = "[plugins.a]\nsource = \"oci://r.example/a:1\"\ngrants = {}\n";
    for (text, said) in [(grants, "grants something"), (&key, "trusts a key")] {
        let load = |vouched: bool| {
            let base = artifact("oci://r.example/base:3", text, vouched)?;
            let bases = Bases::Known(vec![base]);
            convert::manifest("", None, PathBuf::from("/"), None, &bases, &|_| None)
        };
        load(true).expect("somebody vouches for it");
        let (file, message, _) = error(load(false));
        assert_eq!(file, "r.example/base:3");
        assert!(
            message.contains(said) && message.contains("nobody vouches"),
            "{message}"
        );
    }
    let first = artifact("oci://r.example/first:1", grants, true).expect("a base");
    let second = artifact("oci://r.example/second:1", nothing, false).expect("a base");
    let bases = Bases::Known(vec![first, second]);
    let both = convert::manifest("", None, PathBuf::from("/"), None, &bases, &|_| None);
    let (file, message, at) = error(both);
    assert_eq!((file.as_str(), at.as_str()), ("r.example/second:1", "a"));
    assert!(
        message.contains("changes plugin `a`, which another brings"),
        "{message}"
    );
    let base = artifact("oci://r.example/base:3", nothing, false).expect("a base");
    let bases = Bases::Known(vec![base]);
    convert::manifest("", None, PathBuf::from("/"), None, &bases, &|_| None)
        .expect("it grants nothing");
}

#[test]
fn a_base_can_ask_for_signatures() {
    let key = SigningKey::generate()
        .expect("random numbers")
        .public("k")
        .pem();
    let plugin = "[plugins.a]\nsource = \"oci://r.example/a:1\"\n";
    let own = "[plugins.own]\nsource = \"oci://r.example/own:1\"\n";
    let own_only = merged(
        own,
        &[&format!("{plugin}[trust]\nkeys = [\"\"\"{key}\"\"\"]\n")],
    );
    let trust = own_only.expect("a manifest").trust;
    assert!(!trust.require, "it speaks of its own plugins");
    assert!(trust.of("a").require && !trust.of("own").require);
    assert_eq!((trust.of("a").keys.len(), trust.keys.len()), (1, 0));
    let all = format!("{plugin}[trust]\nrequire = true\n");
    let trust = merged(own, &[&all]).expect("a manifest").trust;
    assert!(trust.of("a").require && trust.of("own").require);
    // Also of those that another base brings.
    let other = "[plugins.b]\nsource = \"oci://r.example/b:1\"\n";
    let trust = merged("", &[other, &all]).expect("a manifest").trust;
    assert!(trust.of("b").require);
    let (file, message, at) = error(merged("[trust]\nrequire = false\n", &[&all]));
    assert_eq!((file.as_str(), at.as_str()), ("plugins.toml", "false"));
    assert!(message.contains("wants each plugin signed"), "{message}");
}

#[test]
fn an_app_can_be_looked_at_without_its_bases() {
    let text = "extends = [\"oci://r.example/base:3\"]\n[app]\nname = \"shop\"\n\
                [plugins.harden]\nconfig = { user = \"1\" }\n";
    let dir = PathBuf::from("/");
    let manifest = convert::manifest(text, None, dir, None, &Bases::Unknown, &|_| None);
    let manifest = manifest.expect("a manifest");
    assert_eq!(manifest.app.name.as_str(), "shop");
    assert!(manifest.plugins.is_empty() && manifest.warnings.is_empty());
}

#[test]
fn what_a_wanted_base_requires_nobody_weakens_before() {
    let own = "[plugins.harden]\nsource = \"oci://r.example/harden:^1.2\"\non-error = \"warn\"\n";
    let load = |order: [(&str, bool); 2]| {
        let bases = order.iter().enumerate().map(|(index, (text, demanded))| {
            let base = artifact(&format!("oci://r.example/base-{index}:3"), text, true)?;
            Ok(base.demanded(*demanded))
        });
        let bases: Result<Vec<_>, ManifestError> = bases.collect();
        let bases = Bases::Known(bases?);
        convert::manifest("", None, PathBuf::from("/"), None, &bases, &|_| None)
    };
    let (file, message, at) = error(load([(own, false), (REQUIRED, true)]));
    assert_eq!(
        (file.as_str(), at.as_str()),
        ("r.example/base-1:3", "harden")
    );
    assert!(
        message.contains("the base oci://r.example/base-0:3 says something of it before"),
        "{message}"
    );
    let (_, message, _) = error(load([(REQUIRED, true), (own, false)]));
    assert!(message.contains("`on-error` can't be changed"), "{message}");
    // Of those that are wanted, each may say what it likes; and so may all where none is.
    let own = own.replace("on-error = \"warn\"", "on-error = \"fail\"");
    load([(&own, true), (REQUIRED, true)]).expect("both are wanted");
    load([(&own, false), (REQUIRED, false)]).expect("none is");
    load([(REQUIRED, true), (&own, false)]).expect("it is as strict");
}

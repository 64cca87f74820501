use super::*;

fn args(pairs: &[(&str, &str)]) -> Args {
    let owned = pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned()));
    owned.collect()
}

fn ports(text: &str) -> Vec<String> {
    ports_with(text, None, &[])
}

fn ports_with(text: &str, target: Option<&str>, given: &[(&str, &str)]) -> Vec<String> {
    let ports = Dockerfile::parse(text).exposed_ports(target, &args(given));
    let shown = ports
        .iter()
        .map(|(port, p)| format!("{port}/{}", p.as_str()));
    shown.collect()
}

fn bases(text: &str) -> Vec<String> {
    Dockerfile::parse(text).external_bases(None, &args(&[]))
}

#[test]
fn stages_have_names_and_lines() {
    let file = Dockerfile::parse(
        "ARG V=1\nFROM --platform=$BUILDPLATFORM golang:$V AS Build\nRUN x\n\nfrom scratch\nCMD [\"/a\"]\n",
    );
    let [build, last] = file.stages.as_slice() else {
        panic!("{file:?}");
    };
    assert_eq!(build.name.as_deref(), Some("build"));
    assert_eq!(build.from, "golang:$V");
    assert_eq!(build.from_line, 2);
    assert!(!build.has_command);
    assert_eq!((last.name.as_ref(), last.from_line), (None, 5));
    assert!(last.has_command);
}

#[test]
fn the_target_is_found_by_name_or_number() {
    let file = Dockerfile::parse("FROM a AS One\nFROM b AS two\nFROM c");
    let from = |target| file.final_stage(target).map(|stage| stage.from.as_str());
    assert_eq!(from(None), Some("c"));
    assert_eq!(from(Some("ONE")), Some("a"));
    assert_eq!(from(Some("1")), Some("b"));
    assert_eq!(from(Some("7")), None);
    assert_eq!(from(Some("nowhere")), None);
    assert_eq!(Dockerfile::parse("").final_stage(None), None);
}

#[test]
fn ports_are_read_in_order_and_once() {
    assert_eq!(
        ports("FROM a\nEXPOSE 8080 53/UDP\nEXPOSE 8080/tcp \"9000\"\n"),
        ["8080/tcp", "53/udp", "9000/tcp"]
    );
    assert_eq!(
        ports("FROM a\nEXPOSE 8000-8002/udp"),
        ["8000/udp", "8001/udp", "8002/udp"]
    );
    assert_eq!(ports("FROM a\nEXPOSE 65535-65535"), ["65535/tcp"]);
}

#[test]
fn ports_that_are_none_are_skipped() {
    assert!(ports("FROM a\nEXPOSE 0 70000 x 9-8 80/icmp 1-2-3 ${P#x} $NONE /tcp").is_empty());
    assert!(ports("EXPOSE 80").is_empty());
}

#[test]
fn ports_are_those_of_the_target_and_what_it_builds_on() {
    let text = "FROM a AS base\nEXPOSE 1\nFROM x AS other\nEXPOSE 2\nFROM BASE\nEXPOSE 3";
    assert_eq!(ports(text), ["1/tcp", "3/tcp"]);
    assert_eq!(ports_with(text, Some("other"), &[]), ["2/tcp"]);
}

#[test]
fn a_stage_of_its_own_images_name_is_no_loop() {
    assert_eq!(ports("FROM a AS a\nEXPOSE 1"), ["1/tcp"]);
    assert_eq!(bases("FROM a AS a"), ["a"]);
    assert_eq!(bases("FROM a AS a\nFROM a AS a\nFROM a"), ["a"]);
}

#[test]
fn ports_expand_args_and_env() {
    assert_eq!(ports("FROM a\nARG P=80\nEXPOSE $P"), ["80/tcp"]);
    assert_eq!(ports("FROM a\nARG P\nEXPOSE ${P:-81}"), ["81/tcp"]);
    assert_eq!(ports("FROM a\nENV P=82 Q=$P\nEXPOSE $P $Q"), ["82/tcp"]);
    assert_eq!(ports("FROM a\nENV P 83\nEXPOSE $P/udp"), ["83/udp"]);
    assert_eq!(ports("FROM a\nEXPOSE $P\nENV P=84"), [""; 0]);
    let text = "FROM a\nARG P=80\nEXPOSE $P";
    assert_eq!(ports_with(text, None, &[("P", "90")]), ["90/tcp"]);
    // ENV hides ARG, and an argument that is not declared is not seen.
    let hidden = "FROM a\nENV P=1\nARG P=2\nEXPOSE $P";
    assert_eq!(ports_with(hidden, None, &[("P", "3")]), ["1/tcp"]);
    let undeclared = "FROM a\nEXPOSE $P";
    assert!(ports_with(undeclared, None, &[("P", "3")]).is_empty());
}

#[test]
fn global_args_must_be_declared_again_and_are_inherited_by_child_stages() {
    assert!(ports("ARG P=80\nFROM a\nEXPOSE $P").is_empty());
    assert_eq!(ports("ARG P=80\nFROM a\nARG P\nEXPOSE $P"), ["80/tcp"]);
    let child = "ARG P=80\nFROM a AS b\nARG P\nENV Q=81\nFROM b\nEXPOSE $P $Q";
    assert_eq!(ports(child), ["80/tcp", "81/tcp"]);
}

#[test]
fn the_user_is_the_last_one_set() {
    let file = Dockerfile::parse("FROM a AS b\nARG U=10001\nUSER x\nUSER $U:$U\nFROM b\nFROM c");
    let user = |target| file.user(target, &args(&[]));
    assert_eq!(user(Some("b")).as_deref(), Some("10001:10001"));
    assert_eq!(user(Some("1")).as_deref(), Some("10001:10001"));
    assert_eq!(user(None), None);
    assert_eq!(file.stages[0].user.as_deref(), Some("$U:$U"));
}

#[test]
fn health_checks_are_inherited_and_can_be_taken_away() {
    let file = Dockerfile::parse(
        "FROM a AS b\nHEALTHCHECK --interval=1s CMD x\nFROM b AS c\nFROM b AS d\nhealthcheck none\nFROM e",
    );
    let has = |target| file.has_healthcheck(Some(target), &args(&[]));
    assert!(has("b") && has("c"));
    assert!(!has("d") && !has("3"));
}

#[test]
fn bases_are_what_comes_from_elsewhere() {
    assert_eq!(
        bases(
            "ARG GO=1.22\nFROM golang:${GO} AS build\nFROM scratch\n\
             COPY --from=build /a /a\nCOPY --chown=1 --from=busybox:1 /b /b\nCOPY --from=0 /c /c\n"
        ),
        ["golang:1.22", "busybox:1"]
    );
    assert_eq!(bases("FROM scratch"), [""; 0]);
    assert_eq!(
        bases(
            "FROM a\nRUN --mount=type=cache,target=/x --mount=type=bind,from=b:1,source=/,target=/y make"
        ),
        ["a", "b:1"]
    );
}

#[test]
fn bases_of_stages_that_are_not_needed_are_left_out() {
    let text = "FROM unused AS test\nFROM a AS build\nFROM b\nCOPY --from=build /x /x";
    assert_eq!(bases(text), ["a", "b"]);
    let file = Dockerfile::parse(text);
    assert_eq!(file.external_bases(Some("test"), &args(&[])), ["unused"]);
    assert_eq!(file.external_bases(Some("none"), &args(&[])), [""; 0]);
}

#[test]
fn bases_follow_build_arguments() {
    let file = Dockerfile::parse("ARG BASE=debian:12\nARG FULL=$BASE-slim\nFROM $FULL");
    assert_eq!(file.external_bases(None, &args(&[])), ["debian:12-slim"]);
    let given = args(&[("BASE", "alpine")]);
    assert_eq!(file.external_bases(None, &given), ["alpine-slim"]);
    assert_eq!(bases("FROM $NOTHING"), [""; 0]);
    // A stage's name can come out of an argument too.
    assert_eq!(bases("ARG S=b\nFROM a AS b\nFROM x AS c\nFROM $S"), ["a"]);
}

#[test]
fn comments_heredocs_and_other_instructions_are_no_stages() {
    assert_eq!(
        bases(
            "# FROM no\nFROM a\nRUN <<EOF\nFROM no\nEOF\nLABEL x=\"FROM no\"\nNONSENSE FROM no\n"
        ),
        ["a"]
    );
    let heredoc = |text: &str| Dockerfile::parse(text).first_heredoc;
    assert_eq!(
        heredoc("FROM a\nRUN <<EOF\nx\nEOF\nCOPY <<A /a\nA\n"),
        Some(2)
    );
    assert_eq!(heredoc("FROM a\n# RUN <<EOF\nRUN cat <<<x\n"), None);
    assert_eq!(bases("FROM\nFROM --platform=x\nRUN"), [""; 0]);
}

/// A plugin hands over the text, so it may be made to take time, memory or the stack.
#[test]
fn a_hostile_file_is_read_to_its_end() {
    // With work that grows with the square of these sizes, it would not come to it.
    let repeated = |head: &str, line: &str, count: usize| format!("{head}{}", line.repeat(count));
    let chain: String = (0..50_000).map(|i| format!("FROM {i}\n")).collect();
    let unclosed = repeated("FROM a\nUSER ", "${A:-", 200_000);
    let nested = format!("{unclosed}{}", "}".repeat(200_000));
    for (what, text) in [
        ("nested", nested),
        ("unclosed", unclosed),
        ("in FROM", repeated("FROM ", "${A:-", 200_000)),
        (
            "doubling",
            repeated("FROM a\nENV A=xx\n", "ENV A=$A$A\n", 64) + "USER $A\n",
        ),
        ("dollars", repeated("FROM a\nUSER ", "$", 1 << 20)),
        (
            "ports",
            repeated("FROM a\nEXPOSE ", "1-65535 1-65535/udp ", 50_000),
        ),
        ("variables", repeated("FROM a\n", "ENV A=b\n", 100_000)),
        ("pairs", repeated("FROM a\nENV ", "A=b ", 200_000)),
        ("arguments", repeated("", "ARG A=b\n", 100_000) + "FROM a\n"),
        ("stages", repeated("", "FROM a AS a\n", 80_000)),
        ("chain", format!("FROM a\n{chain}")),
        ("heredocs", repeated("FROM a\nRUN ", "<<A ", 200_000)),
    ] {
        let file = Dockerfile::parse(&text);
        let args = args(&[("A", "$A$A")]);
        let _ = file.external_bases(None, &args);
        let _ = file.user(None, &args);
        let _ = file.has_healthcheck(None, &args);
        assert!(
            file.exposed_ports(None, &args).len() <= 2 * 65_535,
            "{what}"
        );
    }
}

#[test]
fn what_people_write_is_within_the_bounds() {
    let stages: String = (0..200).map(|i| format!("FROM a AS s{i}\n")).collect();
    let variables: String = (0..2000)
        .map(|i| format!("ENV A{i}=${{A{i}}}b\n"))
        .collect();
    let path = "/a/long/path:".repeat(200);
    let text = format!("{stages}{variables}ENV P={path}\nUSER ${{X:-${{Y:-$A7}}}}\n");
    let file = Dockerfile::parse(&text);
    assert_eq!(file.stages.len(), 200);
    assert_eq!(file.user(None, &args(&[])).as_deref(), Some("b"));
}

//! Input that is meant to hurt: it ends in an error, soon, and never in a panic.

use std::time::{Duration, Instant};

use super::{Folder, told};

/// Loads a file, and says how it ended.
fn outcome(text: impl AsRef<[u8]>) -> String {
    let folder = Folder::new(&[]);
    folder.write("compose.yaml", text);
    let start = Instant::now();
    let outcome = match folder.load() {
        Ok(_) => "fine".to_owned(),
        Err(error) => told(&error),
    };
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?} for {outcome}");
    outcome
}

fn ends_with(text: impl AsRef<[u8]>, part: &str) {
    let outcome = outcome(text);
    assert!(outcome.contains(part), "{outcome}");
}

#[test]
fn alias_bombs_are_counted() {
    let mut text = String::from("x-0: &x0 [a, a, a, a, a, a, a, a, a, a]\n");
    for level in 1..12 {
        let aliases = vec![format!("*x{}", level - 1); 10].join(", ");
        text += &format!("x-{level}: &x{level} [{aliases}]\n");
    }
    ends_with(text, "has more than 200000 values");
    // The same with mappings that are merged.
    let mut text = String::from("x-0: &x0 {a0: a, b0: a}\n");
    for level in 1..40 {
        let below = level - 1;
        text += &format!("x-{level}: &x{level} {{a{level}: *x{below}, b{level}: *x{below}}}\n");
    }
    ends_with(text, "values");
}

#[test]
fn nesting_is_bounded_in_itself_and_through_aliases() {
    ends_with("x-a: ".to_owned() + &"[".repeat(100_000), "");
    ends_with(
        format!("x-a: {}{}", "[".repeat(80), "]".repeat(80)),
        "deeper than 64",
    );
    ends_with(
        format!("x-a: {}a: 1{}", "{a: ".repeat(80), "}".repeat(80)),
        "deeper than 64",
    );
    let mut block = String::new();
    for level in 0..2_000 {
        block += &format!("{}a:\n", " ".repeat(level));
    }
    ends_with(block, "deeper than 64");
    ends_with("- ".repeat(5_000), "deeper than 64");
    let mut text = format!("x-0: &x0 {}{}\n", "[".repeat(40), "]".repeat(40));
    for level in 1..2_000 {
        let below = level - 1;
        text += &format!(
            "x-{level}: &x{level} {}*x{below}{}\n",
            "[".repeat(40),
            "]".repeat(40)
        );
    }
    ends_with(text, "deeper than 64");
}

#[test]
fn large_and_binary_files() {
    ends_with(vec![b'a'; 5 << 20], "it has more than 4 MiB");
    ends_with([0xff, 0xfe, 0x00], "it is no UTF-8 from byte 0 on");
    ends_with(b"services: \x00\x01\x02", "");
    ends_with("\u{feff}services: {a: {image: i}}", "fine");
    ends_with("a: b\n".repeat(300_000), "`a` is there twice");
    ends_with("\"".repeat(1_000_000), "");
    ends_with("? ".repeat(500_000), "");
    ends_with("&a ".repeat(300_000), "");
    ends_with("{".repeat(1_000_000), "");
    ends_with("%YAML 1.2\n---\n".repeat(10_000), "");
    ends_with("---\n".repeat(500_000), "");
    ends_with(
        format!("services: {{a: {{image: \"{}\"}}}}", "x".repeat(3 << 20)),
        "fine",
    );
    let many: String = (0..60_000)
        .map(|n| format!("  s{n}: {{image: i}}\n"))
        .collect();
    ends_with(format!("services:\n{many}"), "has more than 200000 values");
}

#[test]
fn variables_do_not_explode() {
    let folder = Folder::new(&[("compose.yaml", "services: {a: {image: \"$V40\"}}")]);
    let mut text = String::from("V0=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    for level in 1..=40 {
        text += &format!("V{level}=$V{}$V{}\n", level - 1, level - 1);
    }
    folder.write(".env", text);
    let error = folder.load().expect_err("a bomb");
    assert!(told(&error).starts_with(".env:"), "{}", told(&error));
    let lines: String = (0..100_000).map(|n| format!("B{n}=$A\n")).collect();
    folder.write(".env", format!("A={}\n{lines}", "x".repeat(1 << 20)));
    let error = folder.load().expect_err("a bomb");
    assert!(told(&error).contains("bytes"), "{}", told(&error));
    let lines: String = (0..1_000).map(|_| "      - $A\n").collect();
    folder.write(".env", format!("A={}\n", "x".repeat(1 << 20)));
    folder.write(
        "compose.yaml",
        format!("services:\n  a:\n    image: i\n    command:\n{lines}"),
    );
    let error = folder.load().expect_err("a bomb");
    assert!(told(&error).contains("bytes"), "{}", told(&error));
    ends_with(
        format!("services: {{a: {{image: \"{}\"}}}}", "$A".repeat(500_000)),
        "fine",
    );
    ends_with(
        format!(
            "services: {{a: {{image: \"{}\"}}}}",
            "${A:-".repeat(100_000)
        ),
        "not closed",
    );
}

#[test]
fn chains_of_files_are_bounded() {
    let folder = Folder::new(&[(
        "compose.yaml",
        "include: [f0.yaml]\nservices: {a: {image: i}}",
    )]);
    for n in 0..60 {
        folder.write(&format!("f{n}.yaml"), format!("include: [f{}.yaml]", n + 1));
    }
    let error = folder.load().expect_err("a chain");
    assert!(
        told(&error).contains("more than 24 steps"),
        "{}",
        told(&error)
    );
    // Each includes the next one three times, in ways that are not the same text.
    for n in 0..20 {
        let next = format!("f{}.yaml", n + 1);
        folder.write(
            &format!("f{n}.yaml"),
            format!("include: [{next}, ./{next}, ././{next}]"),
        );
    }
    folder.write("f20.yaml", "services: {b: {image: i}}");
    let error = folder.load().expect_err("too many");
    assert!(
        told(&error).contains("more than 2000 files"),
        "{}",
        told(&error)
    );
    let services: String = (1..60)
        .map(|n| format!("  s{n}: {{extends: s{}}}\n", n - 1))
        .collect();
    ends_with(
        format!("services:\n  s0: {{image: i}}\n{services}"),
        "more than 24 steps",
    );
}

#[test]
fn devices_and_folders_are_no_files() {
    let folder = Folder::new(&[(
        "compose.yaml",
        "services: {a: {image: i, env_file: /dev/zero}}",
    )]);
    assert!(told(&folder.load().expect_err("a device")).contains("there is no file /dev/zero"));
    folder.write("compose.yaml", "include: [/dev/zero]");
    assert!(told(&folder.load().expect_err("a device")).contains("there is no file /dev/zero"));
    let files = vec![".".into()];
    let options = super::super::Options {
        files,
        ..folder.options()
    };
    assert!(told(&super::super::load(&options).expect_err("a folder")).contains("it is no file"));
}

/// Cuts and garbles a file at every place: each outcome is fine or an error.
#[test]
fn garbled_files_end_in_errors() {
    let text = "x-a: &a {b: c}\nservices:\n  web:\n    <<: *a\n    image: \"i:${TAG:-1}\"\n    ports: ['80:80', {target: 1}]\n    \
                command: |\n      a\n      b\n    volumes: [a:/b:ro]\n    environment: !override [A=1]\nvolumes: {a: }\n";
    for at in 0..text.len() {
        outcome(&text[..at]);
    }
    // A step that meets every kind of place.
    for at in (0..text.len()).step_by(7) {
        for garbage in [
            "\0", "\t", "[", "}", "&a", "*a", "!reset ", "${", "'", "\"", "\n", ": ", "- ", "#",
            "ä", "|", "%",
        ] {
            outcome(format!("{}{garbage}{}", &text[..at], &text[at + 1..]));
        }
    }
}

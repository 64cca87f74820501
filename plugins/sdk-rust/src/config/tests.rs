//! What settings of every shape become, and what is said where they are wrong.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Config {
    user: String,
    #[serde(default)]
    uid: u32,
    #[serde(default = "yes")]
    read_only: bool,
    offset: Option<i8>,
    cpus: Option<f64>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, u16>,
    limits: Option<Limits>,
    mode: Option<Mode>,
    port: Option<Port>,
    either: Option<Either>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    memory: ByteSize,
    steps: Option<Vec<(String, u8)>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Strict,
    Loose,
    Custom { level: u8 },
}

#[derive(Debug, PartialEq, Deserialize)]
struct Port(u16);

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Either {
    One(String),
    Many(Vec<String>),
}

fn yes() -> bool {
    true
}

fn read(pairs: &[(&str, &str)]) -> Result<Config, Error> {
    from_pairs([("user", "app")].iter().chain(pairs).copied())
}

fn error(pairs: &[(&str, &str)]) -> String {
    read(pairs).unwrap_err().to_string()
}

#[test]
fn what_is_not_set_has_its_default() {
    let config = read(&[]).unwrap();
    assert_eq!(config.user, "app");
    assert_eq!(
        (config.uid, config.read_only, config.offset),
        (0, true, None)
    );
    assert!(config.paths.is_empty() && config.env.is_empty());
}

#[test]
fn text_is_what_the_field_wants_it_to_be() {
    let config: Config = from_pairs([
        ("user", "10001"),
        ("uid", "10001"),
        ("read-only", "false"),
        ("offset", "-5"),
        ("cpus", "0.5"),
        ("port", "8080"),
    ])
    .unwrap();
    assert_eq!((config.user.as_str(), config.uid), ("10001", 10001));
    assert_eq!((config.read_only, config.offset), (false, Some(-5)));
    assert_eq!((config.cpus, config.port), (Some(0.5), Some(Port(8080))));
}

#[test]
fn lists_and_tables_are_json() {
    let config = read(&[
        ("paths", r#"["/tmp", "/run", 5, true]"#),
        ("env", r#"{"A": 1, "B": 2}"#),
        ("limits", r#"{"memory": "1g", "steps": [["a", 1]]}"#),
    ])
    .unwrap();
    assert_eq!(config.paths, ["/tmp", "/run", "5", "true"]);
    assert_eq!(config.env["B"], 2);
    let limits = Limits {
        memory: ByteSize(1 << 30),
        steps: Some(vec![("a".to_owned(), 1)]),
    };
    assert_eq!(config.limits, Some(limits));
}

#[test]
fn a_text_may_look_like_json() {
    let config: Config = from_pairs([("user", "[abc]")]).unwrap();
    assert_eq!(config.user, "[abc]");
}

#[test]
fn enums_are_names_or_tables_of_one_entry() {
    let mode = |text| read(&[("mode", text)]).unwrap().mode.unwrap();
    assert_eq!(mode("strict"), Mode::Strict);
    assert_eq!(mode("loose"), Mode::Loose);
    assert_eq!(
        mode(r#"{"custom": {"level": 3}}"#),
        Mode::Custom { level: 3 }
    );
    let either = |text| read(&[("either", text)]).unwrap().either.unwrap();
    assert_eq!(either("80"), Either::One("80".to_owned()));
    assert_eq!(either("[80]"), Either::Many(vec!["80".to_owned()]));
}

#[test]
fn an_error_says_where_what_was_expected_and_what_was_found() {
    let cases: [(&[(&str, &str)], &str); 13] = [
        (
            &[("uid", "abc")],
            "`uid`: expected a whole number from 0 to 4294967295, found `abc`",
        ),
        (
            &[("uid", "-1")],
            "`uid`: expected a whole number from 0 to 4294967295, found `-1`",
        ),
        (
            &[("uid", "[1]")],
            "`uid`: expected a whole number from 0 to 4294967295, found `[1]`",
        ),
        (
            &[("offset", "128")],
            "`offset`: expected a whole number from -128 to 127, found `128`",
        ),
        (
            &[("read-only", "yes")],
            "`read-only`: expected true or false, found `yes`",
        ),
        (
            &[("cpus", "half")],
            "`cpus`: expected a number, found `half`",
        ),
        (
            &[("paths", "/tmp")],
            "`paths`: expected a list, found `/tmp`",
        ),
        (
            &[("paths", "[\"/tmp\", [1]]")],
            "`paths[1]`: expected text, found a list",
        ),
        (
            &[("env", "{\"A\": 70000}")],
            "`env.A`: expected a whole number from 0 to 65535, found `70000`",
        ),
        (
            &[("limits", "{\"memory\": \"5x\"}")],
            "`limits.memory`: expected a size such as \"256MiB\" or \"1g\", found `5x`",
        ),
        (&[("limits", "{}")], "`limits`: `memory` is missing"),
        (
            &[("limits", "{\"memory\": 1, \"steps\": [[\"a\"]]}")],
            "`limits.steps[0]`: expected a tuple of size 2, found 1 items",
        ),
        (
            &[("mode", "lose")],
            "`mode`: expected `strict`, `loose` or `custom`, found `lose`",
        ),
    ];
    for (pairs, expected) in cases {
        assert_eq!(error(pairs), format!("config {expected}"), "{pairs:?}");
    }
}

#[test]
fn an_unknown_key_is_told_with_those_that_are_known() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its names matter")]
    struct Config {
        user: Option<String>,
        tmpfs: Option<String>,
    }
    let error = from_pairs::<Config, _, _>([("usr", "x")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "config: there is no key `usr`, there are `user` and `tmpfs`"
    );
}

#[test]
fn a_toggle_is_a_value_or_false() {
    #[derive(Debug, Deserialize)]
    struct Config {
        memory: Toggle<ByteSize>,
    }
    let read = |text| from_pairs::<Config, _, _>([("memory", text)]).map(|config| config.memory);
    assert_eq!(read("false"), Ok(Toggle::Off));
    assert_eq!(read("6m"), Ok(Toggle::On(ByteSize::mib(6))));
    assert_eq!(
        read("true").unwrap_err().to_string(),
        "config `memory`: expected a size such as \"256MiB\" or \"1g\", found `true` \
         (`false` turns it off)"
    );
}

#[test]
fn as_a_refusal_it_says_where_to_correct_it() {
    let refusal = Refusal::from(from_pairs::<Config, &str, &str>([]).unwrap_err());
    assert_eq!(refusal.reason, "config: `user` is missing");
    assert!(refusal.hint.unwrap().contains("plugins.toml"));
}

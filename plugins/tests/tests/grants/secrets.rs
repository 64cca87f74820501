//! Secrets: who reads them, and where they are not to be seen.

use rengine::app::Fields;
use rengine::plugin::Settings;
use rengine::secrets::{Redactor, Secret};

use crate::lab::{assert_contains, host, pre_run, settings};

const VALUE: &str = "hunter2-and-more";

fn with_secret(steps: &[&[&str]]) -> Settings {
    let secret = Secret::new(VALUE.to_owned());
    Settings {
        redactor: Redactor::new([&secret]),
        secrets: [("TOKEN".parse().expect("a name"), secret)].into(),
        ..settings("secrets = [\"TOKEN\"]", steps)
    }
}

#[tokio::test]
async fn a_secret_is_read_and_never_logged() {
    let steps: &[&[&str]] = &[
        &["secret", "TOKEN"],
        &["print", VALUE],
        &["env-secret", "FROM_SECRET", "TOKEN"],
    ];
    let tried = pre_run(&host(), with_secret(steps)).await;
    assert!(tried.result.is_ok(), "{:?}", tried.result);
    assert_eq!(
        tried.lines,
        ["ok: ***", "ok: printed", "ok: done", "***"],
        "what it prints comes last"
    );
    assert_eq!(tried.spec.env["FROM_SECRET"], VALUE, "it has the value");
    assert_eq!(Fields::of(&tried.spec).get("env.FROM_SECRET"), Some(VALUE));
}

#[tokio::test]
async fn a_secret_is_in_no_error() {
    for step in [&["refuse", "the token is", VALUE][..], &["panic", VALUE]] {
        let tried = pre_run(&host(), with_secret(&[step])).await;
        let error = tried.error();
        assert!(!error.contains("hunter2"), "{error}");
        assert_contains(&error, "***");
    }
    // One that the limit of a text cuts in two is not half there.
    let long = format!("{}{VALUE}", "x".repeat(4096 - 8));
    let tried = pre_run(&host(), with_secret(&[&["refuse", &long]])).await;
    let error = tried.error();
    assert!(!error.contains("hunter"), "{error}");
}

#[tokio::test]
async fn other_secrets_are_not_read() {
    for name in ["OTHER", "token", "", "TOKEN\0", "../TOKEN", "PATH"] {
        let tried = pre_run(&host(), with_secret(&[&["secret", name]])).await;
        let line = tried.line();
        assert_contains(line, "is not granted: add `grants = { secrets = [");
    }
}

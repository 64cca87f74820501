//! Images that go to a registry and come from there, with the credentials that `docker login`
//! stores.

use std::path::Path;

use rengine_tests::registry::{ODD_PASSWORD, ODD_USER, PASSWORD, Registry, USER};
use rengine_tests::ssh::script;
use rengine_tests::{Outcome, Project, docker, on_podman};

/// `deployer:open-sesame` in base64.
const AUTH: &str = "ZGVwbG95ZXI6b3Blbi1zZXNhbWU=";

struct Lab {
    registry: Registry,
    config: tempfile::TempDir,
    project: Project,
}

impl Lab {
    fn new(name: &str) -> Self {
        let lab = Self {
            registry: Registry::start(),
            config: tempfile::tempdir().expect("a folder"),
            project: Project::new(name, "from the registry", ""),
        };
        std::fs::remove_file(lab.project.path().join("plugins.toml")).expect("it was there");
        lab
    }

    fn reference(&self) -> String {
        format!("{}/team/{}:1", self.registry.host, self.project.app)
    }

    fn compose(&self, service: &str) {
        let text = format!(
            "name: {}\nservices:\n  web:\n    {service}\n    stop_grace_period: 0s\n",
            self.project.app
        );
        self.project.write("compose.yaml", &text);
    }

    /// Writes Docker's config.json, in which `HOST` is the registry.
    fn stored(&self, text: &str) {
        let text = text.replace("HOST", &self.registry.host);
        std::fs::write(self.config.path().join("config.json"), text).expect("a file");
    }

    fn rengine(&self, args: &[&str]) -> Outcome {
        let path = std::env::var("PATH").expect("a PATH");
        let path = format!("{}:{path}", self.config.path().display());
        let mut command = self.project.command(args);
        command
            .env("DOCKER_CONFIG", self.config.path())
            .env("PATH", path);
        Outcome::from(command.output().expect("rengine runs"))
    }

    #[track_caller]
    fn done(&self, args: &[&str]) -> Outcome {
        let outcome = self.rengine(args);
        assert_eq!(outcome.code, 0, "{args:?}: {outcome:#?}");
        outcome
    }

    #[track_caller]
    fn fails(&self, args: &[&str], texts: &[&str]) {
        let outcome = self.rengine(args);
        assert_ne!(outcome.code, 0, "{outcome:#?}");
        for text in texts {
            assert!(outcome.stderr.contains(text), "{text}: {outcome:#?}");
        }
        assert!(!outcome.stderr.contains(PASSWORD), "{outcome:#?}");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        docker(&["rmi", "-f", &self.reference()]);
    }
}

fn helper(folder: &Path, answer: &str) {
    let text = format!("#!/bin/sh\nread -r host\necho \"$1 $host\" >>\"$0.asked\"\n{answer}\n");
    script(&folder.join("docker-credential-test"), &text);
}

#[test]
fn a_release_is_pushed_and_comes_back() {
    let lab = Lab::new("push");
    let reference = lab.reference();
    lab.stored("{}");
    lab.compose("build: .");
    lab.fails(&["push"], &["no image to push", "`image` beside `build`"]);
    lab.compose(&format!("build: .\n    image: {reference}"));
    lab.fails(&["push"], &["`web` is not deployed", "rengine deploy"]);
    lab.done(&["deploy"]);
    lab.fails(&["push"], &["does not let", "docker login"]);
    lab.stored(r#"{"auths": {"HOST": {"username": "deployer", "password": "wrong"}}}"#);
    lab.fails(&["push"], &["does not let deployer push", "docker login"]);
    lab.fails(&["push", "wbe"], &["no service `wbe`"]);

    lab.stored(&format!(r#"{{"auths": {{"HOST": {{"auth": "{AUTH}"}}}}}}"#));
    let pushed = lab.done(&["push"]);
    let line = format!("✔ push web {reference}");
    assert!(pushed.stderr.contains(&line), "{pushed:#?}");
    assert!(pushed.stderr.contains("digest: sha256:"), "{pushed:#?}");
    let json = lab.done(&["push", "--json"]);
    for event in json.stdout.lines() {
        serde_json::from_str::<serde_json::Value>(event).expect(event);
    }
    assert!(json.stdout.contains(r#""operation":"push""#), "{json:#?}");

    // And back: as the image of a service.
    lab.done(&["down"]);
    docker(&["rmi", "-f", &reference]);
    lab.compose(&format!("image: {reference}"));
    lab.stored("{}");
    lab.fails(
        &["deploy"],
        &["does not let just anybody pull", "docker login"],
    );
    lab.stored(&format!(r#"{{"auths": {{"HOST": {{"auth": "{AUTH}"}}}}}}"#));
    let pulled = lab.done(&["deploy"]);
    assert!(pulled.stderr.contains("✔ pull web"), "{pulled:#?}");
    lab.done(&["down"]);

    // As the base of a build, with either builder; nothing of it is left to build from.
    for (builder, number) in [("1", 1), ("0", 2)] {
        docker(&["rmi", "-f", &reference]);
        let dockerfile = format!("FROM {reference}\nENV N={number}\n");
        lab.project.write("Dockerfile", &dockerfile);
        lab.compose("build: .");
        let mut command = lab.project.command(&["deploy"]);
        command
            .env("DOCKER_CONFIG", lab.config.path())
            .env("DOCKER_BUILDKIT", builder);
        let built = Outcome::from(command.output().expect("rengine runs"));
        assert_eq!(built.code, 0, "{builder}: {built:#?}");
        lab.done(&["down"]);
    }
}

#[test]
fn programs_that_keep_credentials_are_asked() {
    let lab = Lab::new("helper");
    let reference = lab.reference();
    lab.compose(&format!("build: .\n    image: {reference}"));
    lab.stored(r#"{"credHelpers": {"HOST": "test"}, "credsStore": "other"}"#);
    lab.done(&["deploy"]);
    lab.fails(&["push"], &["`docker-credential-test` is not installed"]);
    helper(lab.config.path(), "echo 'the vault is sealed'; exit 1");
    lab.fails(
        &["push"],
        &["docker-credential-test", "the vault is sealed"],
    );
    let answer = format!(
        "echo '{{\"ServerURL\": \"x\", \"Username\": \"{USER}\", \"Secret\": \"{PASSWORD}\"}}'"
    );
    helper(lab.config.path(), &answer);
    lab.done(&["push"]);
    let asked = std::fs::read_to_string(lab.config.path().join("docker-credential-test.asked"));
    let asked = asked.expect("it was asked");
    assert!(
        asked.contains(&format!("get {}", lab.registry.host)),
        "{asked}"
    );
    // One for all registries, which has none for this one: then what stands in the file.
    helper(
        lab.config.path(),
        "echo 'credentials not found in native keychain'; exit 1",
    );
    lab.stored(&format!(
        r#"{{"credsStore": "test", "auths": {{"http://HOST/v1/": {{"auth": "{AUTH}"}}}}}}"#
    ));
    lab.done(&["push"]);
    lab.done(&["down"]);
}

#[test]
fn an_image_is_fetched_again_when_it_is_old() {
    let lab = Lab::new("old");
    let reference = lab.reference();
    lab.stored(&format!(r#"{{"auths": {{"HOST": {{"auth": "{AUTH}"}}}}}}"#));
    // Two images under one name, of which the registry has the second.
    lab.compose(&format!("build: .\n    image: {reference}"));
    lab.done(&["deploy"]);
    lab.done(&["push"]);
    docker(&["tag", &reference, &format!("{reference}-first")]);
    lab.project.write("index.html", "a second page");
    lab.done(&["deploy"]);
    lab.done(&["push"]);
    lab.done(&["down"]);
    docker(&["tag", &format!("{reference}-first"), &reference]);
    let id = |name: &str| docker(&["inspect", "--format", "{{.Id}}", name]);
    let first = id(&reference);

    // It got its name a moment ago.
    lab.compose(&format!("image: {reference}\n    pull_policy: daily"));
    lab.done(&["deploy"]);
    if on_podman() {
        // It does not say when that was, so each image is old: see engine/PODMAN.md.
        assert_ne!(id(&reference), first);
        return;
    }
    assert_eq!(id(&reference), first);
    lab.compose(&format!("image: {reference}\n    pull_policy: every_0s"));
    lab.done(&["deploy"]);
    assert_ne!(id(&reference), first);
    // What is pulled for the first time is new from then on, too.
    lab.done(&["down"]);
    docker(&["rmi", "-f", &reference]);
    lab.compose(&format!("image: {reference}\n    pull_policy: weekly"));
    lab.done(&["deploy"]);
    let second = id(&reference);
    let again = lab.done(&["deploy"]);
    assert!(again.stderr.contains("nothing to do"), "{again:#?}");
    assert_eq!(id(&reference), second);
    let time = docker(&[
        "inspect",
        "--format",
        "{{.Metadata.LastTagTime}}",
        &reference,
    ]);
    assert!(!time.starts_with("0001"), "{time}");
    lab.done(&["down"]);
    docker(&["rmi", "-f", &format!("{reference}-first")]);
}

#[test]
fn a_password_may_have_any_characters() {
    let lab = Lab::new("odd");
    let reference = lab.reference();
    lab.stored(&format!(
        r#"{{"auths": {{"HOST": {{"username": "{ODD_USER}", "password": "{ODD_PASSWORD}"}}}}}}"#
    ));
    lab.compose(&format!("build: .\n    image: {reference}"));
    lab.done(&["deploy"]);
    lab.done(&["push"]);
    lab.done(&["down"]);
    docker(&["rmi", "-f", &reference]);
    lab.compose(&format!("image: {reference}"));
    let pulled = lab.done(&["deploy"]);
    assert!(pulled.stderr.contains("✔ pull web"), "{pulled:#?}");
    lab.done(&["down"]);
}

//! What a release says of how it came to be.

use rengine_tests::registry::{Access, Registry};
use rengine_tests::team::{Team, keys};
use rengine_tests::{Outcome, Project, on_podman, plugin};

#[test]
fn a_release_says_how_it_came_to_be() {
    let registry = Registry::start_with(Access::Open);
    let host = &registry.host;
    let team = Team::new();
    let (key, public) = keys(&team, "release");
    let (strange, _) = keys(&team, "strange");
    let file = plugin("harden.wasm").display().to_string();
    let place = format!("{host}/platform/harden");
    let reference = format!("{place}:1.0.0");
    team.done(&["plugin", "push", &file, &reference, "--sign", &key]);
    let project = Project::new("provenance", "made", "");
    let app = &project.app;
    project.write("release.pub", &public);
    let image = format!("{host}/team/{app}");
    project.write(
        "compose.yaml",
        &format!("name: {app}\nservices: {{ web: {{ build: ., image: \"{image}:1\" }} }}\n"),
    );
    project.write(
        "plugins.toml",
        &format!(
            "[plugins.harden]\nsource = \"oci://{reference}\"\n[trust]\nkeys = [\"release.pub\"]\n"
        ),
    );
    let run = |args: &[&str]| {
        let mut command = project.command(args);
        team.at_home(&mut command);
        command.current_dir(project.path());
        Outcome::from(command.output().expect("rengine runs"))
    };
    let done = |args: &[&str]| {
        let outcome = run(args);
        assert_eq!(outcome.code, 0, "{args:?}: {outcome:#?}");
        outcome
    };
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&done(args).stdout).expect("JSON")
    };
    let deployed = done(&["deploy"]);
    let quiet = !deployed.stderr.contains("nobody's signature");
    assert!(quiet, "there is a [trust]: {deployed:#?}");

    // The record has what took part, by whose word.
    let record = json(&["show", "--json"]);
    let artifact = &record["plugins"][0]["artifact"];
    assert_eq!(artifact["repository"], place.as_str());
    assert_eq!(artifact["version"], "1.0.0");
    let info = team.done(&["plugin", "info", &reference, "--json"]);
    let info: serde_json::Value = serde_json::from_str(&info.stdout).expect("JSON");
    assert_eq!(artifact["digest"], info["digest"]);
    let signer = &artifact["signers"][0];
    assert_eq!(signer["key"], "release.pub");
    let fingerprint = signer["fingerprint"].as_str().expect("text");
    assert_eq!(fingerprint.len(), 64);
    let shown = done(&["show"]).stdout;
    let digest = artifact["digest"].as_str().expect("text");
    for said in [
        &format!("from {reference}@{digest}"),
        fingerprint,
        "release.pub",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }

    // In no registry, the image is what the daemon calls it: by its id, or as Podman would push it.
    let statement = json(&["provenance", "--json"]);
    let id = project.inspect()["Image"]
        .as_str()
        .expect("an id")
        .to_owned();
    let subject = &statement["subject"][0]["digest"]["sha256"];
    let subject = format!("sha256:{}", subject.as_str().expect("text"));
    assert!(subject == id || on_podman(), "{subject} is not {id}");
    let definition = &statement["predicate"]["buildDefinition"];
    let material = &definition["resolvedDependencies"][0];
    assert_eq!(material["uri"], format!("oci://{reference}@{digest}"));
    assert_eq!(material["annotations"]["signers"][0]["sha256"], fingerprint);
    let component = record["plugins"][0]["digest"].as_str().expect("text");
    assert_eq!(material["annotations"]["component"]["sha256"], component);
    let changes = definition["internalParameters"]["changes"].as_array();
    let changes = changes.expect("a list");
    assert!(changes.iter().all(|change| change["plugin"] == "harden") && !changes.is_empty());
    let envelope = json(&["provenance", "--sign", &key]);
    assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
    let fails = |args: &[&str], texts: &[&str]| {
        run(args).failed_with(texts);
    };
    fails(&["provenance", "--sign", "none.key"], &["none.key"]);
    let attach = ["provenance", "--sign", &key, "--attach"];
    fails(&attach, &["no image that release", "rengine push"]);

    // Pushed, it is what the registry calls it, and the statement lies beside it.
    done(&["push"]);
    let one = format!("{image}:1");
    let verify = ["provenance", "--verify", &one, "--key", "release.pub"];
    fails(
        &verify,
        &["no provenance of", "there is none beside it", "--attach"],
    );
    let strangers = ["provenance", "--sign", &strange, "--attach"];
    done(&strangers);
    fails(
        &verify,
        &["none of the 1 beside it is by a key that counts"],
    );
    let attached = done(&attach);
    assert!(
        attached.stdout.contains(&format!("{image}@sha256:")),
        "{attached:#?}"
    );
    let again = done(&attach);
    assert!(again.stdout.contains("was there already"), "{again:#?}");
    let verified = done(&verify);
    assert!(verified.stderr.contains("release.pub"), "{verified:#?}");
    let statement: serde_json::Value = serde_json::from_str(&verified.stdout).expect("one");
    let subject = &statement["subject"][0];
    assert_eq!(subject["name"], image.as_str());
    let sha256 = subject["digest"]["sha256"].as_str().expect("text");
    let tags = registry.data().join("docker/registry/v2/repositories/team");
    let tags = tags.join(app).join("_manifests/tags");
    let pushed = || std::fs::read_to_string(tags.join("1/current/link")).expect("a link");
    assert_eq!(pushed(), format!("sha256:{sha256}"));
    let parameters = &statement["predicate"]["buildDefinition"]["externalParameters"];
    assert_eq!(parameters["release"], record["release"]);

    // Under the digest of another image, as only a registry can put it there.
    project.write("index.html", "another page");
    done(&["deploy"]);
    done(&["push"]);
    fails(&verify, &["there is none beside it"]);
    done(&strangers);
    let link = |digest: &str| tags.join(format!("sha256-{digest}.att/current/link"));
    let other = pushed();
    let other = other.trim_start_matches("sha256:");
    std::fs::copy(link(sha256), link(other)).expect("copied");
    fails(&verify, &["what release.pub signed is about other images"]);
    done(&["down"]);
    project.docker(&["rmi", "-f", &one]);
}

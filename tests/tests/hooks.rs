//! Every hook in a real deploy: when each is called, what it is handed, and what its refusal does.

use rengine_tests::{Outcome, Project, docker, plugin};

/// A project with the plugin that has every hook.
struct Hooked(Project);

impl Hooked {
    fn new(name: &str) -> Self {
        Self(Project::new(name, "hello", ""))
    }

    /// Deploys with these settings of the plugin, and what else stands in its table.
    fn deploy(&self, config: &str, rest: &str) -> Outcome {
        let path = plugin("every_hook.wasm");
        self.0.configure(&format!(
            "stop-timeout = \"1s\"\n[plugins.all]\npath = \"{}\"\nconfig = {{ {config} }}\n{rest}",
            path.display()
        ));
        self.0.rengine(&["deploy", "-v"])
    }
}

/// What the plugin logged, in order.
fn told(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.stderr.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix("all "))
        .filter_map(|line| line.split_once(": "))
        .map(|(_, text)| text)
        .collect()
}

fn says(outcome: &Outcome, part: &str) {
    assert!(outcome.stderr.contains(part), "{part}: {outcome:#?}");
}

#[test]
fn all_are_called_in_order_and_told_what_they_are_for() {
    let project = Hooked::new("hooks");
    let app = &project.0.app;
    // plugins.toml is no part of the image, so changing it builds nothing.
    project.0.write(".dockerignore", "plugins.toml\n");
    let tag = format!("{app}-web:approved");
    let first = project.deploy(
        &format!("add-service = \"rengine/busybox:local\", tag = \"{tag}\""),
        "",
    );
    assert_eq!(first.code, 0, "{first:#?}");
    let lines = told(&first);
    let mut hooks: Vec<_> = lines
        .iter()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    // The two services come up at the same time.
    hooks[4..7].sort_unstable();
    let expected = [
        format!("configure {app}"),
        "pre-build web".into(),
        "pre-run web".into(),
        "pre-run side".into(),
        "post-build web".into(),
        "post-run side".into(),
        "post-run web".into(),
        format!("post-deploy {app}"),
    ];
    assert_eq!(hooks, expected, "{first:#?}");
    for part in [
        "has web",
        "web configured true",
        "side configured false",
        "layers 3 history",
        "command [\"httpd\"",
        "web processes 1 memory true of",
        "Outcome::Succeeded steps [",
        "post-run route commit commit] changes 6",
        "running [web side]",
        "all: side service (none) → \"added\"",
        "all: web labels.test.configured",
    ] {
        says(&first, part);
    }
    assert_eq!(project.0.containers().len(), 2);
    assert_ne!(docker(&["images", "-q", &tag]), "");

    // Nothing changed: only what the whole app is asked and told, and what may change it.
    let again = project.deploy(
        &format!("add-service = \"rengine/busybox:local\", tag = \"{tag}\""),
        "",
    );
    assert_eq!(again.code, 0, "{again:#?}");
    says(&again, "NothingToDo steps []");

    let changed = project.deploy(
        "add-service = \"rengine/busybox:local\"",
        "[app.env]\nA = \"1\"",
    );
    assert_eq!(changed.code, 0, "{changed:#?}");
    says(&changed, "pre-stop web running true");
    let down = project.0.rengine(&["down"]);
    assert_eq!(down.code, 0, "{down:#?}");
    says(&down, "pre-stop web running true");
    says(&down, "pre-stop side running true");
    assert!(project.0.containers().is_empty());
}

#[test]
fn configure_adds_networks_and_takes_services_away() {
    let project = Hooked::new("networks");
    let app = project.0.app.clone();
    project.0.write(".dockerignore", "plugins.toml\n");
    let side = "add-service = \"rengine/busybox:local\"";
    let first = project.deploy(&format!("{side}, add-network = \"back\""), "");
    assert_eq!(first.code, 0, "{first:#?}");
    says(&first, "configure has networks back and 0 volumes");
    let inspected = docker(&["network", "inspect", &format!("{app}_back")]);
    for part in [
        "\"test.added\": \"yes\"",
        "\"Internal\": false",
        &format!("{app}-side"),
        &format!("{app}-web"),
    ] {
        assert!(inspected.contains(part), "{part}: {inspected}");
    }
    let pinged = project
        .0
        .rengine(&["exec", "-T", "web", "wget", "-qO-", "http://web-alias:8080"]);
    assert_eq!(pinged.code, 0, "{pinged:#?}");
    let again = project.deploy(&format!("{side}, add-network = \"back\""), "");
    says(&again, "NothingToDo steps []");

    // A plugin that takes away what it added leaves what was there.
    let without = project.deploy(&format!("{side}, remove-service = \"side\""), "");
    assert_eq!(without.code, 0, "{without:#?}");
    let refused = project.deploy("remove-service = \"none\"", "");
    assert_eq!(refused.code, 3, "{refused:#?}");
    // Nor does it get rid of what is denied to a service by making the service anew.
    let replaced = "replace-service = [\"web\", \"rengine/busybox:local\"]";
    let refused = project.deploy(replaced, "");
    assert_eq!(refused.code, 3, "{refused:#?}");
    says(&refused, "service `web` was removed in this call");
    assert_eq!(project.0.rengine(&["down"]).code, 0);
}

#[test]
fn a_refusal_ends_the_deploy_as_the_hook_says() {
    let project = Hooked::new("refuse");
    project.0.write(".dockerignore", "plugins.toml\n");
    assert_eq!(project.deploy("", "").code, 0);
    let old = project.0.containers();
    for hook in [
        "configure",
        "pre-build",
        "pre-run",
        "post-build",
        "post-run",
    ] {
        project.0.write("index.html", hook);
        let refused = project.deploy(&format!("refuse = \"{hook}\""), "");
        assert_eq!(refused.code, 3, "{refused:#?}");
        says(&refused, &format!("{hook} says no"));
        says(&refused, "help: leave out `refuse`");
        says(&refused, "post-deploy");
        assert_eq!(project.0.containers(), old, "{hook}");
        assert!(
            project.0.get().expect("an answer").contains("hello"),
            "{hook}"
        );
    }
    says(&project.deploy("refuse = \"post-run\"", ""), "RolledBack");

    // Without a build of its own: the refused image is there, and is refused again.
    let refused = project.deploy("refuse = \"post-build\"", "");
    assert_eq!(refused.code, 3, "{refused:#?}");
    assert!(!refused.stderr.contains("✔ build"), "{refused:#?}");
    assert_eq!(project.0.containers(), old);

    // These warn, and so does any other where plugins.toml says so.
    for (hook, rest) in [
        ("pre-stop", ""),
        ("post-deploy", ""),
        ("post-run", "on-error = \"warn\""),
        ("configure", "on-error = \"warn\""),
    ] {
        project.0.write("index.html", &format!("after {hook}"));
        let warned = project.deploy(&format!("refuse = \"{hook}\""), rest);
        assert_eq!(warned.code, 0, "{warned:#?}");
        says(&warned, "warning:");
        says(&warned, &format!("{hook} says no"));
        let page = project.0.get().expect("an answer");
        assert!(page.contains(&format!("after {hook}")), "{page}");
    }
}

#[test]
fn a_name_that_belongs_to_another_image_is_refused() {
    let project = Hooked::new("steal");
    let refused = project.deploy("tag = \"rengine/busybox:local\"", "");
    assert_eq!(refused.code, 3, "{refused:#?}");
    says(
        &refused,
        "is the name of an image that is not this service's",
    );
    assert!(project.0.containers().is_empty());
}

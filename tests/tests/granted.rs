//! Grants in a real deploy: secrets that are not to be seen, state that is kept in the daemon, and
//! commands in the new container.

use rengine_tests::{Outcome, Project, docker, plugin};

const SECRET: &str = "hunter2-and-more";

/// A project with the plugin that does what its settings say.
struct Probed(Project);

impl Probed {
    fn new(name: &str) -> Self {
        let project = Project::new(name, "hello", "");
        // plugins.toml is no part of the image, so changing it builds nothing.
        project.write(".dockerignore", "plugins.toml\n");
        Self(project)
    }

    /// Runs `rengine` with these steps of the plugin's.
    fn run(&self, command: &[&str], steps: &str) -> Outcome {
        self.run_with_secret(command, steps, SECRET)
    }

    fn run_with_secret(&self, command: &[&str], steps: &str, secret: &str) -> Outcome {
        let path = plugin("probe.wasm");
        self.0.configure(&format!(
            "stop-timeout = \"1s\"\n[plugins.probe]\npath = \"{}\"\n\
             config = {{ steps = [{steps}] }}\n[plugins.probe.grants]\nexec = true\nstate = true\n\
             http = [\"hooks.example.com\"]\nsecrets = [\"PROBE_TOKEN\"]\n",
            path.display()
        ));
        let mut command = self.0.command(command);
        command.env("PROBE_TOKEN", secret);
        Outcome::from(command.output().expect("rengine runs"))
    }

    /// The volumes in which the plugin's state is.
    fn state(&self) -> Vec<String> {
        let app = format!("label=dev.rengine.app={}", self.0.app);
        let filters = [
            "--filter",
            &app,
            "--filter",
            "label=dev.rengine.state=probe",
        ];
        let volumes = docker(&[&["volume", "ls", "-q"][..], &filters].concat());
        // Podman lists those that have one of the labels.
        let own = format!("{}_rengine-state-probe-", self.0.app);
        let volumes = volumes.lines().filter(|name| name.starts_with(&own));
        volumes.map(str::to_owned).collect()
    }
}

impl Drop for Probed {
    fn drop(&mut self) {
        // A container of the app may hold none of them: they are mounted nowhere.
        for volume in self.state() {
            docker(&["volume", "rm", &volume]);
        }
    }
}

fn hides(outcome: &Outcome) {
    for text in [&outcome.stdout, &outcome.stderr] {
        assert!(!text.contains(SECRET), "{text}");
    }
}

fn says(outcome: &Outcome, part: &str) {
    let text = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(text.contains(part), "{part}: {text}");
}

#[test]
fn a_secret_reaches_the_container_and_nobody_else() {
    let project = Probed::new("secret");
    let steps = "[\"env-secret\", \"TOKEN\", \"PROBE_TOKEN\"], [\"secret\", \"PROBE_TOKEN\"]";
    for command in [&["plan", "-v"][..], &["plan", "--json"]] {
        let plan = project.run(command, steps);
        assert_eq!(plan.code, 0, "{plan:?}");
        hides(&plan);
        says(&plan, "***");
    }
    let command =
        "stop-timeout = \"1s\"\ncommand = \"sh -c 'echo said $TOKEN; httpd -f -p 8080 -h /www'\"";
    project.0.configure(command);
    let first = project.run(&["deploy", "--json"], steps);
    assert_eq!(first.code, 0, "{first:?}");
    hides(&first);
    says(&first, "\"new\":\"***\"");
    let container = project.0.inspect();
    let env = container["Config"]["Env"].to_string();
    assert!(env.contains(&format!("TOKEN={SECRET}")), "{env}");
    let labels = container["Config"]["Labels"].to_string();
    assert!(!labels.contains(SECRET), "{labels}");
    assert!(labels.contains("*** (sha256:"), "{labels}");

    let again = project.run(&["deploy"], steps);
    says(&again, "nothing to do");
    let other = project.run_with_secret(&["plan"], steps, "another-secret");
    says(&other, "env.TOKEN");
    assert!(!other.stdout.contains("another-secret"), "{other:?}");
}

#[test]
fn what_a_builder_and_a_container_print_has_no_secret() {
    let project = Probed::new("secret-output");
    project.0.write(
        "Dockerfile",
        &format!("FROM rengine/busybox:local\nRUN echo built with {SECRET}; exit 9\n"),
    );
    let built = project.run(&["deploy", "-v"], "");
    assert_eq!(built.code, 1, "{built:?}");
    hides(&built);
    says(&built, "built with ***");

    project.0.write(
        "Dockerfile",
        "FROM rengine/busybox:local\nCMD [\"sh\", \"-c\", \"echo said $TOKEN; exit 9\"]\n",
    );
    let steps = "[\"env-secret\", \"TOKEN\", \"PROBE_TOKEN\"]";
    for command in [&["deploy"][..], &["deploy", "--json"]] {
        let ran = project.run(command, steps);
        assert_eq!(ran.code, 1, "{ran:?}");
        hides(&ran);
        says(&ran, "said ***");
    }
}

#[test]
fn a_secret_without_a_value_is_told_before_anything_runs() {
    let project = Probed::new("no-secret");
    let path = plugin("probe.wasm");
    project.0.configure(&format!(
        "[plugins.probe]\npath = \"{}\"\ngrants = {{ secrets = [\"NO_SUCH_TOKEN\"] }}\n",
        path.display()
    ));
    let failed = project.0.rengine(&["deploy"]);
    assert_eq!(failed.code, 2, "{failed:?}");
    says(
        &failed,
        "the secret `NO_SUCH_TOKEN`, which plugin `probe` may read, has no value",
    );
    assert!(project.0.containers().is_empty());
    let status = project.0.rengine(&["status"]);
    assert_eq!(
        status.code, 0,
        "to look at it no secret is needed: {status:?}"
    );
}

#[test]
fn what_is_not_granted_is_told_before_anything_runs() {
    let project = Probed::new("no-grant");
    let path = plugin("probe.wasm");
    project
        .0
        .configure(&format!("[plugins.probe]\npath = \"{}\"\n", path.display()));
    let failed = project.0.rengine(&["deploy"]);
    assert_eq!(failed.code, 2, "{failed:?}");
    for part in [
        "which are not granted",
        "exec = true",
        "state = true",
        "[plugins.probe]",
    ] {
        says(&failed, part);
    }
    assert!(project.0.containers().is_empty());
    let inspected = project
        .0
        .rengine(&["plugin", "inspect", &path.display().to_string()]);
    says(&inspected, "it needs, by the interfaces it imports:");
    says(&inspected, "exec = true");
}

#[test]
fn state_is_kept_in_the_daemon_and_planning_keeps_none() {
    let project = Probed::new("state");
    let plan = project.run(&["plan"], "[\"set\", \"a\", \"1\"]");
    assert_eq!(plan.code, 0, "{plan:?}");
    assert_eq!(project.state(), Vec::<String>::new());

    let first = project.run(
        &["deploy"],
        "[\"set\", \"a\", \"1\"], [\"fill\", \"b\", \"60000\"]",
    );
    assert_eq!(first.code, 0, "{first:?}");
    let volumes = project.state();
    assert_eq!(volumes.len(), 1, "{volumes:?}");

    let second = project.run(&["deploy"], "[\"get\", \"a\"], [\"set\", \"a\", \"2\"]");
    says(&second, "ok: 1");
    says(&second, "nothing to do");
    assert_eq!(project.state().len(), 1, "the old one is removed");
    assert_ne!(project.state(), volumes);

    let down = project.run(&["down"], "");
    assert_eq!(down.code, 0, "{down:?}");
    let third = project.run(
        &["deploy"],
        "[\"get\", \"a\"], [\"delete\", \"a\"], [\"delete\", \"b\"]",
    );
    says(&third, "ok: 2");
    assert_eq!(
        project.state(),
        Vec::<String>::new(),
        "nothing is kept as nothing"
    );
}

#[test]
fn commands_run_in_the_new_container() {
    let project = Probed::new("exec");
    let deployed = project.run(
        &["deploy"],
        "[\"exec\", \"cat\", \"/www/index.html\"], [\"exec\", \"sh\", \"-c\", \"exit 7\"], \
         [\"exec\", \"/no/such\"], [\"exec-within\", \"300\", \"sleep\", \"5\"]",
    );
    assert_eq!(deployed.code, 0, "{deployed:?}");
    says(&deployed, "ok: 0 hello");
    says(&deployed, "ok: 7");
    says(&deployed, "300ms");
}

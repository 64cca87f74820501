//! Plugins in every language, each built from its source in `examples/plugins` with its own
//! toolchain, at work in real deploys.

use rengine_tests::{Outcome, Project, example};

const EXAMPLES: [&str; 6] = [
    "dockerfile-lint",
    "env-defaults",
    "image-policy",
    "port-guard",
    "size-classes",
    "smoke-test",
];

/// A project whose only plugin is an example.
struct App {
    project: Project,
    name: &'static str,
}

impl App {
    fn new(name: &'static str, page: &str) -> Self {
        let project = Project::new(name, page, "");
        Self { project, name }
    }

    /// Writes plugins.toml: `app` goes to the end of `[app]`, `config` are the plugin's settings.
    fn configure(&self, app: &str, config: &str) {
        let path = example(self.name);
        let table = format!(
            "[plugins.{}]\npath = \"{}\"\nconfig = {{ {config} }}",
            self.name,
            path.display()
        );
        self.project.configure(&format!("{app}\n{table}"));
    }

    fn deploy(&self) -> Outcome {
        self.project.rengine(&["deploy"])
    }

    #[track_caller]
    fn deployed(&self) -> Outcome {
        let outcome = self.deploy();
        assert_eq!(outcome.code, 0, "{outcome:#?}");
        outcome
    }

    /// Deploys, and is refused by the plugin in this hook; nothing that runs is touched.
    #[track_caller]
    fn refused(&self, hook: &str, parts: &[&str]) {
        let before = self.project.containers();
        let outcome = self.deploy();
        assert_eq!(outcome.code, 3, "{outcome:#?}");
        let by = format!("plugin `{}` refused in {hook} of service `web`", self.name);
        // Where lines are broken is not what is looked at.
        let said = outcome.stderr.split_whitespace().collect::<Vec<_>>();
        let said = said.join(" ");
        for part in [&[by.as_str()], parts].concat() {
            assert!(said.contains(part), "{part}: {outcome:#?}");
        }
        assert_eq!(self.project.containers(), before, "nothing was touched");
    }

    /// The value of a variable in the app's only container.
    fn variable(&self, name: &str) -> Option<String> {
        let container = self.project.inspect();
        let env = container["Config"]["Env"].as_array().expect("a list");
        let mut env = env.iter().filter_map(|entry| entry.as_str());
        env.find_map(|entry| entry.strip_prefix(&format!("{name}=")).map(str::to_owned))
    }
}

#[test]
fn python_lints_the_dockerfile() {
    let app = App::new("dockerfile-lint", "hello");
    app.configure("", "");
    let deployed = app.deployed();
    let warning = "Dockerfile:1: the container runs as root [root-user]";
    assert!(deployed.stderr.contains(warning), "{deployed:#?}");

    let dockerfile = "FROM rengine/busybox:local\nENV API_TOKEN=abc\nCOPY index.html /www/\n\
         CMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n";
    app.project.write("Dockerfile", dockerfile);
    app.refused(
        "pre-build",
        &[
            "Dockerfile:2: API_TOKEN can be read in the image [secret-in-image]",
            "help: take API_TOKEN out",
        ],
    );
    app.configure("", "secret-in-image = \"warn\", root-user = \"off\"");
    let deployed = app.deployed();
    assert!(
        deployed.stderr.contains("[secret-in-image]"),
        "{deployed:#?}"
    );
    assert!(!deployed.stderr.contains("[root-user]"), "{deployed:#?}");
}

#[test]
fn javascript_fills_in_the_environment() {
    let app = App::new("env-defaults", "hello");
    let config = "environment = \"staging\", common = { REGION = \"eu\", LOG_LEVEL = \"info\" }, \
         environments = { staging = { LOG_LEVEL = \"debug\" } }, required = [\"REGION\"]";
    app.configure("env = { REGION = \"us\" }", config);
    let plan = app.project.rengine(&["plan"]);
    assert!(plan.stdout.contains("env-defaults"), "{plan:#?}");
    app.deployed();
    assert_eq!(app.variable("REGION").as_deref(), Some("us"));
    assert_eq!(app.variable("LOG_LEVEL").as_deref(), Some("debug"));

    app.configure("", &config.replace("[\"REGION\"]", "[\"DATABASE_URL\"]"));
    app.refused(
        "pre-run",
        &[
            "web needs DATABASE_URL in its environment",
            "help: set DATABASE_URL under [app.env] in plugins.toml",
        ],
    );
}

#[test]
fn typescript_tries_the_new_release_before_the_old_one_goes() {
    let app = App::new("smoke-test", "{\"status\": \"ok\", \"db\": {\"up\": true}}");
    let config = "checks = [{ path = \"/\", json = { db = { up = true } } }, \
         { path = \"/none\", status = 404 }]";
    app.configure("", config);
    let deployed = app.deployed();
    assert!(deployed.stderr.contains("2 checks passed"), "{deployed:#?}");
    let good = app.project.containers();

    app.project.write("index.html", "{\"db\": {\"up\": false}}");
    let failed = app.deploy();
    assert_ne!(failed.code, 0, "{failed:#?}");
    for part in ["smoke-test", "$.db.up is false, not true"] {
        assert!(failed.stderr.contains(part), "{part}: {failed:#?}");
    }
    assert_eq!(app.project.containers(), good);
    let answer = app.project.get().expect("the old one answers");
    assert!(answer.contains("\"ok\""), "{answer}");
}

#[test]
fn rust_says_where_images_come_from() {
    let app = App::new("image-policy", "hello");
    app.configure("", "allow = [\"registry.example.com/*\"]");
    app.refused(
        "pre-build",
        &[
            "Dockerfile:1: `rengine/busybox:local` comes from where no image may come from",
            "help: take one of registry.example.com/*",
        ],
    );
    app.configure("", "allow = [\"docker.io/rengine/*\"]");
    app.deployed();
}

#[test]
fn c_guards_the_ports_of_the_host() {
    let app = App::new("port-guard", "hello");
    app.configure("", "");
    app.deployed();
    let text = std::fs::read_to_string(app.project.path().join("plugins.toml")).expect("a file");
    let published = format!("{}:8080", app.project.port);
    app.project
        .write("plugins.toml", &text.replace(&published, "443:8080"));
    app.refused(
        "pre-run",
        &[
            "web publishes port 443, one of the system's own",
            "help: publish it above 1023",
        ],
    );
}

#[test]
fn go_gives_a_size_to_containers() {
    let app = App::new("size-classes", "hello");
    app.configure("labels = { size = \"medium\" }\nmemory = \"64MiB\"", "");
    app.deployed();
    let container = app.project.inspect();
    let host = &container["HostConfig"];
    assert_eq!(host["Memory"], 64 << 20, "what the service sets stays");
    assert_eq!(host["NanoCpus"], 1_000_000_000);
    assert_eq!(host["PidsLimit"], 256);

    app.configure("labels = { size = \"huge\" }", "");
    app.refused(
        "pre-run",
        &[
            "`huge`",
            "help: set the label `size` to one of large, medium, small",
        ],
    );
}

#[test]
fn each_is_compiled_once_and_loaded_from_the_cache_after() {
    let project = Project::new("warm", "hello", "");
    let config = |name: &str| match name {
        "env-defaults" => "environments = { production = {} }",
        "image-policy" => "allow = [\"*\"]",
        _ => "",
    };
    let tables = EXAMPLES.map(|name| {
        let path = example(name);
        let config = config(name);
        format!(
            "[plugins.{name}]\npath = \"{}\"\nconfig = {{ {config} }}\n",
            path.display()
        )
    });
    project.configure(&tables.concat());
    let cache = tempfile::tempdir().expect("a folder");
    let plan = || {
        let mut command = project.command(&["plan"]);
        command.env("XDG_CACHE_HOME", cache.path());
        let outcome = Outcome::from(command.output().expect("rengine runs"));
        assert_eq!(outcome.code, 0, "{outcome:#?}");
        outcome
    };
    let cold = plan();
    assert!(cold.stderr.contains("compiled"), "{cold:#?}");
    let warm = plan();
    assert!(!warm.stderr.contains("compiled"), "{warm:#?}");
}

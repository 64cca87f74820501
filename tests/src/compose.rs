//! Compose apps in folders of their own.

use crate::{Outcome, Project, docker};

/// A folder with a Compose file, which has its own name for the app.
pub struct App(pub Project);

impl App {
    /// A folder that has a Dockerfile, too; `PORT` in the file is the project's.
    pub fn new(name: &str, compose: &str) -> Self {
        let app = Self(Project::new(name, "hello", ""));
        std::fs::remove_file(app.0.path().join("plugins.toml")).expect("it was there");
        app.write(compose);
        app
    }

    /// Writes the Compose file.
    pub fn write(&self, compose: &str) {
        let text = format!("name: {}\n{compose}", self.0.app);
        self.0.write(
            "compose.yaml",
            &text.replace("PORT:", &format!("{}:", self.0.port)),
        );
    }

    /// Runs `rengine`, which succeeds.
    #[track_caller]
    pub fn done(&self, args: &[&str]) -> Outcome {
        let outcome = self.0.rengine(args);
        assert_eq!(outcome.code, 0, "{args:?}: {outcome:#?}");
        outcome
    }

    /// Deploys with the builder that is not BuildKit.
    pub fn deploy_classic(&self) -> Outcome {
        let mut command = self.0.command(&["deploy"]);
        let output = command.env("DOCKER_BUILDKIT", "0").output();
        Outcome::from(output.expect("rengine runs"))
    }

    /// Deploys it.
    #[track_caller]
    pub fn deployed(&self) -> Outcome {
        self.done(&["deploy"])
    }

    /// The only container of a service, as the daemon knows it.
    pub fn inspect(&self, service: &str) -> serde_json::Value {
        let filters = [
            format!("label=com.docker.compose.project={}", self.0.app),
            format!("label=com.docker.compose.service={service}"),
        ];
        let ids = docker(&[
            "ps",
            "-aq",
            "--filter",
            &filters[0],
            "--filter",
            &filters[1],
        ]);
        let ids: Vec<_> = ids.lines().collect();
        assert_eq!(ids.len(), 1, "{service}: {ids:?}");
        let text = docker(&["inspect", ids[0]]);
        let mut list: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
        list.remove(0)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.0.rengine(&["down"]);
    }
}

//! A team that shares plugins with others.

use std::path::Path;
use std::process::Command;

use crate::registry::Registry;
use crate::{Outcome, plugin, rengine};

/// A folder of one team, with a cache of its own, as on a machine of its own.
pub struct Team {
    folder: tempfile::TempDir,
}

impl Default for Team {
    fn default() -> Self {
        Self::new()
    }
}

impl Team {
    /// A folder with a Dockerfile.
    pub fn new() -> Self {
        let team = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        team.write("Dockerfile", "FROM rengine/busybox:local\n");
        team
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("a file");
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect(name)
    }

    /// `rengine` in the folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(rengine());
        command.args(args);
        self.at_home(&mut command);
        command
    }

    /// Runs a command as this team.
    pub fn at_home(&self, command: &mut Command) {
        command
            .current_dir(self.path())
            .env("XDG_CACHE_HOME", self.path().join("cache"))
            .env("DOCKER_CONFIG", self.path().join("docker"));
    }

    /// Runs `rengine`.
    pub fn rengine(&self, args: &[&str]) -> Outcome {
        Outcome::from(self.command(args).output().expect("rengine runs"))
    }

    /// The same, and it has to end well.
    #[track_caller]
    pub fn done(&self, args: &[&str]) -> Outcome {
        let outcome = self.rengine(args);
        assert_eq!(outcome.code, 0, "{args:?}: {outcome:#?}");
        outcome
    }

    /// The same, and it has to fail with these texts.
    #[track_caller]
    pub fn fails(&self, args: &[&str], texts: &[&str]) -> Outcome {
        self.rengine(args).failed_with(texts)
    }

    /// Files of the store, whole ones.
    pub fn stored(&self) -> Vec<std::path::PathBuf> {
        let folder = self.path().join("cache/rengine/store/blobs/sha256");
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths
    }
}

/// Publishes a plugin of this repository, and says where.
pub fn publish(registry: &Registry, file: &str, place: &str) -> String {
    let team = Team::new();
    let reference = format!("{}/{place}", registry.host);
    let path = plugin(file).display().to_string();
    team.done(&["plugin", "push", &path, &reference]);
    reference
}

/// A key pair of a team: the private one's path, and the text of the public one.
pub fn keys(team: &Team, name: &str) -> (String, String) {
    team.done(&["plugin", "keygen", name]);
    let path = team.path().join(format!("{name}.key"));
    (
        path.display().to_string(),
        team.read(&format!("{name}.pub")),
    )
}

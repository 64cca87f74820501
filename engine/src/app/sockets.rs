//! Where daemons have their sockets: where they are looked for, and what nobody mounts without a grant.

use std::path::{Path, PathBuf};

/// The sockets of daemons on this machine, in the order in which they are looked for: Docker's, then Podman's, each
/// of the system and of this user. `env` gives variables that are set and not empty.
pub fn usual_sockets(env: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let runtime = env("XDG_RUNTIME_DIR").unwrap_or_else(|| format!("/run/user/{user}"));
    let runtime = Path::new(&runtime);
    let home = env("HOME").map(|home| Path::new(&home).join(".docker/run/docker.sock"));
    [
        Some(PathBuf::from("/var/run/docker.sock")),
        Some(runtime.join("docker.sock")),
        home,
        Some(runtime.join("podman/podman.sock")),
        Some(PathBuf::from("/run/podman/podman.sock")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_sockets_are_dockers_and_then_podmans() {
        let env = |name: &str| match name {
            "XDG_RUNTIME_DIR" => Some("/run/user/7".to_owned()),
            "HOME" => Some("/home/u".to_owned()),
            _ => None,
        };
        let sockets = usual_sockets(&env);
        let sockets: Vec<_> = sockets
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(
            sockets,
            [
                "/var/run/docker.sock",
                "/run/user/7/docker.sock",
                "/home/u/.docker/run/docker.sock",
                "/run/user/7/podman/podman.sock",
                "/run/podman/podman.sock",
            ]
        );
    }
}

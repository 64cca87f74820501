//! What a plugin may do beyond its sandbox. Deny by default.

mod address;
mod http;
mod listed;
mod variable;

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::LazyLock;

use thiserror::Error;

pub use address::Special;
pub use http::{Host, HttpGrants, Origin, ParseOriginError, Scheme};
pub use variable::{ParseVariableError, Variable};

use crate::app::usual_sockets;

/// The grants of one plugin, as plugins.toml gives them. The default grants nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Grants {
    /// Full access to the host.
    privileged: bool,
    /// Capabilities that it may add, such as `NET_ADMIN`.
    cap_add: BTreeSet<String>,
    /// Devices of the host.
    devices: BTreeSet<String>,
    /// Folders of the host that it may mount, with all that is in them.
    bind_mounts: BTreeSet<String>,
    /// Namespaces that it may share with the host or another container.
    host_namespaces: BTreeSet<Namespace>,
    /// Security options, such as another seccomp profile or none.
    security_options: bool,
    /// The daemon's own socket, which is the host.
    docker_socket: bool,
    /// The files of the build context.
    context: Option<ContextGrant>,
    /// The hosts that it may send HTTP requests to.
    http: HttpGrants,
    /// Commands in the service's containers.
    exec: bool,
    /// The secrets that it may read, by name.
    secrets: BTreeSet<Variable>,
    /// The environment variables of rengine's that it sees.
    env: BTreeSet<Variable>,
    /// Values that are kept for it between deploys.
    state: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Namespace {
    Network,
    Pid,
    Ipc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ContextGrant {
    Read,
}

/// A grant that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} is not granted: add `grants = {{ {grant} }}` under the plugin in plugins.toml")]
pub struct Denied {
    /// What was asked for.
    pub what: String,
    /// The grant, as plugins.toml writes it: `exec = true`.
    pub grant: String,
}

fn granted(yes: bool, what: impl Into<String>, grant: impl AsRef<str>) -> Result<(), Denied> {
    if yes {
        return Ok(());
    }
    Err(Denied {
        what: what.into(),
        grant: grant.as_ref().to_owned(),
    })
}

impl Grants {
    /// May it mount this path of the host? A granted folder covers what is in it; the daemon's
    /// socket, and any folder that it is in, needs `docker-socket` as well.
    pub fn allows_bind(&self, path: &str, _read_only: bool) -> Result<(), Denied> {
        let path = normal(path);
        let covered = self
            .bind_mounts
            .iter()
            .any(|folder| below(&path, &normal(folder)));
        let what = format!("mounting /{}", path.join("/"));
        granted(
            covered,
            &what,
            format!("bind-mounts = [\"/{}\"]", path.join("/")),
        )?;
        let socket = has_one(&path, &SOCKETS);
        let what = format!("{what}, which has the daemon's socket in it,");
        granted(!socket || self.docker_socket, what, "docker-socket = true")
    }

    /// May it add this capability? `name` is in upper case, without `CAP_`.
    pub fn allows_cap(&self, name: &str) -> Result<(), Denied> {
        let plain = |text: &String| text.trim_start_matches("CAP_").eq_ignore_ascii_case(name);
        granted(
            self.cap_add.iter().any(plain),
            format!("the capability {name}"),
            format!("cap-add = [\"{name}\"]"),
        )
    }

    /// May it use this device?
    pub fn allows_device(&self, path: &str) -> Result<(), Denied> {
        let same = |device: &String| normal(device) == normal(path);
        granted(
            self.devices.iter().any(same),
            format!("the device {path}"),
            format!("devices = [\"{path}\"]"),
        )
    }

    /// May it share this namespace, one of `network`, `pid` and `ipc`?
    pub fn allows_namespace(&self, kind: &str) -> Result<(), Denied> {
        let known = match kind {
            "network" => Some(Namespace::Network),
            "pid" => Some(Namespace::Pid),
            "ipc" => Some(Namespace::Ipc),
            _ => None,
        };
        granted(
            known.is_some_and(|kind| self.host_namespaces.contains(&kind)),
            format!("sharing the {kind} namespace"),
            format!("host-namespaces = [\"{kind}\"]"),
        )
    }

    /// May it make the container privileged?
    pub fn allows_privileged(&self) -> Result<(), Denied> {
        granted(
            self.privileged,
            "a privileged container",
            "privileged = true",
        )
    }

    /// May it add this security option?
    pub fn allows_security_option(&self, option: &str) -> Result<(), Denied> {
        granted(
            self.security_options,
            format!("the security option {option}"),
            "security-options = true",
        )
    }

    /// May it read the files of the build context?
    pub fn reads_context(&self) -> Result<(), Denied> {
        granted(
            self.context == Some(ContextGrant::Read),
            "reading the build context",
            "context = \"read\"",
        )
    }

    /// The hosts that it may send HTTP requests to.
    pub fn http(&self) -> &HttpGrants {
        &self.http
    }

    /// May it send HTTP requests at all?
    pub fn sends_http(&self) -> Result<(), Denied> {
        granted(
            !self.http.is_empty(),
            "sending HTTP requests",
            "http = [\"HOST\"]",
        )
    }

    /// May it run commands in containers?
    pub fn runs_commands(&self) -> Result<(), Denied> {
        granted(self.exec, "running a command", "exec = true")
    }

    /// The secrets that it may read.
    pub fn secrets(&self) -> impl Iterator<Item = &Variable> {
        self.secrets.iter()
    }

    /// May it read secrets at all?
    pub fn reads_secrets(&self) -> Result<(), Denied> {
        granted(
            !self.secrets.is_empty(),
            "reading secrets",
            "secrets = [\"NAME\"]",
        )
    }

    /// May it read this secret?
    pub fn reads_secret(&self, name: &str) -> Result<(), Denied> {
        let name = name.escape_debug();
        granted(
            self.secrets.contains(name.to_string().as_str()),
            format!("reading the secret `{name}`"),
            format!("secrets = [\"{name}\"]"),
        )
    }

    /// The environment variables that it sees.
    pub fn env(&self) -> impl Iterator<Item = &Variable> {
        self.env.iter()
    }

    /// May it keep values between deploys?
    pub fn keeps_state(&self) -> Result<(), Denied> {
        granted(self.state, "keeping state", "state = true")
    }
}

/// Parses a text within a visitor, so that an error has the place of the text in the file, and
/// not that of the list that it is in.
fn from_text<'de, T, D>(from: D, expected: &'static str) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: serde::Deserializer<'de>,
{
    struct Text<T>(&'static str, PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> serde::de::Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    from.deserialize_str(Text(expected, PhantomData))
}

/// Where daemons have their sockets on this machine.
static SOCKETS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let env = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    sockets(&env)
});

/// Where daemons have their sockets: the usual places, and the one that the environment names. What is in `/run` is
/// in `/var/run`, too.
fn sockets(env: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut sockets: Vec<_> = usual_sockets(env)
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let named = env("DOCKER_HOST");
    sockets.extend(named.and_then(|url| Some(url.strip_prefix("unix://")?.to_owned())));
    sockets.retain(|socket| socket.starts_with('/'));
    let others: Vec<_> = sockets
        .iter()
        .filter_map(|socket| match socket.strip_prefix("/var/run/") {
            Some(rest) => Some(format!("/run/{rest}")),
            None => Some(format!("/var/run/{}", socket.strip_prefix("/run/")?)),
        })
        .collect();
    sockets.extend(others);
    sockets
}

/// True if a path is one of these, or a folder that one is in.
fn has_one(path: &[&str], sockets: &[String]) -> bool {
    sockets.iter().any(|socket| below(&normal(socket), path))
}

/// The parts of an absolute path, with `.` and `..` taken out by their letters: what comes of
/// it can't leave a folder by way of `..`.
fn normal(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts
}

/// True if `path` is `folder` or in it.
fn below(path: &[&str], folder: &[&str]) -> bool {
    path.starts_with(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(text: &str) -> Grants {
        toml::from_str(text).expect("grants")
    }

    #[test]
    fn nothing_is_granted_by_default() {
        let none = Grants::default();
        assert!(none.allows_privileged().is_err());
        assert!(none.allows_cap("NET_ADMIN").is_err());
        assert!(none.allows_device("/dev/fuse").is_err());
        assert!(none.allows_bind("/srv", true).is_err());
        assert!(none.allows_namespace("pid").is_err());
        assert!(none.allows_security_option("seccomp=unconfined").is_err());
        let denied = none.reads_context().expect_err("not granted");
        assert_eq!(denied.grant, "context = \"read\"");
    }

    #[test]
    fn a_folder_covers_what_is_in_it_and_no_more() {
        let grants = grants("bind-mounts = [\"/srv/data\"]");
        for good in [
            "/srv/data",
            "/srv/data/",
            "/srv/data/x",
            "/srv/./data/y/../z",
        ] {
            assert!(grants.allows_bind(good, false).is_ok(), "{good}");
        }
        for bad in [
            "/",
            "/srv",
            "/srv/database",
            "/srv/data/../other",
            "/srv/data/../../etc",
        ] {
            assert!(grants.allows_bind(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_daemons_socket_needs_its_own_grant() {
        let all = grants("bind-mounts = [\"/\"]");
        for path in [
            "/",
            "/var",
            "/var/run",
            "/run/docker.sock",
            "/var/run/docker.sock",
        ] {
            assert!(all.allows_bind(path, true).is_err(), "{path}");
        }
        assert!(all.allows_bind("/srv", true).is_ok());
        let socket = grants("bind-mounts = [\"/run\"]\ndocker-socket = true");
        assert!(socket.allows_bind("/run/docker.sock", false).is_ok());
    }

    #[test]
    fn a_socket_is_where_a_user_has_a_daemon_too() {
        let env = |name: &str| match name {
            "XDG_RUNTIME_DIR" => Some("/run/user/7".to_owned()),
            "HOME" => Some("/home/u".to_owned()),
            "DOCKER_HOST" => Some("unix:///srv/daemon/own.sock".to_owned()),
            _ => None,
        };
        let sockets = sockets(&env);
        for path in [
            "/run/user/7/docker.sock",
            "/var/run/user/7",
            "/home/u/.docker/run/docker.sock",
            "/home/u/.docker",
            "/run/user/7/podman/podman.sock",
            "/run/user/./7/x/../podman",
            "/run/podman/podman.sock",
            "/var/run/podman",
            "/run/docker.sock",
            "/srv/daemon/own.sock",
            "/srv",
        ] {
            assert!(has_one(&normal(path), &sockets), "{path}");
        }
        for path in [
            "/home/u/app",
            "/home/other",
            "/run/user/8",
            "/run/docker",
            "/srv/data",
        ] {
            assert!(!has_one(&normal(path), &sockets), "{path}");
        }
    }
}

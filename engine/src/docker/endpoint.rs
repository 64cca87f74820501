//! Where the daemon is, and how that was found out.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::DockerError;
use super::error::{Unreachable, from_client};

/// Where a daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    address: Address,
    source: EndpointSource,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Unix(PathBuf),
    Tcp {
        host: String,
        port: u16,
        /// The folder with `ca.pem`, `cert.pem` and `key.pem`, where TLS is to be used.
        certificates: Option<PathBuf>,
    },
}

/// What named an [`Endpoint`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointSource {
    /// `--host`, or `docker.host` of plugins.toml.
    Host,
    /// The environment variable `DOCKER_HOST`.
    Environment,
    /// The Docker context of this name.
    Context(String),
    /// It is one of the usual sockets, and is there.
    UsualSocket,
}

impl fmt::Display for EndpointSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("--host"),
            Self::Environment => f.write_str("DOCKER_HOST"),
            Self::Context(name) => write!(f, "the Docker context `{name}`"),
            Self::UsualSocket => f.write_str("the usual sockets"),
        }
    }
}

impl fmt::Display for Endpoint {
    /// As its URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

/// Why no daemon's address could be found out.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum EndpointError {
    /// There is no socket at the usual places.
    #[error("no Docker or Podman found on this machine")]
    #[diagnostic(
        code(rengine::docker::not_found),
        help(
            "start one (`sudo systemctl start docker`), install one (`sudo apt-get install docker.io`), \
             or name one with `--host` or DOCKER_HOST"
        )
    )]
    NotFound {
        /// The sockets that were looked for.
        looked_for: Vec<PathBuf>,
    },
    /// An address that is understood, but not supported.
    #[error("`{url}`: {scheme}:// is not supported yet")]
    #[diagnostic(
        code(rengine::docker::scheme),
        help(
            "forward the remote socket: `ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST`, and use unix:///tmp/docker.sock"
        )
    )]
    Unsupported {
        /// The address.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// Something that is no address.
    #[error("`{url}` is no daemon's address")]
    #[diagnostic(
        code(rengine::docker::address),
        help("write it like unix:///var/run/docker.sock or tcp://host:2375")
    )]
    Malformed {
        /// The text.
        url: String,
    },
    /// The Docker context that is chosen can't be used.
    #[error("the Docker context `{name}` can't be used: {reason}")]
    #[diagnostic(
        code(rengine::docker::context),
        help("`docker context ls` lists those that there are; DOCKER_CONTEXT=default takes none")
    )]
    Context {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Endpoint {
    /// True if it is a socket of this machine.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.address, Address::Unix(_))
    }

    /// Finds the daemon as the `docker` command does: `host_flag`, `DOCKER_HOST`, the Docker
    /// context; and then the first of the usual sockets that exists, Docker's before Podman's.
    ///
    /// `env` gives environment variables.
    pub fn discover(
        host_flag: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, EndpointError> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        if let Some(url) = host_flag {
            return Self::parse(url, EndpointSource::Host, certificates(&set));
        }
        if let Some(url) = set("DOCKER_HOST") {
            return Self::parse(&url, EndpointSource::Environment, certificates(&set));
        }
        let folder = set("DOCKER_CONFIG").map(PathBuf::from);
        let folder = folder.or_else(|| set("HOME").map(|home| Path::new(&home).join(".docker")));
        if let Some(folder) = &folder
            && let Some(name) = set("DOCKER_CONTEXT").or_else(|| current_context(folder))
            && name != "default"
        {
            return Self::from_context(folder, name);
        }
        let sockets = usual_sockets(&set);
        match sockets.iter().find(|path| path.exists()) {
            Some(path) => Ok(Self {
                address: Address::Unix(path.clone()),
                source: EndpointSource::UsualSocket,
            }),
            None => Err(EndpointError::NotFound {
                looked_for: sockets,
            }),
        }
    }

    /// The endpoint of a socket on this machine.
    pub fn socket(path: impl Into<PathBuf>) -> Self {
        Self {
            address: Address::Unix(path.into()),
            source: EndpointSource::Host,
        }
    }

    fn parse(
        url: &str,
        source: EndpointSource,
        certificates: Option<PathBuf>,
    ) -> Result<Self, EndpointError> {
        let malformed = || EndpointError::Malformed {
            url: url.to_owned(),
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(malformed)?;
        let address = match scheme {
            "unix" if rest.starts_with('/') => Address::Unix(rest.into()),
            "tcp" | "http" | "https" => {
                let secure = scheme == "https" || certificates.is_some();
                let rest = rest.trim_end_matches('/');
                let (host, port) = match rest.rsplit_once(':') {
                    // The colons of an IPv6 address are in brackets.
                    Some((host, port)) if !port.ends_with(']') => {
                        (host, port.parse().map_err(|_| malformed())?)
                    }
                    _ => (rest, if secure { 2376 } else { 2375 }),
                };
                if host.is_empty() || host.contains(['/', '@', '?', '#', ' ']) {
                    return Err(malformed());
                }
                Address::Tcp {
                    host: host.to_owned(),
                    port,
                    certificates,
                }
            }
            "ssh" | "npipe" | "fd" => {
                let scheme = scheme.to_owned();
                return Err(EndpointError::Unsupported {
                    url: url.to_owned(),
                    scheme,
                });
            }
            _ => return Err(malformed()),
        };
        Ok(Self { address, source })
    }

    /// Reads a context from where the `docker` command stores it, by the digest of its name.
    fn from_context(folder: &Path, name: String) -> Result<Self, EndpointError> {
        #[derive(Deserialize)]
        struct Meta {
            #[serde(rename = "Endpoints")]
            endpoints: Endpoints,
        }
        #[derive(Deserialize)]
        struct Endpoints {
            docker: DockerEndpoint,
        }
        #[derive(Deserialize)]
        struct DockerEndpoint {
            #[serde(rename = "Host")]
            host: String,
        }

        let error = |reason: String| EndpointError::Context {
            name: name.clone(),
            reason,
        };
        let digest = Sha256::digest(name.as_bytes());
        let id = digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        let path = folder.join("contexts/meta").join(&id).join("meta.json");
        let text = std::fs::read_to_string(&path)
            .map_err(|io| error(format!("can't read {}: {io}", path.display())))?;
        let meta: Meta = serde_json::from_str(&text)
            .map_err(|json| error(format!("{} is not as expected: {json}", path.display())))?;
        let certificates = folder.join("contexts/tls").join(&id).join("docker");
        let certificates = certificates.is_dir().then_some(certificates);
        Self::parse(
            &meta.endpoints.docker.host,
            EndpointSource::Context(name),
            certificates,
        )
    }

    /// What named this endpoint.
    pub fn source(&self) -> &EndpointSource {
        &self.source
    }

    /// The host on which published ports answer, as seen from here.
    pub fn host_address(&self) -> &str {
        match &self.address {
            Address::Unix(_) => "127.0.0.1",
            Address::Tcp { host, .. } => host,
        }
    }

    /// The socket's path, where it is one.
    pub fn socket_path(&self) -> Option<&Path> {
        match &self.address {
            Address::Unix(path) => Some(path),
            Address::Tcp { .. } => None,
        }
    }

    /// A client for this endpoint; connects when it is used.
    pub(super) fn client(&self, timeout: Duration) -> Result<bollard::Docker, DockerError> {
        let version = bollard::API_DEFAULT_VERSION;
        let seconds = timeout.as_secs();
        let client = match &self.address {
            Address::Unix(path) if !path.exists() => {
                return Err(DockerError::unreachable(self, Unreachable::NoSocket));
            }
            Address::Unix(path) => {
                bollard::Docker::connect_with_unix(&path.to_string_lossy(), seconds, version)
            }
            Address::Tcp {
                host,
                port,
                certificates: None,
            } => bollard::Docker::connect_with_http(
                &format!("tcp://{host}:{port}"),
                seconds,
                version,
            ),
            Address::Tcp {
                host,
                port,
                certificates: Some(folder),
            } => bollard::Docker::connect_with_ssl(
                &format!("tcp://{host}:{port}"),
                &folder.join("key.pem"),
                &folder.join("cert.pem"),
                &folder.join("ca.pem"),
                seconds,
                version,
            ),
        };
        client.map_err(|error| from_client(self, "set up the connection".to_owned(), error))
    }
}

/// The folder of the certificates, where the environment asks for TLS.
fn certificates(set: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    set("DOCKER_TLS_VERIFY")?;
    let folder = set("DOCKER_CERT_PATH").or_else(|| set("DOCKER_CONFIG"));
    folder
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".docker")))
}

/// What `docker context use` chose. A config file that can't be read chooses nothing: it is the
/// `docker` command's, which says so itself.
fn current_context(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_str(&text).ok()?;
    let name = config.get("currentContext")?.as_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}

fn usual_sockets(set: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let under = |variable: &str, path: &str| set(variable).map(|base| Path::new(&base).join(path));
    [
        Some(PathBuf::from("/var/run/docker.sock")),
        under("XDG_RUNTIME_DIR", "docker.sock"),
        under("HOME", ".docker/run/docker.sock"),
        under("XDG_RUNTIME_DIR", "podman/podman.sock"),
        Some(PathBuf::from("/run/podman/podman.sock")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discover(host: Option<&str>, env: &[(&str, &str)]) -> Result<Endpoint, EndpointError> {
        Endpoint::discover(host, &|name| {
            env.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_nearest_word_wins() {
        let env = [
            ("DOCKER_HOST", "tcp://env:1"),
            ("DOCKER_CONTEXT", "none"),
            ("HOME", "/none"),
        ];
        let endpoint = discover(Some("unix:///flag.sock"), &env).expect("an endpoint");
        assert_eq!(endpoint.to_string(), "unix:///flag.sock");
        assert_eq!(endpoint.host_address(), "127.0.0.1");
        let endpoint = discover(None, &env).expect("an endpoint");
        assert_eq!(endpoint.to_string(), "tcp://env:1");
        assert_eq!(
            (endpoint.host_address(), endpoint.source()),
            ("env", &EndpointSource::Environment)
        );
        assert!(matches!(
            discover(None, &env[1..]),
            Err(EndpointError::Context { .. })
        ));
    }

    #[test]
    fn a_docker_context_is_read_from_where_docker_keeps_it() {
        let home = tempfile::tempdir().expect("a folder");
        // What `printf web | sha256sum` prints.
        let id = "4b5e57f6eb2f42b9039b3d1e13929295f231749c510cbe341cd68036d9af97e2";
        let docker = home.path().join(".docker");
        let meta = docker.join("contexts/meta").join(id);
        std::fs::create_dir_all(&meta).expect("a folder");
        std::fs::write(docker.join("config.json"), r#"{"currentContext":"web"}"#).expect("written");
        let text = r#"{"Name":"web","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://web:2375","SkipTLSVerify":false}}}"#;
        std::fs::write(meta.join("meta.json"), text).expect("written");
        let home = home.path().to_string_lossy().into_owned();
        let endpoint = discover(None, &[("HOME", &home)]).expect("an endpoint");
        assert_eq!(endpoint.to_string(), "tcp://web:2375");
        assert_eq!(
            endpoint.source(),
            &EndpointSource::Context("web".to_owned())
        );
        let other = discover(None, &[("HOME", &home), ("DOCKER_CONTEXT", "default")]);
        assert!(!other.is_ok_and(|endpoint| endpoint.to_string().contains("web")));
    }

    #[test]
    fn addresses_are_checked() {
        for (url, expected) in [
            ("unix:///run/d.sock", Some("unix:///run/d.sock")),
            ("tcp://h", Some("tcp://h:2375")),
            ("https://h/", Some("tcp://h:2376")),
            ("tcp://[::1]:99", Some("tcp://[::1]:99")),
            ("tcp://[::1]", Some("tcp://[::1]:2375")),
            ("tcp://h:port", None),
            ("tcp://", None),
            ("tcp://h/x:1", None),
            ("unix://relative", None),
            ("/run/d.sock", None),
            ("ftp://x", None),
        ] {
            let endpoint = discover(Some(url), &[])
                .ok()
                .map(|endpoint| endpoint.to_string());
            assert_eq!(endpoint.as_deref(), expected, "{url}");
        }
        let error = discover(Some("ssh://deploy@web1"), &[])
            .expect_err("ssh")
            .to_string();
        assert_eq!(error, "`ssh://deploy@web1`: ssh:// is not supported yet");
    }
}

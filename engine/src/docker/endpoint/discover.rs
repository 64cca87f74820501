//! Finding the daemon that is meant.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::app::usual_sockets;
use crate::credentials::config_folder;

use super::{Address, Endpoint, EndpointError, EndpointSource, contexts};
use crate::docker::podman;

type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(super) fn discover(host_flag: Option<&str>, env: Env<'_>) -> Result<Endpoint, EndpointError> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let named = |url: &str, source| {
        let certificates = certificates(&set);
        Ok(Endpoint {
            address: Address::parse(url, certificates.is_some())?,
            certificates,
            source,
        })
    };
    if let Some(url) = host_flag {
        return named(url, EndpointSource::Host);
    }
    if let Some(url) = set("DOCKER_HOST") {
        return named(&url, EndpointSource::Environment);
    }
    if let Some(folder) = config_folder(&set)
        && let Some(name) = set("DOCKER_CONTEXT").or_else(|| contexts::current(&folder))
        && name != "default"
    {
        return contexts::read(&folder, name);
    }
    let podman = podman::is_installed(set("PATH").as_deref().map(OsStr::new));
    usual(usual_sockets(&set), podman)
}

/// The first socket that answers; else one that this user may not open, so that this is told
/// rather than an app be looked for on another daemon than the one it runs on; else Podman, if
/// there is one; else the first that is there, for its error.
fn usual(sockets: Vec<PathBuf>, podman: bool) -> Result<Endpoint, EndpointError> {
    let endpoint = |address, source| Endpoint {
        address,
        certificates: None,
        source,
    };
    let (mut silent, mut forbidden) = (None, None);
    for path in &sockets {
        match UnixStream::connect(path) {
            Ok(_) => {
                let address = Address::Unix(path.clone());
                return Ok(endpoint(address, EndpointSource::UsualSocket));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                forbidden.get_or_insert(path);
            }
            Err(_) => {
                silent.get_or_insert(path);
            }
        }
    }
    match forbidden.or(silent) {
        None | Some(_) if podman && forbidden.is_none() => {
            Ok(endpoint(Address::OwnPodman, EndpointSource::NoDaemon))
        }
        Some(path) => Ok(endpoint(
            Address::Unix(path.clone()),
            EndpointSource::UsualSocket,
        )),
        None => Err(EndpointError::NotFound {
            looked_for: sockets,
        }),
    }
}

/// The folder of the certificates, where the environment asks for TLS.
fn certificates(set: Env<'_>) -> Option<PathBuf> {
    set("DOCKER_TLS_VERIFY")?;
    let folder = set("DOCKER_CERT_PATH").map(PathBuf::from);
    folder.or_else(|| config_folder(set))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use super::*;

    fn find(host: Option<&str>, env: &[(&str, &str)]) -> Result<Endpoint, EndpointError> {
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
        let endpoint = find(Some("unix:///flag.sock"), &env).expect("an endpoint");
        assert_eq!(endpoint.to_string(), "unix:///flag.sock");
        assert_eq!(endpoint.host_address(), "127.0.0.1");
        let endpoint = find(None, &env).expect("an endpoint");
        assert_eq!(endpoint.to_string(), "tcp://env:1");
        assert_eq!(
            (endpoint.host_address(), endpoint.source()),
            ("env", &EndpointSource::Environment)
        );
        assert!(matches!(
            find(None, &env[1..]),
            Err(EndpointError::Context { .. })
        ));
    }

    #[test]
    fn the_first_socket_that_answers_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let sockets = || vec![path("none"), path("dead"), path("one"), path("two")];
        // A socket that outlived its daemon.
        drop(UnixListener::bind(path("dead")).expect("a socket"));
        let found = |podman| usual(sockets(), podman).expect("an endpoint");
        assert_eq!(found(false).socket_path(), Some(path("dead").as_path()));
        assert!(found(true).is_own_podman());
        assert_eq!(found(true).source(), &EndpointSource::NoDaemon);

        let _one = UnixListener::bind(path("one")).expect("a socket");
        let _two = UnixListener::bind(path("two")).expect("a socket");
        assert_eq!(found(true).socket_path(), Some(path("one").as_path()));
        let none = usual(vec![path("none")], false);
        assert!(matches!(none, Err(EndpointError::NotFound { .. })));
    }

    // What `printf web | sha256sum` prints.
    const WEB: &str = "4b5e57f6eb2f42b9039b3d1e13929295f231749c510cbe341cd68036d9af97e2";

    fn context(docker: &Path, endpoint: &str) {
        let meta = docker.join("contexts/meta").join(WEB);
        std::fs::create_dir_all(&meta).expect("a folder");
        std::fs::write(docker.join("config.json"), r#"{"currentContext":"web"}"#).expect("written");
        let text =
            format!(r#"{{"Name":"web","Metadata":{{}},"Endpoints":{{"docker":{endpoint}}}}}"#);
        std::fs::write(meta.join("meta.json"), text).expect("written");
    }

    #[test]
    fn a_docker_context_is_read_from_where_docker_keeps_it() {
        let home = tempfile::tempdir().expect("a folder");
        let docker = home.path().join(".docker");
        context(&docker, r#"{"Host":"tcp://web","SkipTLSVerify":false}"#);
        let home = home.path().to_string_lossy().into_owned();
        let endpoint = find(None, &[("HOME", &home)]).expect("an endpoint");
        assert_eq!(endpoint.to_string(), "tcp://web:2375");
        assert_eq!(
            endpoint.source(),
            &EndpointSource::Context("web".to_owned())
        );
        let other = find(None, &[("HOME", &home), ("DOCKER_CONTEXT", "default")]);
        assert!(!other.is_ok_and(|endpoint| endpoint.to_string().contains("web")));

        // With certificates of its own it uses TLS.
        let tls = docker.join("contexts/tls").join(WEB).join("docker");
        std::fs::create_dir_all(tls).expect("a folder");
        let config = docker.to_string_lossy().into_owned();
        let endpoint = find(None, &[("DOCKER_CONFIG", &config)]).expect("an endpoint");
        assert_eq!(endpoint.to_string(), "tcp://web:2376");

        context(&docker, r#"{"Host":"ssh://deploy@web1"}"#);
        let endpoint = find(None, &[("HOME", &home)]).expect("an endpoint");
        assert_eq!(endpoint.to_string(), "ssh://deploy@web1");
        context(&docker, r#"{"Host":"tcp://web","SkipTLSVerify":true}"#);
        let refused = find(None, &[("HOME", &home)]).expect_err("no proof of who it is");
        assert!(refused.to_string().contains("SkipTLSVerify"), "{refused}");
    }
}

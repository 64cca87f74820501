//! Who one is to a registry: what `docker login` has left in the configuration of the `docker`
//! command, or with the programs that it names.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

mod helper;

/// Docker Hub, as references leave it out.
const HUB: &str = "docker.io";
/// Docker Hub, as the configuration and the daemon call it.
pub(crate) const HUB_KEY: &str = "https://index.docker.io/v1/";

/// The credentials that are stored for this user; each is asked for when it is needed.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    folder: Option<PathBuf>,
}

/// Why credentials that should be there can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The configuration can't be read.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A program that it names is not installed.
    #[error("`{program}` is not installed, which {} names", config.display())]
    NoHelper {
        /// The program.
        program: String,
        /// The configuration.
        config: PathBuf,
    },
    /// A program that it names failed.
    #[error("`{program}` failed: {reason}")]
    Helper {
        /// The program.
        program: String,
        /// Its words.
        reason: String,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    auths: BTreeMap<String, Entry>,
    #[serde(rename = "credsStore")]
    store: String,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// What a registry is shown of one user. The names in JSON are those of the Docker Engine API, `AuthConfig`.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Login {
    /// The user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password, or what stands for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// A token with which the registry's token server gives others.
    #[serde(rename = "identitytoken", skip_serializing_if = "Option::is_none")]
    pub identity_token: Option<String>,
    /// A token that the registry itself takes.
    #[serde(rename = "registrytoken", skip_serializing_if = "Option::is_none")]
    pub registry_token: Option<String>,
    /// The registry, as the configuration calls it.
    #[serde(rename = "serveraddress", skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

impl std::fmt::Debug for Login {
    /// Without what is secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("username", &self.username)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Login {
    /// Whom they name.
    pub fn user(&self) -> String {
        // Registries have users for tokens, who are nobody: this, and `<token>`.
        const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
        let user = self.username.clone();
        let user = user.filter(|user| user != NOBODY && !user.starts_with('<'));
        user.unwrap_or_else(|| "an identity token".to_owned())
    }
}

/// Where the `docker` command keeps its configuration, by an environment.
pub(crate) fn config_folder(set: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let folder = set("DOCKER_CONFIG").map(PathBuf::from);
    folder.or_else(|| set("HOME").map(|home| Path::new(&home).join(".docker")))
}

impl Credentials {
    /// Those of the user whose environment this is: DOCKER_CONFIG, or `~/.docker`.
    pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        Self {
            folder: config_folder(&set),
        }
    }

    /// The configuration's path, for messages.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join("config.json"))
    }

    /// Those for the registry of an image or a plugin, if there are any.
    ///
    /// # Errors
    ///
    /// If the configuration, or a program that it names, can't be used.
    pub async fn of(&self, reference: &str) -> Result<Option<Login>, CredentialsError> {
        let Some((path, config)) = self.config()? else {
            return Ok(None);
        };
        config.get(&path, key(registry(reference))).await
    }

    /// Those for the registries that are named in a text, such as a Dockerfile, by the names that
    /// builders know them by; and what was wrong with the others.
    pub(crate) async fn named_in(
        &self,
        text: &str,
    ) -> (HashMap<String, Login>, Vec<CredentialsError>) {
        let (mut found, mut errors) = (HashMap::new(), Vec::new());
        let (path, config) = match self.config() {
            Ok(Some(config)) => config,
            Ok(None) => return (found, errors),
            Err(error) => return (found, vec![error]),
        };
        let known = config.auths.keys().chain(config.helpers.keys());
        let mut hosts: Vec<&str> = known.map(|key| host(key)).collect();
        hosts.sort_unstable();
        hosts.dedup();
        // Images of Docker Hub do not say so.
        let named = |host: &&str| host == &host_of_hub() || text.contains(*host);
        for host in hosts.into_iter().filter(named) {
            let key = match host == host_of_hub() {
                true => HUB_KEY,
                false => host,
            };
            match config.get(&path, key).await {
                Ok(Some(credentials)) => drop(found.insert(key.to_owned(), credentials)),
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        (found, errors)
    }

    fn config(&self) -> Result<Option<(PathBuf, Config)>, CredentialsError> {
        let Some(path) = self.path() else {
            return Ok(None);
        };
        let error = |reason: String| CredentialsError::Config {
            path: path.clone(),
            reason,
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(io) if io.kind() == ErrorKind::NotFound => return Ok(None),
            Err(io) => return Err(error(format!("can't be read: {io}"))),
        };
        // The parser's own words could hold a part of a password.
        let config = serde_json::from_str(&text)
            .map_err(|json| error(format!("is not as expected in line {}", json.line())))?;
        Ok(Some((path, config)))
    }
}

impl Config {
    /// As the `docker` command does it: the registry's own program, then that for all, then what
    /// stands in the file.
    async fn get(&self, path: &Path, key: &str) -> Result<Option<Login>, CredentialsError> {
        let own = self
            .helpers
            .iter()
            .find(|(name, _)| host(name) == host(key));
        let program = own.map(|(_, program)| program.as_str());
        let store = (!self.store.is_empty()).then_some(self.store.as_str());
        if let Some(suffix) = program.or(store)
            && let Some(credentials) = helper::get(suffix, key, path).await?
        {
            return Ok(Some(credentials));
        }
        let exact = self.auths.get(key);
        let entry = exact.or_else(|| {
            let mut same = self
                .auths
                .iter()
                .filter(|(name, _)| host(name) == host(key));
            same.next().map(|(_, entry)| entry)
        });
        entry.map_or(Ok(None), |entry| entry.credentials(path, key))
    }
}

impl Entry {
    fn credentials(&self, path: &Path, key: &str) -> Result<Option<Login>, CredentialsError> {
        let malformed = || CredentialsError::Config {
            path: path.to_owned(),
            reason: format!("`auth` of {key} is not USER:PASSWORD in base64"),
        };
        let (mut user, mut password) = (self.username.clone(), self.password.clone());
        if !self.auth.is_empty() {
            let bytes = STANDARD.decode(&self.auth).map_err(|_| malformed())?;
            let text = String::from_utf8(bytes).map_err(|_| malformed())?;
            let (name, word) = text.split_once(':').ok_or_else(malformed)?;
            (user, password) = (name.to_owned(), word.trim_end_matches('\0').to_owned());
        }
        let some = |text: String| (!text.is_empty()).then_some(text);
        let credentials = Login {
            username: some(user),
            password: some(password),
            identity_token: some(self.identitytoken.clone()),
            registry_token: some(self.registrytoken.clone()),
            server: Some(key.to_owned()),
        };
        let any = credentials.username.is_some()
            || credentials.identity_token.is_some()
            || credentials.registry_token.is_some();
        Ok(any.then_some(credentials))
    }
}

/// The registry of an image: what stands before the first `/`, if it looks like a host.
pub(crate) fn registry(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

/// A registry as the configuration calls it.
fn key(registry: &str) -> &str {
    match registry {
        HUB | "index.docker.io" | "registry-1.docker.io" => HUB_KEY,
        other => other,
    }
}

/// The host in a key, which may be a URL.
fn host(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

fn host_of_hub() -> &'static str {
    host(HUB_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> (tempfile::TempDir, Credentials) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("config.json"), text).expect("a file");
        let path = folder.path().display().to_string();
        let credentials =
            Credentials::from_env(&|name| (name == "DOCKER_CONFIG").then(|| path.clone()));
        (folder, credentials)
    }

    #[tokio::test]
    async fn each_registry_has_its_own() {
        // The first is `me:se:cret`.
        let text = r#"{"auths": {
            "r.example:5000": {"auth": "bWU6c2U6Y3JldA=="},
            "https://old.example/v1/": {"username": "old", "password": "word"},
            "https://index.docker.io/v1/": {"auth": "aHViOndvcmQ=", "identitytoken": "token"},
            "empty.example": {}
        }}"#;
        let (_folder, credentials) = stored(text);
        let of = async |reference: &str| {
            let found = credentials.of(reference).await.expect("readable");
            let found = found.map(|found| (found.username, found.password, found.identity_token));
            found.map(|(user, word, token)| {
                [user, word, token].map(Option::unwrap_or_default).join("|")
            })
        };
        assert_eq!(
            of("r.example:5000/a/b:1").await.as_deref(),
            Some("me|se:cret|")
        );
        assert_eq!(of("old.example/a").await.as_deref(), Some("old|word|"));
        for hub in ["web", "team/web:1", "docker.io/web"] {
            assert_eq!(of(hub).await.as_deref(), Some("hub|word|token"), "{hub}");
        }
        for none in ["empty.example/a", "r.example/a", "localhost/a"] {
            assert_eq!(of(none).await, None, "{none}");
        }
        let (named, errors) = credentials.named_in("FROM r.example:5000/base").await;
        let mut named: Vec<_> = named.into_keys().collect();
        named.sort();
        assert_eq!(named, [HUB_KEY, "r.example:5000"]);
        assert!(errors.is_empty());
    }

    #[tokio::test]
    async fn what_is_wrong_is_told_without_what_is_secret() {
        for (text, said) in [
            ("{\n\"auths\": \"s3cret\"}", "line 2"),
            (
                r#"{"auths": {"r.example": {"auth": "s3cret!"}}}"#,
                "`auth` of r.example",
            ),
            (
                r#"{"credsStore": "not-there-at-all"}"#,
                "docker-credential-not-there-at-all",
            ),
        ] {
            let (_folder, credentials) = stored(text);
            let error = credentials.of("r.example/a").await.expect_err(text);
            assert!(error.to_string().contains(said), "{error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        let none = Credentials::default().of("r.example/a").await;
        assert_eq!(none, Ok(None));
    }
}

//! Asking registries: with mirrors, and again where a failure may pass.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use reqwest::Certificate;
use tokio::sync::OnceCell;

use super::beside::is_beside;
use super::download::{Target, fill};
use super::error::Failure;
use super::reference::{highest, is_loopback};
use super::wire::Host;
use super::{Digest, Pick, RegistryError, Repository, Store, StoreError};
use crate::credentials::Credentials;

/// How often something is tried.
const TRIES: u32 = 5;
/// Before the second try; each later one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// The longest time that is waited because a registry wants it.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a registry may say nothing.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("rengine/", env!("CARGO_PKG_VERSION"));

/// `[registries."HOST"]`: how a registry is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrySettings {
    /// Hosts that have copies, which are asked first.
    pub mirrors: Vec<String>,
    /// PEM: certificates that are trusted beside the system's.
    pub ca: Option<Vec<u8>>,
    /// How long it may say nothing; 30 s if `None`.
    pub timeout: Option<Duration>,
}

/// How far a download is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// What is downloaded.
    pub what: String,
    /// Bytes that are here.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

pub(super) type Report = Arc<dyn Fn(Transfer) + Send + Sync>;

/// Registries, each with connections of its own, made when it is asked first.
#[derive(Clone)]
pub struct Registries {
    inner: Arc<Inner>,
}

struct Inner {
    credentials: Credentials,
    settings: BTreeMap<String, RegistrySettings>,
    hosts: Mutex<HashMap<String, Arc<OnceCell<Arc<Host>>>>>,
    roots: OnceLock<Vec<Certificate>>,
    report: Report,
}

/// One try.
type Work<'a, T> = BoxFuture<'a, Result<T, Failure>>;

/// Who may say what a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// The registry alone: a mirror could say what it wants.
    Itself,
    /// Mirrors, too: what comes is verified in another way.
    Mirrors,
}

/// What is asked for, for errors.
#[derive(Clone, Copy)]
struct Asked<'a> {
    action: &'a str,
    repository: &'a Repository,
}

impl Registries {
    /// Registries that are asked with these credentials and settings. `report` is told of
    /// downloads while they go on.
    pub fn new(
        credentials: Credentials,
        settings: BTreeMap<String, RegistrySettings>,
        report: impl Fn(Transfer) + Send + Sync + 'static,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                credentials,
                settings,
                hosts: Mutex::default(),
                roots: OnceLock::new(),
                report: Arc::new(report),
            }),
        }
    }

    /// The tags of a repository, in the registry's order, but for those of signatures and the like.
    ///
    /// # Errors
    ///
    /// If the registry does not tell.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<String>, RegistryError> {
        let action = format!("list the versions of {repository}");
        let asked = Asked {
            action: &action,
            repository,
        };
        let list = |host: Arc<Host>| -> Work<'_, _> {
            Box::pin(async move { host.tags(repository.path()).await })
        };
        // What a name stands for, only the registry itself can say.
        let mut tags = self.ask_one(asked, repository.host(), &list).await?;
        tags.retain(|tag| !is_beside(tag));
        Ok(tags)
    }

    /// What a pick means today: the tag, where it is one, and the digest of its manifest, with the
    /// manifest itself.
    ///
    /// # Errors
    ///
    /// If there is none, or the registry does not tell.
    pub async fn pick(
        &self,
        repository: &Repository,
        pick: &Pick,
    ) -> Result<(Option<String>, Digest, Bytes), RegistryError> {
        let (tag, digest) = match pick {
            Pick::Tag(tag) => (Some(tag.clone()), None),
            Pick::Digest { digest, tag } => (tag.clone(), Some(digest)),
            Pick::Range(range) => {
                let tags = self.tags(repository).await?;
                let found = highest(tags.iter().map(String::as_str), range);
                let found = found.ok_or_else(|| RegistryError::NoVersion {
                    repository: repository.to_string(),
                    range: range.to_string(),
                    help: match tags.len() {
                        0 => "it has no tags".to_owned(),
                        count => {
                            let shown: Vec<_> =
                                tags.iter().rev().take(10).map(String::as_str).collect();
                            format!("it has {count} tags, such as {}", shown.join(", "))
                        }
                    },
                })?;
                (Some(found.to_owned()), None)
            }
        };
        if let Some(digest) = digest {
            let manifest = self.manifest(repository, digest).await?;
            return Ok((tag, digest.clone(), manifest));
        }
        let name = tag.clone().unwrap_or_default();
        let manifest = self.tagged(repository, &name, Ask::Itself).await?;
        Ok((tag, Digest::of(&manifest), manifest))
    }

    /// The manifest that a tag names.
    pub(super) async fn tagged(
        &self,
        repository: &Repository,
        tag: &str,
        ask: Ask,
    ) -> Result<Bytes, RegistryError> {
        let action = format!("get {repository}:{tag}");
        let asked = Asked {
            action: &action,
            repository,
        };
        let get = |host: Arc<Host>| -> Work<'_, _> {
            Box::pin(async move { host.manifest(repository.path(), tag).await })
        };
        match ask {
            Ask::Itself => self.ask_one(asked, repository.host(), &get).await,
            Ask::Mirrors => self.ask(asked, &get).await,
        }
    }

    /// The manifest with a digest.
    ///
    /// # Errors
    ///
    /// If it is not there, or what comes is another.
    pub async fn manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Bytes, RegistryError> {
        let action = format!("get {repository}@{digest}");
        let asked = Asked {
            action: &action,
            repository,
        };
        let get = |host: Arc<Host>| -> Work<'_, _> {
            Box::pin(async move { host.manifest(repository.path(), digest.as_str()).await })
        };
        self.ask(asked, &get).await
    }

    /// The small blob with a digest, such as a configuration.
    ///
    /// # Errors
    ///
    /// If it is not there, or what comes is another.
    pub async fn small(
        &self,
        repository: &Repository,
        digest: &Digest,
        limit: usize,
    ) -> Result<Bytes, RegistryError> {
        let action = format!("get {repository}@{digest}");
        let asked = Asked {
            action: &action,
            repository,
        };
        let get = |host: Arc<Host>| -> Work<'_, _> {
            Box::pin(async move { host.small(repository.path(), digest, limit).await })
        };
        self.ask(asked, &get).await
    }

    /// Brings the blob with a digest and a size in bytes into the store, unless it is there: whole,
    /// or nothing of it. What a broken connection or a killed process left is gone on with. Of
    /// several processes one downloads, and the others wait.
    ///
    /// # Errors
    ///
    /// If it is not there, what comes is another, or the store can't be written.
    pub async fn fetch(
        &self,
        repository: &Repository,
        digest: &Digest,
        size: u64,
        store: &Store,
    ) -> Result<(), RegistryError> {
        let Some(filling) = store.fill(digest).await? else {
            return Ok(());
        };
        let filling = &tokio::sync::Mutex::new(filling);
        let report = &self.inner.report;
        let what = &format!("{repository}@{digest}");
        let action = format!("get {what}");
        let asked = Asked {
            action: &action,
            repository,
        };
        let target = Target {
            what,
            path: repository.path(),
            digest,
            size,
        };
        let get = |host: Arc<Host>| -> Work<'_, _> {
            Box::pin(async move {
                let mut filling = filling.lock().await;
                fill(&host, target, &mut filling, report).await
            })
        };
        let outcome: Result<(), StoreError> = self.ask(asked, &get).await?;
        Ok(outcome?)
    }

    /// Sends an artifact: what it is made of, and then the manifest, which makes it one. Returns the
    /// manifest's digest.
    ///
    /// # Errors
    ///
    /// If the registry does not take it.
    pub async fn push(
        &self,
        repository: &Repository,
        tag: &str,
        blobs: &[Bytes],
        manifest: &Bytes,
    ) -> Result<Digest, RegistryError> {
        let action = format!("push {repository}:{tag}");
        let asked = Asked {
            action: &action,
            repository,
        };
        let send = |host: Arc<Host>| -> Work<'_, _> {
            Box::pin(async move {
                let path = repository.path();
                for blob in blobs {
                    host.put_blob(path, blob.clone()).await?;
                }
                host.put_manifest(path, tag, manifest.clone()).await
            })
        };
        self.ask_one(asked, repository.host(), &send).await?;
        Ok(Digest::of(manifest))
    }

    /// The repositories of a registry, where it tells.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn catalog(&self, host: &str) -> Result<Vec<String>, RegistryError> {
        let repository: super::Reference = format!("{host}/catalog").parse()?;
        let action = format!("list what {host} has");
        let asked = Asked {
            action: &action,
            repository: &repository.repository,
        };
        let list =
            |host: Arc<Host>| -> Work<'_, _> { Box::pin(async move { host.catalog().await }) };
        self.ask_one(asked, host, &list).await
    }

    /// Asks the mirrors, and then the registry itself.
    async fn ask<'a, T>(
        &self,
        asked: Asked<'_>,
        work: &(dyn Fn(Arc<Host>) -> Work<'a, T> + Send + Sync),
    ) -> Result<T, RegistryError> {
        let settings = self.inner.settings.get(asked.repository.host());
        for mirror in settings.iter().flat_map(|settings| &settings.mirrors) {
            // Whatever is wrong with a mirror, the registry itself decides.
            if let Ok(done) = self.ask_one(asked, mirror, work).await {
                return Ok(done);
            }
        }
        self.ask_one(asked, asked.repository.host(), work).await
    }

    async fn ask_one<'a, T>(
        &self,
        asked: Asked<'_>,
        name: &str,
        work: &(dyn Fn(Arc<Host>) -> Work<'a, T> + Send + Sync),
    ) -> Result<T, RegistryError> {
        let host = self.host(name).await?;
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let failure = match work(host.clone()).await {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            let pause = pause(&failure, wait).filter(|_| attempt < TRIES);
            let Some(pause) = pause else {
                return Err(told(failure, asked, name, host.user()));
            };
            tokio::time::sleep(pause).await;
            wait *= 2;
        }
        let failure = Failure::Other("it was not tried".to_owned());
        Err(told(failure, asked, name, None))
    }

    /// A registry, or a mirror, by its name.
    async fn host(&self, name: &str) -> Result<Arc<Host>, RegistryError> {
        let cell = {
            let hosts = self.inner.hosts.lock();
            let mut hosts = hosts.unwrap_or_else(PoisonError::into_inner);
            hosts.entry(name.to_owned()).or_default().clone()
        };
        let made = cell.get_or_try_init(|| self.make_host(name)).await?;
        Ok(made.clone())
    }

    async fn make_host(&self, name: &str) -> Result<Arc<Host>, RegistryError> {
        let login = self.inner.credentials.of(&format!("{name}/x")).await?;
        let error = |reason: String| RegistryError::Certificates {
            host: name.to_owned(),
            reason,
        };
        // Whoever came first has set it: then it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = self.inner.settings.get(name);
        let own = settings.and_then(|settings| settings.ca.as_ref());
        // A registry on this machine with a certificate of its own is asked with TLS.
        let tls = !is_loopback(name) || own.is_some();
        let mut roots = match tls {
            true => self.inner.roots.get_or_init(system_roots).clone(),
            false => Vec::new(),
        };
        if let Some(own) = own {
            roots.extend(pem_certificates(own).map_err(error)?);
        }
        let timeout = settings.and_then(|settings| settings.timeout);
        let timeout = timeout.unwrap_or(READ_TIMEOUT);
        let mut client = reqwest::Client::builder();
        if tls {
            client = client.tls_certs_only(roots);
        }
        let client = client
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .user_agent(USER_AGENT)
            .build();
        let client = client.map_err(|wrong| error(super::error::causes(&wrong)))?;
        let host = Host::new(name, tls, client, timeout, login).map_err(|reason| {
            RegistryError::NotFound {
                action: format!("ask {name}"),
                host: name.to_owned(),
                help: format!("its name can't be asked for: {reason}"),
            }
        })?;
        Ok(Arc::new(host))
    }
}

/// How long to wait before another try; `None` if it is not worth one. `wait` is what would be waited if
/// the registry has no word on it.
fn pause(failure: &Failure, wait: Duration) -> Option<Duration> {
    match failure {
        Failure::Passing { wait: asked, .. } => match asked {
            Some(asked) if *asked > MAX_WAIT => None,
            // Not sooner than it wants, nor all at the same moment.
            Some(asked) => Some(*asked + jittered(FIRST_WAIT)),
            None => Some(jittered(wait)),
        },
        Failure::Unreachable(_) => Some(jittered(wait)),
        _ => None,
    }
}

/// A failure with what was to be done.
fn told(failure: Failure, asked: Asked<'_>, host: &str, user: Option<String>) -> RegistryError {
    let (action, host) = (asked.action.to_owned(), host.to_owned());
    match failure {
        Failure::Passing { reason, wait } => RegistryError::Failed {
            action,
            host,
            reason: match wait {
                None => reason,
                Some(wait) => {
                    let wait = humantime::format_duration(Duration::from_secs(wait.as_secs()));
                    format!("{reason}, and wants to be left alone for {wait}")
                }
            },
        },
        Failure::Other(reason) => RegistryError::Failed {
            action,
            host,
            reason,
        },
        Failure::Unreachable(reason) => RegistryError::Unreachable {
            action,
            host,
            reason,
        },
        Failure::Denied => RegistryError::Denied { action, host, user },
        Failure::NotFound => RegistryError::NotFound {
            action,
            help: format!(
                "see that the path and the version are right: `rengine plugin info {}` \
                 lists versions. Some registries say so of what one may not see",
                asked.repository
            ),
            host,
        },
        Failure::Digest { expected, actual } => RegistryError::Tampered {
            what: asked.repository.to_string(),
            host,
            expected,
            actual,
        },
    }
}

/// A time around this one, so that many who were turned away do not all come back at once.
fn jittered(time: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(std::process::id()) % 1000;
    let random = u32::try_from(random).unwrap_or_default();
    time / 2 + time * random / 1000
}

fn system_roots() -> Vec<Certificate> {
    let found = rustls_native_certs::load_native_certs().certs;
    let found = found.iter();
    found
        .filter_map(|certificate| Certificate::from_der(certificate).ok())
        .collect()
}

/// Each certificate of a PEM file.
fn pem_certificates(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| error.to_string())?;
    if found.is_empty() {
        return Err("there is no certificate in the file".to_owned());
    }
    let found = found.iter().map(|der| Certificate::from_der(der));
    found
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_asked_again_when_it_wants_to_be() {
        let passing = |wait: Option<u64>| Failure::Passing {
            reason: String::new(),
            wait: wait.map(Duration::from_secs),
        };
        let wait = Duration::from_secs(1);
        let asked = pause(&passing(Some(20)), wait).expect("again");
        assert!(asked >= Duration::from_secs(20) && asked < Duration::from_secs(21));
        let own = pause(&passing(None), wait).expect("again");
        assert!(own >= wait / 2 && own < wait * 2);
        assert_eq!(
            pause(&passing(Some(3600)), wait),
            None,
            "nobody waits for that"
        );
        let text = String::new();
        assert!(pause(&Failure::Unreachable(text.clone()), wait).is_some());
        assert_eq!(pause(&Failure::Other(text), wait), None);
        assert_eq!(pause(&Failure::Denied, wait), None);
    }
}

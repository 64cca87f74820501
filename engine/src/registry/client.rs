//! Asking registries: with mirrors, and again where a failure may pass.

mod hosts;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use reqwest::Certificate;
use tokio::sync::OnceCell;

use super::beside::is_beside;
use super::download::{Target, fill};
use super::error::Failure;
use super::retry::{Asked, FIRST_WAIT, pause, told};
use super::version::highest;
use super::wire::Host;
use super::{Digest, Pick, RegistryError, Repository, Store, StoreError};
use crate::credentials::Credentials;

/// How often something is tried.
const TRIES: u32 = 5;

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

    /// True if others than the registry itself are asked for what is in a repository.
    pub(super) fn has_mirrors(&self, repository: &Repository) -> bool {
        let settings = self.inner.settings.get(repository.host());
        settings.is_some_and(|settings| !settings.mirrors.is_empty())
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
}

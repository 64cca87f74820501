//! Asking registries.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use oci_client::client::{
    BlobResponse, Certificate, CertificateEncoding, ClientConfig, ClientProtocol,
};
use oci_client::errors::{DigestError, OciDistributionError};
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference as Address};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::error::{Kind, kind};
use super::reference::{highest, is_loopback};
use super::store::Filling;
use super::{Digest, Pick, RegistryError, Repository, Store, StoreError};
use crate::credentials::{Credentials, Login};

/// How often something is tried.
const TRIES: u32 = 5;
/// Before the second try; each later one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// Time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a registry may say nothing.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Time between two words on how far a download is.
const TELL: Duration = Duration::from_millis(200);
/// How many tags are asked for at a time.
const PAGE: usize = 1000;
/// How many tags are looked at.
const MAX_TAGS: usize = 100_000;
/// Kinds of manifests that are understood.
const MANIFESTS: [&str; 3] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// `[registries."HOST"]`: how a registry is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrySettings {
    /// Hosts that have copies, which are asked first.
    pub mirrors: Vec<String>,
    /// PEM: certificates that are trusted beside the system's.
    pub ca: Option<Vec<u8>>,
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

type Report = Arc<dyn Fn(Transfer) + Send + Sync>;

/// Registries, each with a client of its own, made when it is asked first.
#[derive(Clone)]
pub struct Registries {
    inner: Arc<Inner>,
}

struct Inner {
    credentials: Credentials,
    settings: BTreeMap<String, RegistrySettings>,
    clients: Mutex<HashMap<String, Client>>,
    roots: OnceLock<Vec<Certificate>>,
    report: Report,
}

/// One try.
type Work<'a, T> = BoxFuture<'a, Result<T, OciDistributionError>>;

/// Who may say what a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// The registry alone: a mirror could say what it wants.
    Itself,
    /// Mirrors, too: what comes is verified in another way.
    Mirrors,
}

fn get_manifest(client: Client, address: Address, auth: RegistryAuth) -> Work<'static, Bytes> {
    Box::pin(async move {
        let (manifest, _) = client
            .pull_manifest_raw(&address, &auth, &MANIFESTS)
            .await?;
        Ok(manifest)
    })
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
                clients: Mutex::default(),
                roots: OnceLock::new(),
                report: Arc::new(report),
            }),
        }
    }

    /// The tags of a repository, in the registry's order.
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
        let list = |client: Client, address: Address, auth: RegistryAuth| -> Work<'_, _> {
            Box::pin(async move {
                let mut tags: Vec<String> = Vec::new();
                let mut seen = HashSet::new();
                loop {
                    let last = tags.last().cloned();
                    let page = client
                        .list_tags(&address, &auth, Some(PAGE), last.as_deref())
                        .await?
                        .tags;
                    let count = page.len();
                    let mut new = page;
                    new.retain(|tag| seen.insert(tag.clone()));
                    let any = !new.is_empty();
                    tags.extend(new);
                    // Some give all of them whatever was asked.
                    if count != PAGE || !any || tags.len() >= MAX_TAGS {
                        return Ok(tags);
                    }
                }
            })
        };
        // What a name stands for, only the registry itself can say.
        self.ask_one(asked, repository.host(), "", &list).await
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
        let which = format!(":{tag}");
        match ask {
            Ask::Itself => {
                self.ask_one(asked, repository.host(), &which, &get_manifest)
                    .await
            }
            Ask::Mirrors => self.ask(asked, &which, &get_manifest).await,
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
        let manifest = self
            .ask(asked, &format!("@{digest}"), &get_manifest)
            .await?;
        let actual = Digest::of(&manifest);
        if actual != *digest {
            return Err(RegistryError::Tampered {
                what: format!("the manifest {repository}@{digest}"),
                host: repository.host().to_owned(),
                expected: digest.to_string(),
                actual: actual.to_string(),
            });
        }
        Ok(manifest)
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
        let get = |client: Client, address: Address, auth: RegistryAuth| -> Work<'_, _> {
            Box::pin(async move {
                client
                    .store_auth_if_needed(address.resolve_registry(), &auth)
                    .await;
                let descriptor = descriptor(digest, 0);
                let mut stream = client.pull_blob_stream(&address, &descriptor).await?.stream;
                let mut bytes = Vec::new();
                while let Some(chunk) = stream.next().await {
                    bytes.extend_from_slice(&chunk?);
                    if bytes.len() > limit {
                        let text = format!("it is larger than {limit} bytes");
                        return Err(OciDistributionError::GenericError(Some(text)));
                    }
                }
                Ok(Bytes::from(bytes))
            })
        };
        self.ask(asked, "", &get).await
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
        let target = Target { what, digest, size };
        let get = |client: Client, address: Address, auth: RegistryAuth| -> Work<'_, _> {
            Box::pin(async move {
                client
                    .store_auth_if_needed(address.resolve_registry(), &auth)
                    .await;
                let mut filling = filling.lock().await;
                fill(&client, &address, target, &mut filling, report).await
            })
        };
        let outcome: Result<(), StoreError> = self.ask(asked, "", &get).await?;
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
        let digest = Digest::of(manifest);
        let send = |client: Client, address: Address, auth: RegistryAuth| -> Work<'_, _> {
            Box::pin(async move {
                client
                    .auth(&address, &auth, oci_client::RegistryOperation::Push)
                    .await?;
                for blob in blobs {
                    let digest = Digest::of(blob);
                    if !client.blob_exists(&address, digest.as_str()).await? {
                        client
                            .push_blob(&address, blob.clone(), digest.as_str())
                            .await?;
                    }
                }
                let kind = http::HeaderValue::from_static(MANIFESTS[0]);
                client
                    .push_manifest_raw(&address, manifest.clone(), kind)
                    .await?;
                Ok(())
            })
        };
        self.ask_one(asked, repository.host(), &format!(":{tag}"), &send)
            .await?;
        Ok(digest)
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
        let list = |client: Client, address: Address, auth: RegistryAuth| -> Work<'_, _> {
            Box::pin(async move {
                let answer = client.catalog(&address, &auth, Some(PAGE), None).await?;
                Ok(answer.repositories)
            })
        };
        self.ask_one(asked, host, "", &list).await
    }

    /// Asks the mirrors, and then the registry itself.
    async fn ask<'a, T>(
        &self,
        asked: Asked<'_>,
        which: &str,
        work: &(dyn Fn(Client, Address, RegistryAuth) -> Work<'a, T> + Send + Sync),
    ) -> Result<T, RegistryError> {
        let settings = self.inner.settings.get(asked.repository.host());
        for mirror in settings.iter().flat_map(|settings| &settings.mirrors) {
            // Whatever is wrong with a mirror, the registry itself decides.
            if let Ok(done) = self.ask_one(asked, mirror, which, work).await {
                return Ok(done);
            }
        }
        self.ask_one(asked, asked.repository.host(), which, work)
            .await
    }

    async fn ask_one<'a, T>(
        &self,
        asked: Asked<'_>,
        host: &str,
        which: &str,
        work: &(dyn Fn(Client, Address, RegistryAuth) -> Work<'a, T> + Send + Sync),
    ) -> Result<T, RegistryError> {
        let action = asked.action.to_owned();
        let address = format!("{host}/{}{which}", asked.repository.path());
        let address: Address = address.parse().map_err(|error| RegistryError::NotFound {
            action: action.clone(),
            host: host.to_owned(),
            help: format!("its name can't be asked for: {error}"),
        })?;
        let login = self.inner.credentials.of(&format!("{host}/x")).await?;
        let user = login.as_ref().map(Login::user);
        let client = self.client(host)?;
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let auth = shown(login.as_ref());
            let error = match work(client.clone(), address.clone(), auth).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let host = host.to_owned();
            let last = attempt >= TRIES;
            return Err(match kind(&error) {
                Kind::Passing(_) | Kind::Unreachable(_) if !last => {
                    tokio::time::sleep(jittered(wait)).await;
                    wait *= 2;
                    continue;
                }
                Kind::Passing(reason) | Kind::Other(reason) => RegistryError::Failed {
                    action,
                    host,
                    reason,
                },
                Kind::Unreachable(reason) => RegistryError::Unreachable {
                    action,
                    host,
                    reason,
                },
                Kind::Denied => RegistryError::Denied { action, host, user },
                Kind::NotFound => RegistryError::NotFound {
                    action,
                    help: format!(
                        "see that the path and the version are right: `rengine plugin info {}` \
                         lists versions. Some registries say so of what one may not see",
                        asked.repository
                    ),
                    host,
                },
                Kind::Digest { expected, actual } => RegistryError::Tampered {
                    what: format!("{}{which}", asked.repository),
                    host,
                    expected,
                    actual,
                },
            });
        }
        Err(RegistryError::Failed {
            action,
            host: host.to_owned(),
            reason: "it was not tried".to_owned(),
        })
    }

    fn client(&self, host: &str) -> Result<Client, RegistryError> {
        let mut clients = self
            .inner
            .clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(host) {
            return Ok(client.clone());
        }
        let error = |reason: String| RegistryError::Certificates {
            host: host.to_owned(),
            reason,
        };
        // Whoever came first has set it: then it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = is_loopback(host) && !self.is_tls(host);
        let mut roots = match plain {
            true => Vec::new(),
            false => self.inner.roots.get_or_init(system_roots).clone(),
        };
        if let Some(own) = self
            .inner
            .settings
            .get(host)
            .and_then(|set| set.ca.as_ref())
        {
            let own = pem_certificates(own).map_err(error)?;
            roots.extend(own);
        }
        let config = ClientConfig {
            protocol: match plain {
                true => ClientProtocol::Http,
                false => ClientProtocol::Https,
            },
            tls_certs_only: roots,
            platform_resolver: None,
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            user_agent: concat!("rengine/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|wrong| error(wrong.to_string()))?;
        clients.insert(host.to_owned(), client.clone());
        Ok(client)
    }

    /// A registry on this machine with a certificate of its own is asked with TLS.
    fn is_tls(&self, host: &str) -> bool {
        let settings = self.inner.settings.get(host);
        settings.is_some_and(|settings| settings.ca.is_some())
    }
}

/// A time around this one, so that many who were turned away do not all come back at once.
fn jittered(time: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(std::process::id()) % 1000;
    let random = u32::try_from(random).unwrap_or_default();
    time / 2 + time * random / 1000
}

fn shown(login: Option<&Login>) -> RegistryAuth {
    match login {
        Some(Login {
            registry_token: Some(token),
            ..
        }) => RegistryAuth::Bearer(token.clone()),
        Some(Login {
            username: Some(user),
            password: Some(password),
            ..
        }) => RegistryAuth::Basic(user.clone(), password.clone()),
        // Token servers that know identity tokens take them as the password of nobody.
        Some(Login {
            identity_token: Some(token),
            ..
        }) => RegistryAuth::Basic(
            "00000000-0000-0000-0000-000000000000".to_owned(),
            token.clone(),
        ),
        _ => RegistryAuth::Anonymous,
    }
}

fn system_roots() -> Vec<Certificate> {
    let found = rustls_native_certs::load_native_certs();
    found
        .certs
        .into_iter()
        .map(|certificate| Certificate {
            encoding: CertificateEncoding::Der,
            data: certificate.to_vec(),
        })
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
    let found = found.into_iter().map(|certificate| Certificate {
        encoding: CertificateEncoding::Der,
        data: certificate.to_vec(),
    });
    Ok(found.collect())
}

fn descriptor(digest: &Digest, size: u64) -> OciDescriptor {
    OciDescriptor {
        digest: digest.to_string(),
        size: i64::try_from(size).unwrap_or(i64::MAX),
        ..OciDescriptor::default()
    }
}

#[derive(Clone, Copy)]
struct Target<'a> {
    what: &'a str,
    digest: &'a Digest,
    size: u64,
}

/// Downloads, and puts it in its place if it is what was asked for. What was there before may be
/// wrong: then it begins anew, once.
async fn fill(
    client: &Client,
    address: &Address,
    target: Target<'_>,
    filling: &mut Filling,
    report: &Report,
) -> Result<Result<(), StoreError>, OciDistributionError> {
    let mut resumed = match filling.len().await {
        Ok(have) => have > 0,
        Err(error) => return Ok(Err(error)),
    };
    loop {
        if let Err(error) = download(client, address, target, filling, report).await? {
            return Ok(Err(error));
        }
        let actual = match filling.finish(target.digest, target.size).await {
            Ok(Ok(())) => return Ok(Ok(())),
            Ok(Err(actual)) => actual,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = filling.clear().await {
            return Ok(Err(error));
        }
        if !resumed {
            return Err(DigestError::VerificationError {
                expected: target.digest.to_string(),
                actual,
            }
            .into());
        }
        resumed = false;
    }
}

/// Goes on from what is in the file. What the registry does wrong is an error of the outer kind, what
/// the disk does of the inner: no other registry mends that.
async fn download(
    client: &Client,
    address: &Address,
    target: Target<'_>,
    filling: &mut Filling,
    report: &Report,
) -> Result<Result<(), StoreError>, OciDistributionError> {
    let mut have = match filling.len().await {
        Ok(have) => have,
        Err(error) => return Ok(Err(error)),
    };
    if have > target.size {
        if let Err(error) = filling.clear().await {
            return Ok(Err(error));
        }
        have = 0;
    }
    if have == target.size {
        return Ok(Ok(()));
    }
    let descriptor = descriptor(target.digest, target.size);
    let answer = match have {
        0 => BlobResponse::Full(client.pull_blob_stream(address, &descriptor).await?),
        _ => {
            client
                .pull_blob_stream_partial(address, &descriptor, have, None)
                .await?
        }
    };
    let mut stream = match answer {
        BlobResponse::Full(sized) => {
            if let Err(error) = filling.clear().await {
                return Ok(Err(error));
            }
            have = 0;
            sized.stream
        }
        BlobResponse::Partial(sized) => sized.stream,
    };
    let mut told = Instant::now();
    let file = filling.file();
    if let Err(error) = file.seek(std::io::SeekFrom::End(0)).await {
        return Ok(Err(filling.error(&error)));
    }
    while let Some(chunk) = stream.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            // The client checks the digest at the end of a stream; so does the store, which knows
            // what to do about it.
            Err(_) if have >= target.size => break,
            Err(error) => {
                // What came until now is gone on with.
                if let Err(error) = filling.file().flush().await {
                    return Ok(Err(filling.error(&error)));
                }
                return Err(error.into());
            }
        };
        have += chunk.len() as u64;
        if have > target.size {
            // More than was announced: the digest will not fit, and the disk is not for filling.
            break;
        }
        if let Err(error) = filling.file().write_all(&chunk).await {
            let told = filling.error(&error);
            // It may be that which filled the disk.
            let _ = filling.clear().await;
            return Ok(Err(told));
        }
        if told.elapsed() >= TELL || have >= target.size {
            told = Instant::now();
            report(Transfer {
                what: target.what.to_owned(),
                done: have,
                total: target.size,
            });
        }
    }
    if let Err(error) = filling.file().flush().await {
        return Ok(Err(filling.error(&error)));
    }
    if have < target.size {
        let text = format!("{have} of {} bytes came", target.size);
        let cut = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, text);
        return Err(cut.into());
    }
    Ok(Ok(()))
}

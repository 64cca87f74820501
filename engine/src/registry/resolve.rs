//! From sources to files: what plugins.lock says, or what a registry says today; from the folder of
//! vendored plugins, the store or a registry; checked before anybody sees it.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::manifest::version_of;
use super::store::read_signatures;
use super::{
    Described, Digest, Lock, Locked, Part, Registries, RegistryError, Repository, Signature,
    Signer, Source, Store, Trust, Untrusted,
};

/// Plugins that are kept with the project, by digest, as in the store.
pub const VENDOR_FOLDER: &str = "plugins.vendor";

/// What may be asked, and what may change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mode {
    /// plugins.lock has to say all, and stays as it is.
    pub locked: bool,
    /// No registry is asked.
    pub offline: bool,
}

impl Mode {
    pub(super) fn flag(self) -> Option<&'static str> {
        match (self.locked, self.offline) {
            (true, _) => Some("--locked"),
            (false, true) => Some("--offline"),
            (false, false) => None,
        }
    }
}

/// A plugin that is here, and is what its digests say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Its name in plugins.toml.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// What is locked of it.
    pub locked: Locked,
    /// What its manifest says of it.
    pub described: Described,
    /// Where it came from.
    pub repository: Repository,
    /// Whose signatures it has, where one is needed.
    pub signers: Vec<Signer>,
}

/// What became of all sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The plugins, in the order of plugins.toml.
    pub plugins: Vec<Resolved>,
    /// plugins.lock as it should be.
    pub lock: Lock,
    /// True if that is another than it was.
    pub changed: bool,
}

/// Finds the files of plugins.
#[derive(Clone)]
pub struct Resolver {
    pub(super) registries: Registries,
    pub(super) store: Store,
    vendor: PathBuf,
    trust: Trust,
    pub(super) mode: Mode,
}

impl Resolver {
    /// One for the project in `folder`.
    pub fn new(
        registries: Registries,
        store: Store,
        folder: &Path,
        trust: Trust,
        mode: Mode,
    ) -> Self {
        Self {
            registries,
            store,
            vendor: folder.join(VENDOR_FOLDER),
            trust,
            mode,
        }
    }

    /// Finds all of them at the same time. What plugins.lock says holds for those whose source is the
    /// same as there; for others, and for those that `anew` names, a registry is asked.
    ///
    /// # Errors
    ///
    /// The first that can't be had, in the order given.
    pub async fn resolve(
        &self,
        sources: &[(String, Source)],
        lock: &Lock,
        anew: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Resolution, RegistryError> {
        let work = sources.iter().map(|(name, source)| {
            let locked = lock
                .get(name)
                .filter(|locked| locked.source == source.to_string() && !anew(name));
            self.one(name, source, locked)
        });
        let plugins: Result<Vec<_>, _> = futures_util::future::join_all(work)
            .await
            .into_iter()
            .collect();
        let plugins = plugins?;
        let mut new = Lock {
            bases: lock.bases.clone(),
            ..Lock::default()
        };
        for plugin in &plugins {
            new.set(plugin.locked.clone());
        }
        let changed = new != *lock;
        Ok(Resolution {
            plugins,
            lock: new,
            changed,
        })
    }

    async fn one(
        &self,
        name: &str,
        source: &Source,
        locked: Option<&Locked>,
    ) -> Result<Resolved, RegistryError> {
        let repository = &source.repository;
        let part = Part::Plugin(name.to_owned());
        let locked_at = locked.map(|locked| (&locked.version, &locked.digest));
        let (version, digest, manifest) = self.artifact(&part, source, locked_at).await?;
        let described = Described::of(&manifest, &format!("{repository}@{digest}"))?;
        let drift = |what: String| RegistryError::Drift {
            part: part.clone(),
            against: "artifact",
            what,
        };
        if let Some(locked) = locked {
            if locked.component != described.component {
                return Err(drift(format!(
                    "its component is {}, and the artifact has {}",
                    locked.component, described.component
                )));
            }
            if locked.size != described.size {
                let (said, is) = (locked.size, described.size);
                return Err(drift(format!(
                    "its component has {said} bytes, and not {is}"
                )));
            }
        }
        // Before a byte of the component is here.
        let trust = self.trust.of(name);
        let signers = self.trusted(&part, trust, repository, &digest).await?;
        let (component, size) = (&described.component, described.size);
        let path = self
            .blob(&part, repository, &digest, (component, size))
            .await?;
        let outline = self
            .store
            .outline(&described.component, &path)
            .and_then(|outline| match outline.hooks().is_empty() {
                false => Ok(outline),
                true => Err("it exports no hook of rengine".to_owned()),
            })
            .map_err(|reason| RegistryError::NotPlugin {
                reference: format!("{repository}@{digest}"),
                reason,
                help: "it was published as one: tell those who did".to_owned(),
            })?;
        let is = Locked {
            name: name.to_owned(),
            source: source.to_string(),
            version,
            digest,
            component: described.component.clone(),
            size: described.size,
            wit: outline.wit(),
            hooks: outline.hooks(),
            imports: outline.imports,
        };
        // An update is compared with what is locked, so that has to be true, too.
        if let Some(said) = locked.filter(|said| **said != is) {
            let what = match (said.hooks == is.hooks, said.imports == is.imports) {
                (false, _) => "hooks",
                (true, false) => "imports",
                (true, true) => "interface",
            };
            return Err(drift(format!("its {what} are others than the component's")));
        }
        Ok(Resolved {
            name: name.to_owned(),
            path,
            locked: is,
            described,
            repository: repository.clone(),
            signers,
        })
    }

    /// The artifact that is locked, or else the one that its registry picks today: its version, and its
    /// manifest with the digest of that.
    pub(super) async fn artifact(
        &self,
        part: &Part,
        source: &Source,
        locked: Option<(&Option<String>, &Digest)>,
    ) -> Result<(Option<String>, Digest, Bytes), RegistryError> {
        let repository = &source.repository;
        if let Some((version, digest)) = locked {
            // Otherwise who changes one line of plugins.lock has another artifact run than plugins.toml names.
            if let Some(what) = source.pick.misses(version.as_deref(), digest) {
                return Err(RegistryError::Drift {
                    part: part.clone(),
                    against: "source",
                    what,
                });
            }
            let manifest = self.manifest(part, repository, digest).await?;
            let said = version_of(&manifest);
            // Otherwise an old one runs under the name of a new one, signed as it is.
            if let Some(what) = source.pick.denies(version.as_deref(), said.as_deref()) {
                return Err(RegistryError::Drift {
                    part: part.clone(),
                    against: "artifact",
                    what,
                });
            }
            return Ok((version.clone(), digest.clone(), manifest));
        }
        if let Some(mode) = self.mode.flag() {
            return Err(RegistryError::NotLocked {
                part: part.clone(),
                mode,
            });
        }
        let picked = self.registries.pick(repository, &source.pick).await?;
        let (version, digest, manifest) = &picked;
        // It could be locked, and would be refused from then on.
        let said = version_of(manifest);
        if let Some(reason) = source.pick.denies(version.as_deref(), said.as_deref()) {
            return Err(RegistryError::Mislabelled {
                reference: format!("{repository}@{digest}"),
                reason,
            });
        }
        self.store.put(manifest)?;
        Ok(picked)
    }

    /// Who vouches for an artifact: as the signatures say that are kept here, or else those that the
    /// registry has by now.
    pub(super) async fn trusted(
        &self,
        part: &Part,
        trust: &Trust,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<Signer>, RegistryError> {
        let untrusted = |why: Untrusted| RegistryError::Untrusted {
            part: part.clone(),
            artifact: format!("{repository}@{digest}"),
            help: match trust.keys_for(repository).is_empty() {
                true => "`[trust]` in plugins.toml has no key for it".to_owned(),
                false => "who publishes it signs it with `rengine plugin push --sign`, or \
                          `rengine plugin sign`"
                    .to_owned(),
            },
            why: Box::new(why),
        };
        if !trust.require {
            return Ok(Vec::new());
        }
        let vendored = read_signatures(&self.vendor.join(format!("{}.sig", digest.hex())));
        let mut kept = self.store.signatures(digest);
        kept.extend(vendored);
        let why = match trust.check(&kept, repository, digest) {
            Ok(signers) => return Ok(signers),
            Err(why) => why,
        };
        if self.mode.offline {
            return Err(untrusted(why));
        }
        let check = |found: &[Signature]| trust.check(found, repository, digest);
        let signed = self.registries.signed(repository, digest, check).await?;
        let (found, signers) = signed.map_err(untrusted)?;
        self.store.put_signatures(digest, &found)?;
        Ok(signers)
    }

    pub(super) async fn manifest(
        &self,
        part: &Part,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Bytes, RegistryError> {
        if let Some(path) = self.vendored(digest)?
            && let Ok(bytes) = std::fs::read(path)
            && Digest::of(&bytes) == *digest
        {
            return Ok(bytes.into());
        }
        if let Some(bytes) = self.store.read(digest)? {
            return Ok(bytes.into());
        }
        self.online(part, digest)?;
        let bytes = self.registries.manifest(repository, digest).await?;
        self.store.put(&bytes)?;
        Ok(bytes)
    }

    /// The file of what an artifact is made of: a component, or the text of a base.
    pub(super) async fn blob(
        &self,
        part: &Part,
        repository: &Repository,
        artifact: &Digest,
        (digest, size): (&Digest, u64),
    ) -> Result<PathBuf, RegistryError> {
        if let Some(path) = self.vendored(digest)? {
            return Ok(path);
        }
        loop {
            if let Some(path) = self.store.get(digest)? {
                return Ok(path);
            }
            self.online(part, artifact)?;
            self.registries
                .fetch(repository, digest, size, &self.store)
                .await?;
        }
    }

    fn vendored(&self, digest: &Digest) -> Result<Option<PathBuf>, RegistryError> {
        let path = self.vendor.join(digest.hex());
        Ok(self.store.is(&path, digest)?.then_some(path))
    }

    fn online(&self, part: &Part, digest: &Digest) -> Result<(), RegistryError> {
        match self.mode.offline {
            false => Ok(()),
            true => Err(RegistryError::NotKept {
                part: part.clone(),
                digest: digest.to_string(),
            }),
        }
    }
}

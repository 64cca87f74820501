//! Where the plugins of an app come from: files beside plugins.toml, and registries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Demand, DeployError, Event, Reporter, cache_folder};
use crate::credentials::Credentials;
use crate::manifest::{FILE_NAME, Manifest, PluginSource};
use crate::registry::{
    Lock, LockedBase, Mode, Part, Registries, RegistryError, RegistrySettings, Resolution,
    Resolved, Resolver, Signer, Source, Store, Transfer, Trust,
};
use crate::release::{ArtifactRecord, SignerRecord};

/// How plugins are had.
#[derive(Clone)]
pub struct Sources {
    /// What may be asked, and what may change.
    pub mode: Mode,
    /// Who one is to registries.
    pub credentials: Credentials,
    /// Who is told of downloads, and of what is locked.
    pub reporter: Arc<dyn Reporter>,
    /// The bases that whoever runs this wants extended.
    pub demands: Vec<Demand>,
}

impl Sources {
    /// Registries with these settings, by host.
    pub fn registries(&self, settings: BTreeMap<String, RegistrySettings>) -> Registries {
        let reporter = self.reporter.clone();
        Registries::new(
            self.credentials.clone(),
            settings,
            move |Transfer { what, done, total }| {
                reporter.report(Event::Download { what, done, total });
            },
        )
    }
}

/// A plugin's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it came as, where that was from a registry.
    pub artifact: Option<ArtifactRecord>,
}

impl PluginFile {
    fn of(resolved: Resolved) -> Self {
        let Resolved {
            path,
            locked,
            repository,
            signers,
            ..
        } = resolved;
        Self {
            path,
            artifact: Some(ArtifactRecord {
                repository: repository.to_string(),
                version: locked.version,
                digest: locked.digest.to_string(),
                signers: self::signers(signers.into_iter()),
            }),
        }
    }
}

/// Whose signatures counted, as it is recorded.
pub fn signers(signers: impl Iterator<Item = Signer>) -> Vec<SignerRecord> {
    let signers = signers.map(|Signer { key, fingerprint }| SignerRecord { key, fingerprint });
    signers.collect()
}

/// What of a manifest is needed to have its plugins.
#[derive(Debug, Clone)]
pub struct WantedPlugins {
    lock: PathBuf,
    folder: PathBuf,
    registries: BTreeMap<String, RegistrySettings>,
    trust: Trust,
    plugins: Vec<(String, PluginSource)>,
    bases: Vec<LockedBase>,
}

impl WantedPlugins {
    /// Those of a manifest.
    pub fn of(manifest: &Manifest) -> Self {
        let plugins = manifest.plugins.iter();
        let default = manifest.dir.join(FILE_NAME);
        let path = manifest.path.as_deref().unwrap_or(&default);
        Self {
            lock: Lock::beside(path),
            folder: path.parent().unwrap_or(&manifest.dir).to_owned(),
            registries: manifest.registries.clone(),
            trust: manifest.trust.clone(),
            plugins: plugins
                .map(|(name, entry)| (name.to_string(), entry.from.clone()))
                .collect(),
            bases: manifest.policy.locked.clone(),
        }
    }

    /// Those that come from registries.
    pub fn remote(&self) -> Vec<(String, Source)> {
        let remote = self.plugins.iter().filter_map(|(name, from)| match from {
            PluginSource::Registry(source) => Some((name.clone(), source.clone())),
            PluginSource::File(_) => None,
        });
        remote.collect()
    }

    /// The bases that come from registries, as plugins.lock should have them.
    pub fn bases(&self) -> &[LockedBase] {
        &self.bases
    }

    /// Tells, if nobody has said whose plugins may run here, that anybody's may.
    pub fn warn_of_trust(&self, reporter: &dyn Reporter) {
        let mut remote = self.remote();
        remote.retain(|(name, _)| !self.trust.of(name).given);
        if remote.is_empty() {
            return;
        }
        let names: Vec<_> = remote.iter().map(|(name, _)| name.as_str()).collect();
        reporter.report(Event::Warning {
            message: format!(
                "nobody's signature is asked for: whoever can write to the registry chooses what is locked next of {}",
                names.join(", ")
            ),
            help: Some(
                "add `[trust]` with `keys = [\"NAME.pub\"]` to plugins.toml; with `require = false` this is not told"
                    .to_owned(),
            ),
        });
    }

    /// plugins.lock.
    pub fn lock_path(&self) -> &Path {
        &self.lock
    }

    /// Reads plugins.lock.
    ///
    /// # Errors
    ///
    /// If it can't be used.
    pub fn lock(&self) -> Result<Lock, RegistryError> {
        Ok(Lock::load(&self.lock).map_err(Box::new)?)
    }

    /// Registries as plugins.toml has them reached.
    pub fn registries(&self, sources: &Sources) -> Registries {
        sources.registries(self.registries.clone())
    }

    /// What finds the files.
    ///
    /// # Errors
    ///
    /// If the store can't be used.
    pub fn resolver(&self, sources: &Sources) -> Result<Resolver, RegistryError> {
        let registries = self.registries(sources);
        Ok(Resolver::new(
            registries,
            store()?,
            &self.folder,
            self.trust.clone(),
            sources.mode,
        ))
    }

    /// Has all plugins, and keeps plugins.lock. They are in the order of plugins.toml.
    ///
    /// # Errors
    ///
    /// The first that can't be had.
    pub async fn files(&self, sources: &Sources) -> Result<Vec<PluginFile>, DeployError> {
        let remote = self.remote();
        let mut found = BTreeMap::new();
        let lock = match remote.is_empty() && !self.lock.exists() {
            true => Lock::default(),
            false => self.lock()?,
        };
        if let Some(left) = self.left(&lock, &remote).filter(|_| sources.mode.locked) {
            // It locks nothing, but it is not what would be written.
            return Err(left.into());
        }
        if !remote.is_empty() || !lock.is_empty() || !self.bases.is_empty() {
            let mut resolution = match remote.is_empty() {
                // No store is needed to see that nothing is locked any more.
                true => Resolution::default(),
                false => {
                    let resolver = self.resolver(sources)?;
                    resolver.resolve(&remote, &lock, &|_| false).await?
                }
            };
            resolution.lock.set_bases(&self.bases);
            if resolution.lock != lock && !sources.mode.locked {
                self.keep(&lock, &resolution.lock, &*sources.reporter)?;
            }
            let plugins = resolution.plugins.into_iter();
            found = plugins
                .map(|plugin| (plugin.name.clone(), PluginFile::of(plugin)))
                .collect();
        }
        let files = self.plugins.iter().filter_map(|(name, from)| match from {
            PluginSource::File(path) => Some(PluginFile {
                path: path.clone(),
                artifact: None,
            }),
            PluginSource::Registry(_) => found.remove(name),
        });
        Ok(files.collect())
    }

    /// What is locked and not wanted any more.
    fn left(&self, lock: &Lock, remote: &[(String, Source)]) -> Option<RegistryError> {
        let known = |name: &str| remote.iter().any(|(known, _)| known == name);
        let plugin = lock.plugins.iter().find(|locked| !known(&locked.name));
        if let Some(plugin) = plugin {
            return Some(RegistryError::Left {
                part: Part::Plugin(plugin.name.clone()),
                mode: "--locked",
            });
        }
        let known = |base: &LockedBase| self.bases.iter().any(|known| known.source == base.source);
        let base = lock.bases.iter().find(|locked| !known(locked))?;
        Some(RegistryError::Left {
            part: Part::Base(base.source.clone()),
            mode: "--locked",
        })
    }

    /// Writes plugins.lock, and tells what is new in it.
    ///
    /// # Errors
    ///
    /// If it can't be written.
    pub fn keep(
        &self,
        old: &Lock,
        new: &Lock,
        reporter: &dyn Reporter,
    ) -> Result<(), RegistryError> {
        new.store(&self.lock).map_err(Box::new)?;
        for base in &new.bases {
            if old.base(&base.source) != Some(base) {
                reporter.report(Event::BaseLocked {
                    base: base.source.clone(),
                    version: base.version.clone(),
                    digest: base.digest.to_string(),
                });
            }
        }
        for plugin in &new.plugins {
            if old.get(&plugin.name) != Some(plugin) {
                reporter.report(Event::PluginLocked {
                    plugin: plugin.name.clone(),
                    version: plugin.version.clone(),
                    digest: plugin.digest.to_string(),
                });
            }
        }
        Ok(())
    }
}

/// The store of this user.
///
/// # Errors
///
/// If it can't be used.
pub fn store() -> Result<Store, RegistryError> {
    let folder = cache_folder().unwrap_or_else(|| std::env::temp_dir().join("rengine"));
    Ok(Store::open(&folder.join("store"))?)
}

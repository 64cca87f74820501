//! Where the plugins of an app come from: files beside plugins.toml, and registries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{DeployError, Event, Reporter, cache_folder};
use crate::credentials::Credentials;
use crate::manifest::{FILE_NAME, Manifest, PluginSource};
use crate::registry::{
    Lock, Mode, Registries, RegistryError, RegistrySettings, Resolution, Resolved, Resolver,
    Source, Store, Transfer, Trust,
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
        let signers = signers.into_iter().map(|signer| SignerRecord {
            key: signer.key,
            fingerprint: signer.fingerprint,
        });
        Self {
            path,
            artifact: Some(ArtifactRecord {
                repository: repository.to_string(),
                version: locked.version,
                digest: locked.digest.to_string(),
                signers: signers.collect(),
            }),
        }
    }
}

/// What of a manifest is needed to have its plugins.
#[derive(Debug, Clone)]
pub struct WantedPlugins {
    lock: PathBuf,
    folder: PathBuf,
    registries: BTreeMap<String, RegistrySettings>,
    trust: Trust,
    plugins: Vec<(String, PluginSource)>,
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

    /// Tells, if nobody has said whose plugins may run here, that anybody's may.
    pub fn warn_of_trust(&self, reporter: &dyn Reporter) {
        let remote = self.remote();
        if self.trust.given || remote.is_empty() {
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
        let known = |name: &str| remote.iter().any(|(known, _)| known == name);
        let left = lock.plugins.iter().find(|locked| !known(&locked.name));
        if let Some(left) = left.filter(|_| sources.mode.locked) {
            // It locks nothing, but it is not what would be written.
            return Err(RegistryError::Drift {
                plugin: left.name.clone(),
                what: "plugins.toml has no such plugin in a registry".to_owned(),
            }
            .into());
        }
        if !remote.is_empty() || !lock.plugins.is_empty() {
            let resolution = match remote.is_empty() {
                // No store is needed to see that nothing is locked any more.
                true => Resolution {
                    changed: !lock.plugins.is_empty(),
                    ..Resolution::default()
                },
                false => {
                    let resolver = self.resolver(sources)?;
                    resolver.resolve(&remote, &lock, &|_| false).await?
                }
            };
            if resolution.changed && !sources.mode.locked {
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

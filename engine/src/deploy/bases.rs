//! Has the bases that a project extends: files, and artifacts of registries, which are verified before anything
//! of them is believed.

mod demand;

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use miette::Diagnostic;

use super::DeployError;
use super::sources::{Sources, store};
use crate::manifest::{Base, BaseFrom, Bases, Draft, Extended, Fragment, ManifestError, Target};
use crate::registry::{Digest, Lock, RegistryError, Resolver, Signer, Source, Trust};

pub use demand::Demand;

/// How deep bases may extend others.
const MAX_DEPTH: usize = 8;
/// How many bases a project may have, with those of its bases.
const MAX_BASES: usize = 32;

/// Says of a base's source that its registry is to be asked anew, whatever is locked.
pub type Anew<'a> = &'a (dyn Fn(&Source) -> bool + Sync);

/// Has all bases of a project: those of each file in its order, each behind those that it extends itself. What
/// plugins.lock says of them holds, but for those that `anew` names; nothing is written.
///
/// # Errors
///
/// The first that can't be had, is not trusted, or says what can't be meant.
pub async fn gather(
    draft: &Draft,
    sources: &Sources,
    anew: Anew<'_>,
) -> Result<Bases, DeployError> {
    let head = draft.fragment().head()?;
    if head.extends.is_empty() {
        return Ok(Bases::none());
    }
    let path = Lock::beside(&draft.path());
    let lock = Lock::load(&path).map_err(|error| RegistryError::from(Box::new(error)))?;
    let mut gathering = Gathering {
        draft,
        sources,
        anew,
        lock,
        registries: head.registries,
        resolver: None,
        seen: Vec::new(),
        found: Vec::new(),
    };
    let whose = Whose {
        trust: Arc::new(head.trust.unwrap_or_default()),
        vouched: true,
        above: Vec::new(),
        demanded: false,
        depth: 0,
    };
    gathering
        .visit(draft.fragment().clone(), head.extends, whose)
        .await?;
    Ok(Bases::Known(gathering.found))
}

/// What a base is known by: no two of one are put together.
#[derive(Debug, Clone, PartialEq)]
enum Id {
    File(PathBuf),
    Source(String),
    Artifact(String),
}

/// Whoever extends bases.
#[derive(Clone)]
struct Whose {
    /// Whose word counts for them.
    trust: Arc<Trust>,
    /// True if somebody vouches for what it says.
    vouched: bool,
    /// It and those that extend it.
    above: Vec<Id>,
    /// True if whoever runs the deploys wants it extended.
    demanded: bool,
    depth: usize,
}

struct Gathering<'a> {
    draft: &'a Draft,
    sources: &'a Sources,
    anew: Anew<'a>,
    lock: Lock,
    registries: std::collections::BTreeMap<String, crate::registry::RegistrySettings>,
    resolver: Option<Resolver>,
    /// Those that are there, and whether whoever runs the deploys wants them.
    seen: Vec<(Id, bool)>,
    found: Vec<Base>,
}

impl<'a> Gathering<'a> {
    fn visit<'s>(
        &'s mut self,
        fragment: Fragment,
        extends: Vec<Extended>,
        whose: Whose,
    ) -> BoxFuture<'s, Result<(), DeployError>>
    where
        'a: 's,
    {
        Box::pin(async move {
            for entry in extends {
                self.one(&fragment, &entry, &whose).await?;
            }
            Ok(())
        })
    }

    async fn one(
        &mut self,
        by: &Fragment,
        entry: &Extended,
        whose: &Whose,
    ) -> Result<(), DeployError> {
        let refused = |message: String, help: &str| -> DeployError {
            by.error(entry, message, Some(help.to_owned())).into()
        };
        let (id, path) = match &entry.target {
            Target::Registry(source) => (Id::Source(source.to_string()), PathBuf::new()),
            Target::File(path) => {
                let path = std::fs::canonicalize(path).map_err(|error| {
                    let message = format!("the base {} can't be read: {error}", entry.text);
                    refused(message, "paths are relative to the file that names them")
                })?;
                (Id::File(path.clone()), path)
            }
        };
        let circle = || {
            let message = format!("the base {} extends itself", entry.text);
            refused(message, "take this one out, or what extends it")
        };
        if whose.above.contains(&id) {
            return Err(circle());
        }
        if let Some((_, demanded)) = self.seen.iter().find(|(seen, _)| *seen == id) {
            if whose.demanded && !demanded {
                // It was believed for what the project says of it.
                let message = format!(
                    "the base {} is a part of one that whoever runs the deploys asks for, and is extended before",
                    entry.text
                );
                return Err(refused(message, "take it out of `extends` there"));
            }
            // It is there, before all that extend it.
            return Ok(());
        }
        if whose.depth >= MAX_DEPTH {
            let message = format!("bases extend bases more than {MAX_DEPTH} deep");
            return Err(refused(message, "extend fewer from one another"));
        }
        if self.seen.len() >= MAX_BASES {
            let message = format!("there are more than {MAX_BASES} bases");
            return Err(refused(message, "put some of them together"));
        }
        let demand = match &entry.target {
            Target::Registry(source) => {
                let mut demands = self.sources.demands.iter();
                demands.find(|demand| demand.repository == source.repository)
            }
            Target::File(_) => None,
        };
        let demanded = whose.demanded || demand.is_some();
        self.seen.push((id.clone(), demanded));
        let mut above = whose.above.clone();
        above.push(id);
        let mut trust = whose.trust.clone();
        let (fragment, from, vouched) = match &entry.target {
            Target::File(_) => {
                let read = Fragment::file(&path, self.draft.dir());
                let fragment = read.map_err(|error| match error {
                    ManifestError::Missing { .. } | ManifestError::Read { .. } => {
                        let message = format!("the base {} can't be used: {error}", entry.text);
                        refused(message, "it is to be a part of a plugins.toml")
                    }
                    other => other.into(),
                })?;
                let digest = Digest::of(fragment.text().as_bytes()).to_string();
                (fragment, BaseFrom::File(digest), whose.vouched)
            }
            Target::Registry(source) => {
                let locked = self.lock.base(&source.to_string());
                let locked = locked.filter(|_| !(self.anew)(source)).cloned();
                let resolver = self.resolver()?;
                let wrong = |error: RegistryError| DeployError::Base {
                    at: entry.at.clone(),
                    help: error.help().map(|help| help.to_string()),
                    error: Box::new(error),
                };
                let base = resolver.base(source, &whose.trust, locked.as_ref()).await;
                let mut base = base.map_err(wrong)?;
                if let Some(demand) = demand {
                    let signers = demand.check(&resolver, source, &base.locked).await;
                    for signer in signers.map_err(wrong)? {
                        let same = |known: &Signer| known.fingerprint == signer.fingerprint;
                        if !base.signers.iter().any(same) {
                            base.signers.push(signer);
                        }
                    }
                    if !demand.keys.is_empty() {
                        trust = Arc::new(demand.trust());
                    }
                }
                let id = Id::Artifact(base.locked.digest.to_string());
                if whose.above.contains(&id) {
                    return Err(circle());
                }
                above.push(id);
                let repository = &source.repository;
                let name = match &base.locked.version {
                    Some(version) => format!("{repository}:{version}"),
                    None => format!("{repository}@{}", base.locked.digest.short()),
                };
                let fixed = matches!(source.pick, crate::registry::Pick::Digest { .. });
                let vouched = !base.signers.is_empty() || (fixed && whose.vouched);
                let fragment = Fragment::artifact(name, base.content)?;
                let from = BaseFrom::Registry(base.locked, base.signers);
                (fragment, from, vouched)
            }
        };
        let head = fragment.head()?;
        let trust = trust.below(head.trust.as_ref());
        let below = Whose {
            trust: Arc::new(trust.clone()),
            vouched,
            above,
            demanded,
            depth: whose.depth + 1,
        };
        self.visit(fragment.clone(), head.extends, below).await?;
        let base = Base::new(fragment, entry, from, vouched, trust);
        self.found.push(base.demanded(demanded));
        Ok(())
    }

    fn resolver(&mut self) -> Result<Resolver, DeployError> {
        if let Some(resolver) = &self.resolver {
            return Ok(resolver.clone());
        }
        let path = self.draft.path();
        let folder = path.parent().unwrap_or(self.draft.dir());
        let resolver = Resolver::new(
            self.sources.registries(self.registries.clone()),
            store()?,
            folder,
            Trust::default(),
            self.sources.mode,
        );
        Ok(self.resolver.insert(resolver).clone())
    }
}

//! Bases that whoever runs the deploys wants extended, whatever the project says of them.

use crate::registry::{
    LockedBase, PublicKey, RegistryError, Repository, Resolver, Signer, Source, Trust,
};

/// A base that whatever is deployed has to extend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Where it is.
    pub repository: Repository,
    /// Whose signature it needs, by those who want it. Without one, its registry has to say that it has it.
    pub keys: Vec<PublicKey>,
}

impl Demand {
    /// Whose word counts for it and for what it brings. The project's own keys and paths say nothing there: they
    /// are written by those who are asked to extend it.
    pub(super) fn trust(&self) -> Trust {
        Trust {
            given: true,
            require: true,
            keys: self.keys.clone(),
            ..Trust::default()
        }
    }

    /// Whose signatures a base has, of those that this asks for.
    pub(super) async fn check(
        &self,
        resolver: &Resolver,
        source: &Source,
        locked: &LockedBase,
    ) -> Result<Vec<Signer>, RegistryError> {
        match self.keys.is_empty() {
            true => resolver.confirm(source, locked).await.map(|()| Vec::new()),
            false => resolver.vouched(source, &self.trust(), locked).await,
        }
    }
}

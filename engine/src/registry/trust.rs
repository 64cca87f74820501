//! `[trust]`: whose plugins may run here.

use super::sign::{PublicKey, Signer, Untrusted};
use super::{Digest, Repository, Signature};

/// `[trust]` of plugins.toml. Without one nothing is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// True if there is a `[trust]` at all.
    pub given: bool,
    /// True if a plugin from a registry needs a signature: the default where there is a `[trust]`.
    pub require: bool,
    /// Keys that are trusted for all registries.
    pub keys: Vec<PublicKey>,
    /// Keys for what is below a path, `HOST` or `HOST/PATH`; they take the place of `keys` there.
    pub paths: Vec<(String, Vec<PublicKey>)>,
}

impl Trust {
    /// The keys that are trusted for a repository: those of the longest path that it is below.
    pub fn keys_for(&self, repository: &Repository) -> &[PublicKey] {
        let name = repository.to_string();
        let below = |path: &str| {
            let path = path.trim_end_matches('/');
            name.strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let own = self.paths.iter().filter(|(path, _)| below(path));
        let own = own.max_by_key(|(path, _)| path.trim_end_matches('/').len());
        own.map_or(&self.keys, |(_, keys)| keys)
    }

    /// Says whose signatures an artifact has that count here; nobody's where none is needed.
    ///
    /// # Errors
    ///
    /// If one is needed, and none counts.
    pub fn check(
        &self,
        signatures: &[Signature],
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<Signer>, Untrusted> {
        if !self.require {
            return Ok(Vec::new());
        }
        let keys = self.keys_for(repository);
        let now = jiff::Timestamp::now();
        let signers = super::sign::verify(signatures, keys, repository, digest, now)?;
        Ok(signers.into_iter().map(PublicKey::signer).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sign::SigningKey;
    use super::*;

    #[test]
    fn the_longest_path_says_whose_keys_count() {
        let key = |name: &str| SigningKey::generate().expect("random numbers").public(name);
        let trust = Trust {
            given: true,
            require: true,
            keys: vec![key("all")],
            paths: vec![
                ("r.example".to_owned(), vec![key("host")]),
                ("r.example/platform/".to_owned(), vec![key("platform")]),
                ("r.example/nobody".to_owned(), vec![]),
            ],
        };
        let of = |text: &str| {
            let reference: super::super::Reference = text.parse().expect(text);
            let keys = trust.keys_for(&reference.repository);
            keys.iter()
                .map(|key| key.name().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(of("other.example/a"), ["all"]);
        assert_eq!(of("r.example/a"), ["host"]);
        assert_eq!(
            of("r.example/platforms/a"),
            ["host"],
            "a path ends at a `/`"
        );
        assert_eq!(of("r.example/platform/a"), ["platform"]);
        assert_eq!(of("r.example/platform"), ["platform"]);
        assert!(of("r.example/nobody/a").is_empty());
    }
}

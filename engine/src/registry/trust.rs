//! `[trust]`: whose plugins may run here.

use std::collections::BTreeMap;

use super::{Digest, PublicKey, Repository, Signature, Signer, Untrusted};

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
    /// The paths of those who extend whoever says the rest: they come first.
    pub outer: Vec<Vec<(String, Vec<PublicKey>)>>,
    /// Plugins that a base brings, by name: whose word counts for those.
    pub plugins: BTreeMap<String, Trust>,
}

impl Trust {
    /// Whose word counts for a plugin of this name.
    pub fn of(&self, plugin: &str) -> &Self {
        self.plugins.get(plugin).unwrap_or(self)
    }

    /// Whose word counts for what a base brings: `self` is what counts for the base itself, and `own` what the
    /// base says. Its keys are for what it brings and for nothing else, and take no path from whoever extends
    /// it; what it says of its own needs a signature, since it would say nothing otherwise.
    pub fn below(&self, own: Option<&Self>) -> Self {
        let mut below = Self {
            plugins: BTreeMap::new(),
            ..self.clone()
        };
        let Some(own) = own else { return below };
        below.given = true;
        below.require = true;
        below
            .outer
            .push(std::mem::replace(&mut below.paths, own.paths.clone()));
        if !own.keys.is_empty() {
            below.keys.clone_from(&own.keys);
        }
        below
    }

    /// The keys that are trusted for a repository: those of the longest path that it is below, of whoever comes
    /// first.
    pub fn keys_for(&self, repository: &Repository) -> &[PublicKey] {
        let name = repository.to_string();
        let below = |path: &str| {
            let path = path.trim_end_matches('/');
            name.strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let longest = |paths: &'_ [(String, Vec<PublicKey>)]| {
            let found = paths.iter().enumerate();
            let found = found.filter(|(_, (path, _))| below(path));
            found
                .max_by_key(|(_, (path, _))| path.trim_end_matches('/').len())
                .map(|(index, _)| index)
        };
        let mut layers = self.outer.iter().chain([&self.paths]);
        layers
            .find_map(|paths| paths.get(longest(paths)?))
            .map_or(&self.keys, |(_, keys)| keys)
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
    use super::super::SigningKey;
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
            ..Trust::default()
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

    #[test]
    fn a_base_speaks_for_what_it_brings_where_the_project_says_nothing() {
        let key = |name: &str| SigningKey::generate().expect("random numbers").public(name);
        let project = Trust {
            keys: vec![key("project")],
            paths: vec![("r.example/secure".to_owned(), vec![key("secure")])],
            ..Trust::default()
        };
        let own = Trust {
            keys: vec![key("base")],
            paths: vec![
                ("r.example/secure/x".to_owned(), vec![key("sly")]),
                ("r.example/platform".to_owned(), vec![key("platform")]),
            ],
            ..Trust::default()
        };
        let names = |trust: &Trust, text: &str| {
            let reference: super::super::Reference = text.parse().expect(text);
            let keys = trust.keys_for(&reference.repository);
            let names: Vec<_> = keys.iter().map(|key| key.name().to_owned()).collect();
            names.join(" ")
        };
        let below = project.below(Some(&own));
        assert!(below.require, "who names keys wants signatures");
        assert_eq!(names(&below, "r.example/secure/x"), "secure");
        assert_eq!(names(&below, "r.example/platform/x"), "platform");
        assert_eq!(names(&below, "r.example/x"), "base");
        let nested = below.below(Some(&Trust {
            keys: vec![key("nested")],
            ..Trust::default()
        }));
        assert_eq!(names(&nested, "r.example/secure/x"), "secure");
        assert_eq!(names(&nested, "r.example/platform/x"), "platform");
        assert_eq!(names(&nested, "r.example/x"), "nested");
        assert_eq!(names(&project.below(None), "r.example/x"), "project");
        assert!(!project.below(None).require);
    }
}

//! `RENGINE_REQUIRED_BASES`: what whoever runs the deploys of others, who can change what a plugins.toml says, wants
//! extended.

use std::path::{Path, PathBuf};

use super::error::CliError;
use super::plugin::refused;
use crate::deploy::Demand;
use crate::manifest::Manifest;
use crate::registry::{KeyError, PublicKey, Reference, Source};

/// Places of bases in registries, with commas between them; behind each, after a `=`, may stand the file of a key
/// that its signature has to be by.
const REQUIRED_BASES: &str = "RENGINE_REQUIRED_BASES";
/// How it is written.
const HELP: &str = "write HOST/PATH, or HOST/PATH=FILE with the key that it is signed by, and commas between several";

/// Reads the variable. A base that stands there with several keys needs the signature of one.
pub fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Demand>, CliError> {
    let text = env(REQUIRED_BASES).unwrap_or_default();
    let mut demands: Vec<Demand> = Vec::new();
    for entry in text.split(',').map(str::trim) {
        if entry.is_empty() {
            continue;
        }
        let (place, key) = match entry.split_once('=') {
            Some((place, key)) => (place.trim(), Some(key.trim())),
            None => (entry, None),
        };
        let malformed = || CliError::Malformed {
            text: entry.to_owned(),
            what: "base of RENGINE_REQUIRED_BASES",
            help: HELP,
        };
        let reference: Reference = place.parse().map_err(|_| malformed())?;
        // A key that is left out by mistake, as by a variable that is not set, is not to count as none.
        if reference.pick.is_some() || key == Some("") {
            return Err(malformed());
        }
        let key = key.map(|path| public(Path::new(path))).transpose()?;
        let repository = reference.repository;
        let mut known = demands.iter_mut();
        match known.find(|demand| demand.repository == repository) {
            Some(demand) => demand.keys.extend(key),
            None => demands.push(Demand {
                repository,
                keys: key.into_iter().collect(),
            }),
        }
    }
    Ok(demands)
}

fn public(path: &Path) -> Result<PublicKey, CliError> {
    let text = std::fs::read(path).map_err(|error| error.to_string());
    let key = text.and_then(|text| PublicKey::parse(&path.display().to_string(), &text));
    key.map_err(|reason| {
        refused(KeyError {
            path: path.to_owned(),
            reason,
        })
    })
}

/// An error if a project, whose plugins.toml is at `path`, does not extend one of them.
pub fn check(demands: &[Demand], manifest: &Manifest, path: PathBuf) -> Result<(), CliError> {
    let extends = |demand: &Demand| {
        let mut extended = manifest.policy.locked.iter();
        extended.any(|base| {
            let source = base.source.parse::<Source>();
            source.is_ok_and(|source| source.repository == demand.repository)
        })
    };
    match demands.iter().find(|demand| !extends(demand)) {
        None => Ok(()),
        Some(demand) => Err(CliError::NoBase {
            path,
            base: demand.repository.to_string(),
            variable: REQUIRED_BASES,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::SigningKey;

    #[test]
    fn bases_are_read_with_the_keys_that_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = |name: &str| {
            let key = SigningKey::generate().expect("random numbers");
            let path = folder.path().join(name);
            std::fs::write(&path, key.public(name).pem()).expect("written");
            path.display().to_string()
        };
        let of = |text: &str| read(&|_| Some(text.to_owned()));
        let (one, two) = (key("one.pub"), key("two.pub"));
        let text = format!(" r.example/a = {one},, oci://r.example/b, r.example/a={two}");
        let demands = of(&text).expect("bases");
        let read: Vec<_> = demands
            .iter()
            .map(|demand| (demand.repository.to_string(), demand.keys.len()))
            .collect();
        let wanted = [("r.example/a", 2), ("r.example/b", 0)];
        assert_eq!(read, wanted.map(|(place, keys)| (place.to_owned(), keys)));
        assert_eq!(demands[0].keys[1].name(), two);
        assert!(of("").expect("none").is_empty());
        for wrong in [
            "r.example/a=",
            "r.example/a:1",
            "a",
            "=x",
            "r.example/a=/none",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}

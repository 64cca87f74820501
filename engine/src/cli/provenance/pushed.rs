//! Where the images of a release are, by what their registries say.

use serde::Deserialize;

use super::super::error::CliError;
use super::super::plugin::refused;
use super::names_a_registry;
use crate::docker::Docker;
use crate::registry::{Digest, Pick, Reference, Registries, RegistryError, Repository};
use crate::release::{ImageRecord, Places, Record};

/// The images that a release built.
#[derive(Debug)]
pub struct Pushed {
    /// Where they are: one at least.
    pub targets: Vec<(Repository, Digest)>,
    /// The services whose images are in no registry.
    pub nowhere: Vec<String>,
}

/// Asks registries for the images that a release built, and puts into `places` where they are.
///
/// # Errors
///
/// If none of them is in a registry; or a registry that may have one can't be asked, and no other has it.
pub async fn find(
    registries: &Registries,
    record: &Record,
    docker: &Docker,
    places: &mut Places,
) -> Result<Pushed, CliError> {
    let (mut targets, mut nowhere) = (Vec::new(), Vec::new());
    for (name, service) in &record.services {
        let built = service.image.as_ref();
        let Some(image) = built.filter(|image| image.reference.is_none()) else {
            continue;
        };
        let known = places.get(&image.id).map_or(&[][..], Vec::as_slice);
        let found = one(registries, image, known, docker).await?;
        if found.is_empty() {
            nowhere.push(name.to_string());
            continue;
        }
        let is = |(repository, digest): &(Repository, Digest)| format!("{repository}@{digest}");
        places.insert(image.id.clone(), found.iter().map(is).collect());
        for target in found {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
    }
    match targets.is_empty() {
        true => Err(CliError::NotPushed {
            release: record.release.clone(),
        }),
        false => Ok(Pushed { targets, nowhere }),
    }
}

/// Where one image is. Not all daemons know what was pushed, nor as what: Docker knows its digest in a
/// registry, Podman one that it may have there, and what its names stand for has to be asked.
async fn one(
    registries: &Registries,
    image: &ImageRecord,
    known: &[String],
    docker: &Docker,
) -> Result<Vec<(Repository, Digest)>, CliError> {
    let (mut found, mut trouble) = (Vec::new(), None);
    for (place, digest) in known.iter().filter_map(|place| place.split_once('@')) {
        let repository = Reference::of_image(place).map_err(refused)?.repository;
        let digest: Digest = digest.parse().map_err(refused)?;
        match registries.manifest(&repository, &digest).await {
            Ok(_) => found.push((repository, digest)),
            Err(RegistryError::NotFound { .. }) => {}
            // It may be somewhere else, and then that counts.
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    if found.is_empty() && !image.id.is_empty() {
        for tag in docker.tags(&image.id).await? {
            if !names_a_registry(&tag) {
                continue;
            }
            let Reference {
                repository,
                pick: Some(pick @ Pick::Tag(_)),
            } = Reference::of_image(&tag).map_err(refused)?
            else {
                continue;
            };
            match registries.pick(&repository, &pick).await {
                Ok((_, digest, manifest)) if is_of(&manifest, &image.id) => {
                    found.push((repository, digest));
                }
                Ok(_) | Err(RegistryError::NotFound { .. }) => {}
                Err(error) => trouble = trouble.or(Some(error)),
            }
        }
    }
    match trouble {
        Some(error) if found.is_empty() => Err(refused(error)),
        _ => Ok(found),
    }
}

/// True if a manifest is of the image with this id: daemons call an image by its configuration's digest. A
/// registry gains nothing by another manifest with that: the configuration has the digests of the layers' contents.
/// See <https://github.com/opencontainers/image-spec/blob/main/config.md#imageid>.
fn is_of(manifest: &[u8], id: &str) -> bool {
    #[derive(Deserialize)]
    struct Manifest {
        config: Config,
    }
    #[derive(Deserialize)]
    struct Config {
        digest: String,
    }
    serde_json::from_slice(manifest).is_ok_and(|manifest: Manifest| manifest.config.digest == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_its_configuration() {
        let manifest = br#"{"config": {"digest": "sha256:a"}, "layers": [{"digest": "sha256:b"}]}"#;
        assert!(is_of(manifest, "sha256:a"));
        for (manifest, id) in [
            (&manifest[..], "sha256:b"),
            (b"{\"manifests\": []}", "sha256:a"),
            (b"", ""),
        ] {
            assert!(!is_of(manifest, id), "{id}");
        }
    }
}

//! `rengine provenance`.

mod pushed;

use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use super::plugin::{published, read_public_key, read_signing_key, refused, registries};
use super::{GlobalArgs, history};
use crate::docker::Docker;
use crate::registry::{
    Envelope, KeyError, PublicKey, Reference, Registries, RegistryError, SigningKey, attested,
};
use crate::release::{PAYLOAD_TYPE, PREDICATE, Places, Record, provenance};
use crate::ui::Ui;
use pushed::Pushed;

/// Of which release, and what to do with it.
#[derive(Debug, Args)]
pub struct ProvenanceArgs {
    /// Its id, or as much of it as no other has [default: the one that runs]
    #[arg(value_name = "RELEASE")]
    release: Option<String>,
    /// Sign it with this private key, a file; `-` for the text of RENGINE_SIGNING_KEY
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Put it beside the images that were built, in their registries, where `cosign
    /// verify-attestation` finds it
    #[arg(long, requires = "sign")]
    attach: bool,
    /// Check what is beside this image in its registry, and print it: HOST/PATH, and which: `:1.2` or
    /// `@sha256:…`
    #[arg(
        long,
        value_name = "IMAGE",
        requires = "keys",
        conflicts_with_all = ["release", "sign", "attach"]
    )]
    verify: Option<String>,
    /// A public key that counts; may be given several times
    #[arg(long = "key", value_name = "FILE", requires = "verify")]
    keys: Vec<PathBuf>,
}

pub async fn run(global: &GlobalArgs, args: ProvenanceArgs, ui: Ui) -> Result<(), CliError> {
    if let Some(image) = &args.verify {
        return verify(global, image, &args.keys, ui).await;
    }
    // A key that can't be used is told before anything is asked.
    let key = args.sign.as_deref();
    let key = key.map(|key| read_signing_key(global, key)).transpose()?;
    let (record, docker) = history::find(global, args.release.as_deref(), ui).await?;
    let mut places = places(&record, &docker).await?;
    let pushed = match args.attach {
        false => None,
        true => {
            let registries = registries(global, ui)?;
            let pushed = pushed::find(&registries, &record, &docker, &mut places).await?;
            Some((registries, pushed))
        }
    };
    let statement = provenance(&record, &places);
    let Some(key) = key else {
        match ui.is_json() {
            true => ui.json(&statement),
            false => ui.result(&format!("{statement:#}")),
        }
        return Ok(());
    };
    let text = statement.to_string();
    let envelope = key.envelope(PAYLOAD_TYPE, text.as_bytes());
    let envelope = envelope.map_err(|reason| {
        refused(KeyError {
            path: args.sign.unwrap_or_default(),
            reason,
        })
    })?;
    match pushed {
        Some((registries, pushed)) => attach(&registries, &pushed, &envelope, &key, ui).await,
        None => {
            ui.json(&envelope);
            Ok(())
        }
    }
}

/// Where the images of a release are in registries.
async fn places(record: &Record, docker: &Docker) -> Result<Places, CliError> {
    let mut places = Places::new();
    for service in record.services.values() {
        let image = service.image.as_ref();
        if let Some(image) = image.filter(|image| !image.id.is_empty()) {
            let known = docker.places(&image.id).await?.into_iter();
            let pulled = image.reference.is_some();
            let known = known.filter(|place| pulled || names_a_registry(place));
            places.insert(image.id.clone(), known.collect());
        }
    }
    Ok(places)
}

/// False for names that an image has on its daemon alone, as rengine gives them. Docker that keeps its images in
/// containerd, and Podman, have digests for these, too; Podman calls the registry of such a name Docker's, in the folder that
/// is nobody's to push to.
fn names_a_registry(place: &str) -> bool {
    let registry = place.split_once('/').map(|(registry, _)| registry);
    registry.is_some_and(|registry| registry != "localhost")
        && !place.starts_with("docker.io/library/")
}

/// Puts the statement beside each image of the release that was built, wherever it was pushed to.
async fn attach(
    registries: &Registries,
    pushed: &Pushed,
    envelope: &Envelope,
    key: &SigningKey,
    ui: Ui,
) -> Result<(), CliError> {
    let own = key.public("");
    let payload = envelope.open(PAYLOAD_TYPE, &own);
    for (repository, digest) in &pushed.targets {
        let there = registries.attestations(repository, digest).await;
        let there = there.map_err(refused)?;
        let same = |one: &Envelope| one.open(PAYLOAD_TYPE, &own) == payload;
        let known = there.iter().any(same);
        if !known {
            registries
                .push_attestation(repository, digest, envelope, PREDICATE)
                .await
                .map_err(refused)?;
        }
        match ui.is_json() {
            true => ui.json(&serde_json::json!({
                "event": "provenance-attached",
                "image": format!("{repository}@{digest}"),
                "signed-by": own.id(),
                "new": !known,
            })),
            false => {
                let how = if known {
                    "was there already"
                } else {
                    "attached"
                };
                ui.result(&format!("{repository}@{digest}: {how}, key {}", own.id()));
            }
        }
    }
    if !pushed.nowhere.is_empty() {
        let names = pushed.nowhere.join(", ");
        ui.note(&format!("in no registry, and without it: {names}"));
    }
    Ok(())
}

/// Says whose statements an image has, and prints them.
async fn verify(
    global: &GlobalArgs,
    image: &str,
    keys: &[PathBuf],
    ui: Ui,
) -> Result<(), CliError> {
    let keys: Result<Vec<PublicKey>, _> = keys
        .iter()
        .map(|path| read_public_key(global, path))
        .collect();
    let keys = keys?;
    let registries = registries(global, ui)?;
    let reference = Reference::of_image(image).map_err(refused)?;
    let published = published(&registries, reference).await?;
    let (repository, digest) = (published.repository, published.digest);
    let image = format!("{repository}@{digest}");
    let found = registries.attestations(&repository, &digest).await;
    let found = attested(
        &found.map_err(refused)?,
        &keys,
        &digest,
        PAYLOAD_TYPE,
        PREDICATE,
    );
    let found = found.map_err(|why| {
        refused(RegistryError::Unattested {
            image: image.clone(),
            why,
        })
    })?;
    for attested in found {
        let (statement, signer) = (attested.statement, attested.signer);
        match ui.is_json() {
            true => ui.json(&serde_json::json!({
                "event": "provenance-verified",
                "image": image,
                "key": signer.key,
                "fingerprint": signer.fingerprint,
                "statement": statement,
            })),
            false => {
                ui.note(&format!("{image} is as {signer} says:"));
                ui.result(&format!("{statement:#}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_pushed_are_no_places() {
        for (place, is) in [
            ("shop-web@sha256:0", false),
            ("localhost/shop-web@sha256:0", false),
            ("docker.io/library/shop-web@sha256:0", false),
            ("docker.io/team/web@sha256:0", true),
            ("team/web@sha256:0", true),
            ("registry.example.com/web@sha256:0", true),
            ("localhost:5000/web@sha256:0", true),
        ] {
            assert_eq!(names_a_registry(place), is, "{place}");
        }
    }
}

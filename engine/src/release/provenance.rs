//! What is known of how a release came to be, for programs that judge it: an in-toto statement
//! (<https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>) with the provenance predicate of SLSA
//! (<https://slsa.dev/spec/v1.0/provenance>).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{ImageRecord, Record};

/// What a statement calls itself.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://slsa.dev/provenance/v1";
/// How rengine makes a release: what the parameters below mean.
const BUILD_TYPE: &str = "https://rengine.dev/release/v1";
/// What the digest of a base is of: its artifact's manifest, or its file.
const BASE_ARTIFACT: &str = "application/vnd.oci.image.manifest.v1+json";
const BASE_FILE: &str = "application/toml";
/// The media type of a statement, which its signature is for.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The statement of a release: its images, the plugins that took part by their digests, each change
/// that they made, who made it of which revision, and when.
pub fn provenance(record: &Record) -> Value {
    // Services of one image are one subject.
    let mut subjects: BTreeMap<String, Value> = BTreeMap::new();
    for (name, service) in &record.services {
        if let Some(image) = &service.image {
            let (digest, name) = named(image, &format!("{}/{name}", record.app));
            subjects
                .entry(digest.clone())
                .or_insert_with(|| json!({"name": name, "digest": {"sha256": digest}}));
        }
    }
    let plugins = record.plugins.iter().map(|plugin| {
        json!({
            "name": plugin.name,
            "digest": {"sha256": bare(&plugin.digest)},
            "mediaType": "application/wasm",
        })
    });
    let mut materials: Vec<Value> = plugins.collect();
    let bases = record.policy.iter().flat_map(|policy| &policy.bases);
    materials.extend(bases.map(|base| {
        let kind = match base.reference.starts_with("oci://") {
            true => BASE_ARTIFACT,
            false => BASE_FILE,
        };
        json!({
            "name": "base",
            "uri": base.reference,
            "digest": {"sha256": bare(&base.digest)},
            "mediaType": kind,
            "annotations": {"version": base.version, "signer": base.signer},
        })
    }));
    if let Some(git) = &record.git {
        materials.push(json!({
            "name": "project",
            "digest": {"gitCommit": git.commit},
            "annotations": {"dirty": git.dirty},
        }));
    }
    let changes: Vec<_> = record.changes.iter().map(|change| json!(change)).collect();
    let services: Map<String, Value> = record
        .services
        .iter()
        .map(|(name, service)| {
            let image = service.image.as_ref().map(|image| &image.id);
            (name.clone(), json!({"image": image, "replicas": service.replicas, "container": service.container}))
        })
        .collect();
    let took = record.took_ms.and_then(|took| i64::try_from(took).ok());
    let finished = took.and_then(|took| {
        let took = jiff::SignedDuration::from_millis(took);
        record.started.checked_add(took).ok()
    });
    json!({
        "_type": STATEMENT,
        "subject": subjects.into_values().collect::<Vec<_>>(),
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "app": record.app,
                    "release": record.release,
                    "rollbackTo": record.rollback_to,
                },
                "internalParameters": {
                    "changes": changes,
                    "policy": record.policy,
                    "services": services,
                },
                "resolvedDependencies": materials,
            },
            "runDetails": {
                "builder": {
                    "id": format!("https://rengine.dev/rengine@{}", record.rengine),
                    "version": {"rengine": record.rengine},
                },
                "metadata": {
                    "invocationId": format!("{}/{}", record.app, record.release),
                    "startedOn": record.started.to_string(),
                    "finishedOn": finished.map(|time| time.to_string()),
                },
                "byproducts": [{
                    "name": "outcome",
                    "annotations": {
                        "outcome": record.outcome,
                        "user": record.user,
                        "host": record.host,
                    },
                }],
            },
        },
    })
}

/// The digest of an image, and its name: those in a registry where it is from one.
fn named(image: &ImageRecord, otherwise: &str) -> (String, String) {
    if let Some((name, digest)) = image
        .digest
        .as_deref()
        .and_then(|text| text.split_once('@'))
    {
        return (bare(digest).to_owned(), name.to_owned());
    }
    let name = image.reference.clone();
    (
        bare(&image.id).to_owned(),
        name.unwrap_or_else(|| otherwise.to_owned()),
    )
}

fn bare(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

//! What is known of how a release came to be, for programs that judge it: an in-toto statement
//! (<https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>) with the provenance predicate of SLSA
//! (<https://slsa.dev/spec/v1.0/provenance>).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{ImageRecord, PluginRecord, Record, SignerRecord};

/// What a statement calls itself.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What it says: which kind of predicate it has.
pub const PREDICATE: &str = "https://slsa.dev/provenance/v1";
/// How rengine makes a release: what the parameters below mean.
const BUILD_TYPE: &str = "https://rengine.dev/release/v1";
/// What the digest of a base is of: its artifact's manifest, or its file.
const BASE_ARTIFACT: &str = "application/vnd.oci.image.manifest.v1+json";
const BASE_FILE: &str = "application/toml";
/// The media type of a statement, which its signature is for.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Where images are in registries, by their ids: `name@sha256:…`, as the daemon knows from pushes and pulls.
pub type Places = BTreeMap<String, Vec<String>>;

/// The statement of a release: its images, by their digests in registries where they are in one; the
/// plugins that took part by theirs, each change that they made, who made it of which revision, and when.
pub fn provenance(record: &Record, places: &Places) -> Value {
    // Services of one image are one subject.
    let mut subjects: BTreeMap<(String, Option<String>), Value> = BTreeMap::new();
    for (service, of) in &record.services {
        let images = of.image.iter();
        for (digest, name) in images.flat_map(|image| subject(image, places)) {
            let otherwise = || format!("{}/{service}", record.app);
            let value = json!({
                "name": name.clone().unwrap_or_else(otherwise), "digest": {"sha256": digest},
            });
            subjects.entry((digest, name)).or_insert(value);
        }
    }
    let mut materials: Vec<Value> = record.plugins.iter().map(material).collect();
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
            "annotations": {"version": base.version, "signers": signers(&base.signers)},
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

/// The digests of an image, each with its name: those in registries, or where there is none the
/// daemon's own.
fn subject(image: &ImageRecord, places: &Places) -> Vec<(String, Option<String>)> {
    let known = places.get(&image.id).into_iter().flatten();
    let known = known.chain(&image.digest);
    let found: BTreeMap<(String, String), ()> = known
        .filter_map(|text| text.split_once('@'))
        .map(|(name, digest)| ((bare(digest).to_owned(), name.to_owned()), ()))
        .collect();
    if found.is_empty() {
        return vec![(bare(&image.id).to_owned(), image.reference.clone())];
    }
    let found = found.into_keys();
    found.map(|(digest, name)| (digest, Some(name))).collect()
}

/// A plugin: what came from a registry by its place there and its manifest's digest, with the file's beside
/// it; a file by its own.
fn material(plugin: &PluginRecord) -> Value {
    let Some(artifact) = &plugin.artifact else {
        return json!({
            "name": plugin.name,
            "digest": {"sha256": bare(&plugin.digest)},
            "mediaType": "application/wasm",
        });
    };
    json!({
        "name": plugin.name,
        "uri": format!("oci://{artifact}"),
        "digest": {"sha256": bare(&artifact.digest)},
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "annotations": {
            "version": artifact.version,
            "component": {"sha256": bare(&plugin.digest)},
            "signers": signers(&artifact.signers),
        },
    })
}

/// Whose signatures something had.
fn signers(signers: &[SignerRecord]) -> Vec<Value> {
    let signers = signers.iter();
    let signers =
        signers.map(|SignerRecord { key, fingerprint }| json!({"key": key, "sha256": fingerprint}));
    signers.collect()
}

fn bare(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

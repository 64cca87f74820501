//! What is in a registry: the layout for Wasm of the CNCF's Wasm working group
//! (<https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>), which `wkg` and others write and read.
//!
//! A manifest names a configuration, which says what the component imports and exports, and one
//! layer, which is the component. What people want to know of a plugin before they take it is in
//! annotations of the manifest, so that nothing but the manifest has to be downloaded for it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::manifest::{Descriptor, Manifest};
use super::{Digest, MAX_COMPONENT_BYTES, Outline, Registries, RegistryError, Repository};
use crate::app::ByteSize;

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";
/// What others have called a component before the layout was agreed on.
const OLDER_LAYERS: [&str; 2] = [
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];
/// The largest README that goes with a plugin, in bytes: manifests are limited, too.
const MAX_README_BYTES: u64 = 64 << 10;
/// The largest configuration, in bytes.
const MAX_CONFIG_BYTES: usize = 1 << 20;
/// The largest file of metadata, in bytes.
const MAX_METADATA_BYTES: u64 = 64 << 10;

const HOOKS: &str = "dev.rengine.plugin.hooks";
const WIT: &str = "dev.rengine.plugin.wit";
const GRANTS: &str = "dev.rengine.plugin.grants";
const README: &str = "dev.rengine.plugin.readme";
const TITLE: &str = "org.opencontainers.image.title";
const DESCRIPTION: &str = "org.opencontainers.image.description";
const VERSION: &str = "org.opencontainers.image.version";
const LICENSES: &str = "org.opencontainers.image.licenses";
const SOURCE: &str = "org.opencontainers.image.source";
const REVISION: &str = "org.opencontainers.image.revision";
const CREATED: &str = "org.opencontainers.image.created";

/// What an author says of a plugin: `plugin.toml` beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metadata {
    /// Its name; the last part of the repository's path if it says none.
    pub name: Option<String>,
    /// What it does, in a sentence.
    pub description: Option<String>,
    /// An SPDX expression.
    pub license: Option<String>,
    /// Where its source is.
    pub source: Option<String>,
    /// A file with more words on it, beside this one.
    pub readme: Option<PathBuf>,
    /// The grants that it would need, each with a sentence that says what for.
    pub grants: BTreeMap<String, String>,
    /// The text of `readme`.
    #[serde(skip)]
    pub readme_text: Option<String>,
    /// The revision of its source.
    #[serde(skip)]
    pub revision: Option<String>,
}

/// What is wrong with a plugin's metadata.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("{}: {reason}", path.display())]
pub struct MetadataError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong; with line and column, where there is one.
    pub reason: String,
    /// What to write.
    #[help]
    pub help: Option<String>,
}

/// Grants as plugins.toml names them.
const GRANT_NAMES: [&str; 13] = [
    "bind-mounts",
    "cap-add",
    "context",
    "devices",
    "docker-socket",
    "env",
    "exec",
    "host-namespaces",
    "http",
    "privileged",
    "secrets",
    "security-options",
    "state",
];

impl Metadata {
    /// Reads a file, and the README that it names.
    ///
    /// # Errors
    ///
    /// If one can't be read, or says what can't be meant.
    pub fn load(path: &Path) -> Result<Self, MetadataError> {
        let error = |reason: String, help: Option<String>| MetadataError {
            path: path.to_owned(),
            reason,
            help,
        };
        let text = text(path, MAX_METADATA_BYTES)?;
        let mut read: Self = toml::from_str(&text).map_err(|wrong| {
            let line = wrong
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            error(
                format!("line {line}: {}", wrong.message()),
                Some("it has name, description, license, source, readme, and [grants]".to_owned()),
            )
        })?;
        for name in read.grants.keys() {
            if !GRANT_NAMES.contains(&name.as_str()) {
                let near = GRANT_NAMES
                    .iter()
                    .max_by_key(|known| (strsim::jaro(known, name) * 1000.0) as u32);
                let help = near.map(|near| format!("did you mean `{near}`?"));
                return Err(error(format!("there is no grant `{name}`"), help));
            }
        }
        if let Some(readme) = &read.readme {
            let path = path.with_file_name("").join(readme);
            read.readme_text = Some(self::text(&path, MAX_README_BYTES)?);
        }
        Ok(read)
    }
}

fn text(path: &Path, limit: u64) -> Result<String, MetadataError> {
    let error = |reason: String| MetadataError {
        path: path.to_owned(),
        reason,
        help: None,
    };
    let facts = std::fs::metadata(path).map_err(|wrong| error(wrong.to_string()))?;
    if facts.len() > limit {
        return Err(error(format!("it is larger than {}", ByteSize(limit))));
    }
    std::fs::read_to_string(path).map_err(|wrong| error(wrong.to_string()))
}

/// The configuration of the layout.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    created: String,
    architecture: String,
    os: String,
    layer_digests: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<Component>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Component {
    exports: Vec<String>,
    imports: Vec<String>,
    target: Option<String>,
}

/// A plugin as it goes to a registry.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// The component.
    pub component: Bytes,
    /// The configuration.
    pub config: Bytes,
    /// The manifest that makes both one.
    pub manifest: Bytes,
}

impl Artifact {
    /// Makes one of a component. `created` is when it was made, as RFC 3339 has it; `name` and
    /// `version` are those of the place that it goes to. The same input gives the same bytes.
    ///
    /// # Errors
    ///
    /// If the bytes are no component, or no plugin.
    pub fn new(
        component: Bytes,
        metadata: &Metadata,
        name: &str,
        version: &str,
        created: &str,
    ) -> Result<Self, String> {
        let outline = Outline::of(&component)?;
        let hooks = outline.hooks();
        if hooks.is_empty() {
            return Err("it exports no hook of rengine".to_owned());
        }
        let layer = Digest::of(&component);
        let config = Config {
            created: created.to_owned(),
            architecture: "wasm".to_owned(),
            os: "wasip2".to_owned(),
            layer_digests: vec![layer.to_string()],
            component: Some(Component {
                exports: outline.exports.clone(),
                imports: outline.imports.clone(),
                target: None,
            }),
        };
        // Structs of texts can't fail to be written.
        let config = Bytes::from(serde_json::to_vec(&config).unwrap_or_default());
        let title = metadata.name.clone().unwrap_or_else(|| name.to_owned());
        let grants = (!metadata.grants.is_empty())
            .then(|| serde_json::to_string(&metadata.grants).unwrap_or_default());
        let annotations = [
            (TITLE, Some(title)),
            (VERSION, Some(version.to_owned())),
            (CREATED, Some(created.to_owned())),
            (DESCRIPTION, metadata.description.clone()),
            (LICENSES, metadata.license.clone()),
            (SOURCE, metadata.source.clone()),
            (REVISION, metadata.revision.clone()),
            (HOOKS, Some(hooks.join(","))),
            (WIT, outline.wit()),
            (GRANTS, grants),
            (README, metadata.readme_text.clone()),
        ];
        let annotations: BTreeMap<_, _> = annotations
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect();
        let manifest = Manifest::text(
            Descriptor::of(CONFIG, &config),
            vec![Descriptor {
                // oras writes no file for a layer that has no name.
                annotations: Some([(TITLE.to_owned(), format!("{name}.wasm"))].into()),
                ..Descriptor::of(LAYER, &component)
            }],
            Some(annotations),
        );
        Ok(Self {
            component,
            config,
            manifest,
        })
    }
}

/// What a manifest says of a plugin. All but the digests and the size are its author's words, and are
/// believed by nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Described {
    /// The digest of the component's file.
    pub component: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The configuration, where it says what the component exports and imports.
    #[serde(skip)]
    pub config: Option<Digest>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its licence, an SPDX expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Where its source is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The source's revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Its hooks.
    pub hooks: Vec<String>,
    /// The version of rengine's interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wit: Option<String>,
    /// The grants that it would need, and what for.
    pub grants: BTreeMap<String, String>,
    /// More words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readme: Option<String>,
}

impl Described {
    /// Reads a manifest. `reference` is what was asked for, for errors.
    ///
    /// # Errors
    ///
    /// If it is none of a plugin.
    pub fn of(manifest: &[u8], reference: &dyn fmt::Display) -> Result<Self, RegistryError> {
        let error = |reason: String, help: &str| RegistryError::NotPlugin {
            reference: reference.to_string(),
            reason,
            help: help.to_owned(),
        };
        let other = "publish plugins with `rengine plugin push`, `wkg oci push` or `oras push`";
        let value: serde_json::Value = serde_json::from_slice(manifest)
            .map_err(|wrong| error(format!("its manifest is no JSON: {wrong}"), other))?;
        if value.get("manifests").is_some() {
            return Err(error("it is a list of images".to_owned(), other));
        }
        let manifest: Manifest = serde_json::from_value(value)
            .map_err(|wrong| error(format!("its manifest is none of an image: {wrong}"), other))?;
        let [layer] = manifest.layers.as_slice() else {
            let count = manifest.layers.len();
            let reason = format!("it has {count} layers, and a plugin has one");
            return Err(error(reason, other));
        };
        let known = layer.media_type == LAYER || OLDER_LAYERS.contains(&layer.media_type.as_str());
        // oras calls files a tar archive where nobody tells it what they are.
        let title = layer.annotation(TITLE);
        let by_name = title.is_some_and(|title| title.ends_with(".wasm"));
        if !known && !by_name {
            let reason = match manifest.config.media_type.contains("image.config") {
                true => "it is a container's image".to_owned(),
                false => format!("its layer is `{}`", layer.media_type),
            };
            return Err(error(reason, other));
        }
        let component = layer.digest.parse::<Digest>().map_err(|_| {
            let reason = format!("its layer's digest, `{}`, is no sha256", layer.digest);
            error(reason, other)
        })?;
        let size = u64::try_from(layer.size)
            .ok()
            .filter(|size| (1..=MAX_COMPONENT_BYTES).contains(size))
            .ok_or_else(|| {
                let limit = ByteSize(MAX_COMPONENT_BYTES);
                let reason = format!(
                    "its layer has {} bytes, and {limit} is the limit",
                    layer.size
                );
                error(reason, "leave out debug information")
            })?;
        let annotations = manifest.annotations.unwrap_or_default();
        let get = |key: &str| {
            annotations
                .get(key)
                .filter(|text| !text.is_empty())
                .cloned()
        };
        let hooks = get(HOOKS).unwrap_or_default();
        let config = manifest.config;
        Ok(Self {
            component,
            size,
            config: (config.media_type == CONFIG)
                .then(|| config.digest.parse().ok())
                .flatten(),
            title: get(TITLE),
            version: get(VERSION),
            description: get(DESCRIPTION),
            license: get(LICENSES),
            source: get(SOURCE),
            revision: get(REVISION),
            created: get(CREATED),
            hooks: hooks
                .split(',')
                .filter(|hook| !hook.is_empty())
                .map(str::to_owned)
                .collect(),
            wit: get(WIT),
            grants: get(GRANTS)
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default(),
            readme: get(README),
        })
    }
}

impl Registries {
    /// Reads what a plugin is from its configuration, where its manifest does not say it: others than
    /// rengine publish them, too.
    ///
    /// # Errors
    ///
    /// If the registry does not tell.
    pub async fn complete(
        &self,
        repository: &Repository,
        described: &mut Described,
    ) -> Result<(), RegistryError> {
        let Some(digest) = described
            .config
            .as_ref()
            .filter(|_| described.hooks.is_empty())
        else {
            return Ok(());
        };
        let config = self.small(repository, digest, MAX_CONFIG_BYTES).await?;
        // One that can't be read says nothing.
        let config: Option<Config> = serde_json::from_slice(&config).ok();
        let component = config.and_then(|config| config.component);
        if let Some(Component {
            exports, imports, ..
        }) = component
        {
            let outline = Outline { exports, imports };
            described.hooks = outline.hooks();
            described.wit = outline.wit();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component() -> Bytes {
        let text = r#"(component
            (import "rengine:plugin/types@0.1.0" (instance))
            (import "wasi:clocks/wall-clock@0.2.6" (instance))
            (component $inner (import "inner" (func)))
            (instance $hook)
            (export "rengine:plugin/pre-run@0.1.0" (instance $hook)))"#;
        wat::parse_str(text).expect("a component").into()
    }

    #[test]
    fn an_artifact_says_what_it_is() {
        let metadata = Metadata {
            description: Some("Says no to what is too large.".to_owned()),
            license: Some("MIT".to_owned()),
            grants: [("http".to_owned(), "tells a webhook".to_owned())].into(),
            readme_text: Some("# More\n".to_owned()),
            ..Metadata::default()
        };
        let make = || {
            Artifact::new(
                component(),
                &metadata,
                "size",
                "1.2.0",
                "2026-01-02T03:04:05Z",
            )
            .expect("a plugin")
        };
        let artifact = make();
        assert_eq!(artifact.manifest, make().manifest, "the same is the same");
        let said = Described::of(&artifact.manifest, &"r.example/size:1.2.0").expect("readable");
        assert_eq!(said.component, Digest::of(&artifact.component));
        assert_eq!(said.size, artifact.component.len() as u64);
        assert_eq!(said.hooks, ["pre-run"]);
        assert_eq!(said.wit.as_deref(), Some("0.1.0"));
        assert_eq!(said.title.as_deref(), Some("size"));
        assert_eq!(
            said.grants.get("http").map(String::as_str),
            Some("tells a webhook")
        );
        let config: serde_json::Value = serde_json::from_slice(&artifact.config).expect("JSON");
        let config =
            format!("{config:#}").replace(Digest::of(&artifact.component).as_str(), "DIGEST");
        insta::assert_snapshot!(config, @r#"
        {
          "architecture": "wasm",
          "component": {
            "exports": [
              "rengine:plugin/pre-run@0.1.0"
            ],
            "imports": [
              "rengine:plugin/types@0.1.0",
              "wasi:clocks/wall-clock@0.2.6"
            ],
            "target": null
          },
          "created": "2026-01-02T03:04:05Z",
          "layerDigests": [
            "DIGEST"
          ],
          "os": "wasip2"
        }
        "#);
    }

    #[test]
    fn what_is_no_plugin_is_not_pushed() {
        let push = |bytes: &[u8]| {
            let bytes = Bytes::copy_from_slice(bytes);
            Artifact::new(bytes, &Metadata::default(), "a", "1", "now").map(drop)
        };
        let module = wat::parse_str("(module)").expect("a module");
        assert!(push(&module).is_err_and(|reason| reason.contains("core module")));
        let empty = wat::parse_str("(component)").expect("a component");
        assert!(push(&empty).is_err_and(|reason| reason.contains("no hook")));
        assert!(push(b"#!/bin/sh\n").is_err());
        assert!(push(b"").is_err());
    }

    #[test]
    fn what_else_is_in_registries_is_told_from_plugins() {
        let layer = |media: &str, size: i64, title: &str| {
            serde_json::json!({
                "mediaType": media, "size": size,
                "digest": format!("sha256:{}", "0".repeat(64)),
                "annotations": {"org.opencontainers.image.title": title},
            })
        };
        let manifest = |config: &str, layers: serde_json::Value| {
            let manifest = serde_json::json!({
                "schemaVersion": 2,
                "config": {"mediaType": config, "size": 2, "digest": "sha256:x"},
                "layers": layers,
            });
            Described::of(manifest.to_string().as_bytes(), &"it")
        };
        let image = "application/vnd.oci.image.config.v1+json";
        let tar = "application/vnd.oci.image.layer.v1.tar";
        for (config, layers, said) in [
            (
                image,
                serde_json::json!([layer(tar, 1, "")]),
                "a container's image",
            ),
            (CONFIG, serde_json::json!([]), "0 layers"),
            (
                CONFIG,
                serde_json::json!([layer("text/plain", 1, "")]),
                "`text/plain`",
            ),
            (
                CONFIG,
                serde_json::json!([layer(LAYER, 1 << 40, "")]),
                "is the limit",
            ),
            (
                CONFIG,
                serde_json::json!([layer(LAYER, -1, "")]),
                "-1 bytes",
            ),
        ] {
            let error = manifest(config, layers).expect_err(said).to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
        let by_name = manifest(image, serde_json::json!([layer(tar, 1, "harden.wasm")]));
        assert!(by_name.is_ok(), "as oras pushes a file: {by_name:?}");
        for (text, said) in [
            ("{", "no JSON"),
            ("{\"manifests\": []}", "a list of images"),
        ] {
            let error = Described::of(text.as_bytes(), &"it").expect_err(said);
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn metadata_is_checked() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plugin.toml");
        let load = |text: &str| {
            std::fs::write(&path, text).expect("written");
            Metadata::load(&path)
        };
        std::fs::write(folder.path().join("README.md"), "# Words\n").expect("written");
        let read = load("license = \"MIT\"\nreadme = \"README.md\"\n[grants]\nhttp = \"why\"\n");
        assert_eq!(
            read.expect("readable").readme_text.as_deref(),
            Some("# Words\n")
        );
        for (text, said) in [
            ("licence = \"MIT\"", "line 1"),
            ("[grants]\nhtpp = \"why\"", "no grant `htpp`"),
            ("readme = \"NO.md\"", "NO.md"),
        ] {
            let error = load(text).expect_err(said);
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}

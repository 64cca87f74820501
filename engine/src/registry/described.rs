//! What a registry says of plugins and bases, for whoever looks at them before they take them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::artifact::{CONFIG, Component, Config, GRANTS, HOOKS, LAYER, README, WIT};
use super::manifest::{CREATED, DESCRIPTION, LICENSES, Manifest, REVISION, SOURCE, TITLE, VERSION};
use super::{Digest, MAX_COMPONENT_BYTES, Outline, Registries, RegistryError, Repository, base};
use crate::app::ByteSize;

/// What others have called a component before the layout was agreed on.
const OLDER_LAYERS: [&str; 2] = [
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];
/// The largest configuration, in bytes.
const MAX_CONFIG_BYTES: usize = 1 << 20;

/// What authors say of what they publish.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct About {
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
}

impl About {
    fn of(annotations: &BTreeMap<String, String>) -> Self {
        let get = |key: &str| said(annotations, key);
        Self {
            title: get(TITLE),
            version: get(VERSION),
            description: get(DESCRIPTION),
            license: get(LICENSES),
            source: get(SOURCE),
            revision: get(REVISION),
            created: get(CREATED),
        }
    }
}

fn said(annotations: &BTreeMap<String, String>, key: &str) -> Option<String> {
    let said = annotations.get(key);
    said.filter(|text| !text.is_empty()).cloned()
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
    /// What its author says of it.
    #[serde(flatten)]
    pub about: About,
    /// Its hooks.
    pub hooks: Vec<String>,
    /// What it imports, where its configuration was asked: see [`Registries::complete`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
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
            if layer.media_type == base::LAYER {
                let help = "plugins.toml takes it: `extends = [\"oci://…\"]`";
                return Err(error("it is a base".to_owned(), help));
            }
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
        let get = |key: &str| said(&annotations, key);
        let hooks = get(HOOKS).unwrap_or_default();
        let config = manifest.config;
        Ok(Self {
            component,
            size,
            config: (config.media_type == CONFIG)
                .then(|| config.digest.parse().ok())
                .flatten(),
            about: About::of(&annotations),
            imports: Vec::new(),
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

/// What a manifest says of a base. All but the digest and the size are its author's words, and are believed by
/// nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DescribedBase {
    /// The digest of its text.
    pub content: Digest,
    /// The text's size in bytes.
    pub size: u64,
    /// The configuration, which says which plugins it has.
    #[serde(skip)]
    pub config: Option<Digest>,
    /// What its author says of it.
    #[serde(flatten)]
    pub about: About,
    /// The plugins of which it says something: see [`Registries::complete_base`].
    pub plugins: Vec<String>,
    /// Those that it requires.
    pub required: Vec<String>,
}

impl DescribedBase {
    /// Reads a manifest; `None` if it is none of a base. `reference` is what was asked for, for errors.
    ///
    /// # Errors
    ///
    /// If it is one of a base that can't be.
    pub fn of(
        manifest: &[u8],
        reference: &dyn fmt::Display,
    ) -> Result<Option<Self>, RegistryError> {
        let read: Option<Manifest> = serde_json::from_slice(manifest).ok();
        let layer = |manifest: &Manifest| {
            let mut layers = manifest.layers.iter();
            layers.any(|layer| layer.media_type == base::LAYER)
        };
        let Some(read) = read.filter(layer) else {
            return Ok(None);
        };
        let (content, size) = base::text_of(manifest, reference)?;
        Ok(Some(Self {
            content,
            size,
            config: match read.config.media_type == base::CONFIG {
                true => read.config.digest.parse().ok(),
                false => None,
            },
            about: About::of(&read.annotations.unwrap_or_default()),
            plugins: Vec::new(),
            required: Vec::new(),
        }))
    }
}

impl Registries {
    /// Reads from a plugin's configuration what it imports, and its hooks where its manifest does not say
    /// them: others than rengine publish plugins, too.
    ///
    /// # Errors
    ///
    /// If the registry does not tell.
    pub async fn complete(
        &self,
        repository: &Repository,
        described: &mut Described,
    ) -> Result<(), RegistryError> {
        let Some(digest) = &described.config else {
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
            if described.hooks.is_empty() {
                described.hooks = outline.hooks();
                described.wit = outline.wit();
            }
            described.imports = outline.imports;
        }
        Ok(())
    }

    /// Reads from a base's configuration which plugins it has.
    ///
    /// # Errors
    ///
    /// If the registry does not tell.
    pub async fn complete_base(
        &self,
        repository: &Repository,
        described: &mut DescribedBase,
    ) -> Result<(), RegistryError> {
        let Some(digest) = &described.config else {
            return Ok(());
        };
        let config = self.small(repository, digest, MAX_CONFIG_BYTES).await?;
        // One that can't be read says nothing.
        let config: Option<base::Config> = serde_json::from_slice(&config).ok();
        if let Some(base::Config { plugins, required }) = config {
            described.plugins = plugins;
            described.required = required;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

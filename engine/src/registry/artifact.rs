//! What is in a registry: the layout for Wasm of the CNCF's Wasm working group
//! (<https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>), which `wkg` and others write and read.
//!
//! A manifest names a configuration, which says what the component imports and exports, and one
//! layer, which is the component. What people want to know of a plugin before they take it is in
//! annotations of the manifest, so that nothing but the manifest has to be downloaded for it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::manifest::{
    CREATED, DESCRIPTION, Descriptor, LICENSES, Manifest, REVISION, SOURCE, TITLE, VERSION,
};
use super::{Digest, Metadata, Outline};

/// The media type of a configuration.
pub(super) const CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// That of a component.
pub(super) const LAYER: &str = "application/wasm";

/// Its hooks, with commas between them.
pub(super) const HOOKS: &str = "dev.rengine.plugin.hooks";
/// The version of rengine's interface.
pub(super) const WIT: &str = "dev.rengine.plugin.wit";
/// What grants are for: JSON, name to sentence.
pub(super) const GRANTS: &str = "dev.rengine.plugin.grants";
/// More words.
pub(super) const README: &str = "dev.rengine.plugin.readme";

/// The configuration of the layout.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    created: String,
    architecture: String,
    os: String,
    layer_digests: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) component: Option<Component>,
}

/// What a component is, as its configuration has it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Component {
    pub(super) exports: Vec<String>,
    pub(super) imports: Vec<String>,
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

#[cfg(test)]
mod tests {
    use super::super::Described;
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
        assert_eq!(said.about.title.as_deref(), Some("size"));
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
}

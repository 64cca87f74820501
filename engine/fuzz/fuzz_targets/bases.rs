//! Bases, and the plugins.toml that extends them: put together they are a manifest in which each plugin that is
//! required takes part as its base says, or an error with its place in one of the texts.
//!
//! What has to hold is worked out anew here, from the texts alone.

#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use miette::{Diagnostic, NarratableReportHandler};
use rengine::manifest::{
    self, Base, BaseFrom, Bases, Extended, Fragment, Manifest, ManifestError, PluginSource,
};
use rengine::registry::{Digest, LockedBase, Trust};
use toml::{Table, Value};

/// What stands between the texts.
const BETWEEN: &str = "%%";
/// What a base begins with that nobody vouches for.
const UNVOUCHED: char = '!';
/// More bases find nothing that fewer do not.
const MAX_BASES: usize = 4;

/// A base as it is put together with others, and its text.
struct Layer<'a> {
    text: &'a str,
    vouched: bool,
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else {
        return Corpus::Reject;
    };
    let mut texts: Vec<&str> = text.split(BETWEEN).collect();
    let project = texts.pop().unwrap_or_default();
    if texts.len() > MAX_BASES || names_other_files(project) {
        return Corpus::Reject;
    }
    let layers = texts.into_iter().map(|text| {
        let bare = text.strip_prefix(UNVOUCHED);
        Layer {
            text: bare.unwrap_or(text),
            vouched: bare.is_none(),
        }
    });
    let layers: Vec<Layer> = layers.collect();
    match put_together(&layers, project) {
        Ok(manifest) => check(&manifest, &layers, project),
        Err(error) => has_a_place(&error),
    }
    Corpus::Keep
});

/// What a text names outside of the folder is there on one machine and not on another.
fn names_other_files(text: &str) -> bool {
    text.contains("..") || text.contains("\"/") || text.contains('~')
}

/// A folder with a Dockerfile and nothing else.
fn folder() -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").expect("a file");
        folder
    });
    folder.path().to_owned()
}

/// How an entry of `extends` looks once it is read.
fn entries(count: usize) -> Vec<Extended> {
    let names = (0..count).map(|index| format!("\"oci://r.example/base-{index}:1\""));
    let names: Vec<_> = names.collect();
    let text = format!("extends = [{}]", names.join(", "));
    let fragment = Fragment::artifact("plugins.toml".to_owned(), text.into_bytes());
    let head = fragment.expect("text").head();
    head.expect("a list of bases").extends
}

fn put_together(layers: &[Layer], project: &str) -> Result<Manifest, ManifestError> {
    let mut bases = Vec::new();
    for (index, (layer, entry)) in layers.iter().zip(entries(layers.len())).enumerate() {
        let text = layer.text.as_bytes();
        let fragment = Fragment::artifact(format!("base-{index}"), text.to_vec())?;
        // As it is read before it is published.
        let (names, required) = fragment.plugins()?;
        assert!(required.iter().all(|name| names.contains(name)));
        let trust = Trust::default().below(fragment.head()?.trust.as_ref());
        let locked = LockedBase {
            source: entry.text.clone(),
            version: Some("1".to_owned()),
            digest: Digest::of(text),
            content: Digest::of(text),
            size: text.len() as u64,
        };
        let from = BaseFrom::Registry(locked, Vec::new());
        bases.push(Base::new(fragment, &entry, from, layer.vouched, trust));
    }
    manifest::parse_with(project, folder(), &Bases::Known(bases), &|_| None)
}

fn has_a_place(error: &ManifestError) {
    let mut shown = String::new();
    let handler = NarratableReportHandler::new();
    let rendered = handler.render_report(&mut shown, error);
    assert!(rendered.is_ok(), "it can't be shown: {error:?}");
    assert!(!error.to_string().is_empty());
    if let ManifestError::Invalid {
        span, source_code, ..
    } = error
    {
        let (start, end) = (span.offset(), span.offset() + span.len());
        let inside = source_code.inner().get(start..end).is_some();
        assert!(inside, "{start}..{end}: {error}");
        assert!(error.source_code().is_some());
    }
}

/// What the files up to a place say of a plugin: the last word on each key.
#[derive(Default)]
struct Said {
    source: Option<String>,
    grants: bool,
    services: bool,
}

fn tables(text: &str) -> Vec<(String, Table)> {
    let file: Table = text.parse().unwrap_or_default();
    let plugins = file.get("plugins").and_then(Value::as_table).cloned();
    let tables = plugins.unwrap_or_default().into_iter();
    let tables = tables.filter_map(|(name, table)| Some((name, table.as_table()?.clone())));
    tables.collect()
}

/// Nothing that a base requires is lost, and nobody changed what it says of it.
fn check(manifest: &Manifest, layers: &[Layer], project: &str) {
    let texts: Vec<&str> = layers.iter().map(|layer| layer.text).collect();
    for (index, layer) in layers.iter().enumerate() {
        for (name, table) in tables(layer.text) {
            if !layer.vouched {
                let before = texts.iter().take(index).any(|text| says(text, &name));
                assert!(!before, "{name} is changed by what nobody vouches for");
                let state = table.get("grants").and_then(|grants| grants.get("state"));
                assert_ne!(state, Some(&Value::Boolean(true)), "{name} is granted it");
            }
            if table.get("required") == Some(&Value::Boolean(true)) {
                required(manifest, &texts, index, &name, &table);
            }
        }
    }
    // What is the project's own is no base's.
    for (name, _) in tables(project) {
        let brought = texts.iter().any(|text| says(text, &name));
        assert_eq!(manifest.policy.bringer(&name).is_some(), brought, "{name}");
    }
    for one in &manifest.policy.overrides {
        assert!(one.base < layers.len() && one.base < one.by, "{one:?}");
    }
}

fn says(text: &str, plugin: &str) -> bool {
    tables(text).iter().any(|(name, _)| name == plugin)
}

/// A plugin that the base at `index` requires is as that one, and those before it, say.
fn required(manifest: &Manifest, texts: &[&str], index: usize, name: &str, table: &Table) {
    let found = manifest.plugins.get(name);
    let found = found.unwrap_or_else(|| panic!("{name} is lost"));
    assert!(manifest.policy.requirer(name).is_some(), "{name}");
    let mut said = Said::default();
    for text in texts.iter().take(index + 1) {
        for (_, table) in tables(text).iter().filter(|(known, _)| known == name) {
            let source = table.get("source").and_then(Value::as_str);
            said.source = source.map(str::to_owned).or(said.source);
            said.grants |= table.contains_key("grants");
            said.services |= table.contains_key("services");
        }
    }
    let PluginSource::Registry(source) = &found.from else {
        panic!("{name} is a file: {:?}", found.from);
    };
    let wanted = said.source.as_deref().map(str::parse);
    assert_eq!(wanted, Some(Ok(source.clone())), "{name}");
    assert!(said.grants || found.grants.listed().is_empty(), "{name}");
    assert!(said.services || found.services.is_none(), "{name}");
    let open = table.get("open").and_then(Value::as_array).cloned();
    let open = open.unwrap_or_default();
    let config = table.get("config").and_then(Value::as_table);
    for (key, value) in config.into_iter().flatten() {
        let fixed = !open.iter().any(|open| open.as_str() == Some(key));
        if let Some(text) = value.as_str().filter(|_| fixed) {
            let is = found.config.get(key).map(String::as_str);
            assert_eq!(is, Some(text), "{name}: {key}");
        }
    }
}

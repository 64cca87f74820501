//! What can be told of a component before it is used.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wit_parser::{WorldItem, WorldKey};

use super::{AuthorError, COMPONENT, Language, wit};
use crate::app::ByteSize;
use crate::grants::Grants;
use crate::plugin::{Hook, Inspection, PluginHost, Settings, WIT_VERSION};

/// A larger component takes seconds to compile. Python with libraries has 20 MB.
const LARGE: ByteSize = ByteSize::mib(32);

/// How a thing that was looked at was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// To be known.
    Note,
    /// It works, and may not be meant.
    Warning,
    /// It will not do what is expected.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// How it was found.
    pub verdict: Verdict,
    /// In words.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// The component that is meant by a file, or by the folder of a project.
///
/// # Errors
///
/// If a project has not been built.
pub fn component_of(path: &Path) -> Result<PathBuf, AuthorError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let component = path.join(COMPONENT);
    match component.is_file() {
        true => Ok(component),
        false => Err(AuthorError::NotBuilt { path: component }),
    }
}

/// What the tools run a component with: no settings, no grants, the default limits.
pub fn settings(path: &Path) -> Settings {
    let stem = path.file_stem().unwrap_or_default();
    Settings::new(stem.to_string_lossy(), path)
}

/// The grants that a component can't be loaded without: enough to make an instance of it, which
/// can do nothing by them.
pub(super) fn imported(inspection: &Inspection) -> Result<Grants, AuthorError> {
    let lines = inspection.needed_grants().into_iter();
    let lines: Vec<_> = lines.map(|(line, _)| line).collect();
    toml::from_str(&lines.join("\n")).map_err(|error| AuthorError::NoStart {
        reason: error.to_string(),
    })
}

/// Checks the component at `path`, a file or the folder of a project.
///
/// # Errors
///
/// If it is no component, was built for an interface that this rengine does not have, has no
/// hook, or can't be instantiated.
pub async fn check(host: &PluginHost, path: &Path) -> Result<Vec<Finding>, AuthorError> {
    let component = component_of(path)?;
    let inspection = host.inspect(&component).await?;
    let settings = Settings {
        grants: imported(&inspection)?,
        ..settings(&component)
    };
    let plugin = host.load(settings).await?;
    let mut findings = vec![
        size(&inspection),
        Finding::ok("interface", interface(&inspection)),
        Finding::ok("hooks", names(&plugin.hooks())),
        Finding::ok("starts", "an instance of it can be made"),
        grants(&inspection),
    ];
    if path.is_dir() && path.join("wit").is_dir() {
        findings.extend(missing(path, &plugin.hooks())?);
    }
    if is_javascript(&inspection) {
        findings.push(Finding {
            what: "not known",
            verdict: Verdict::Note,
            found: "whether each hook has its function: JavaScript tells when it is called"
                .to_owned(),
            help: Some("`rengine plugin test` calls them".to_owned()),
        });
    }
    Ok(findings)
}

impl Finding {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            what,
            verdict: Verdict::Ok,
            found: found.into(),
            help: None,
        }
    }
}

fn names(hooks: &[Hook]) -> String {
    let names: Vec<_> = hooks.iter().map(|hook| hook.name()).collect();
    names.join(", ")
}

fn size(inspection: &Inspection) -> Finding {
    let size = ByteSize(inspection.size);
    let digest = &inspection.digest;
    let finding = Finding::ok("component", format!("{size}, sha256:{digest}"));
    if size <= LARGE {
        return finding;
    }
    Finding {
        verdict: Verdict::Warning,
        help: Some(
            "it takes seconds to compile where it is used first: leave out debug information, \
             and libraries that are not needed"
                .to_owned(),
        ),
        ..finding
    }
}

/// The versions of the interface that it was built against.
fn interface(inspection: &Inspection) -> String {
    let mut versions: Vec<_> = inspection
        .imports
        .iter()
        .filter_map(|import| import.name.strip_prefix("rengine:plugin/"))
        .filter_map(|name| Some(name.split_once('@')?.1))
        .collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.is_empty() {
        versions.push(WIT_VERSION);
    }
    format!("rengine:plugin@{}", versions.join(", "))
}

fn grants(inspection: &Inspection) -> Finding {
    let needed = inspection.needed_grants();
    let needed = needed
        .iter()
        .map(|(grant, import)| format!("{grant} for {import}"));
    let possible = inspection.possible_grants();
    let possible = possible
        .iter()
        .map(|(grant, method)| format!("{grant} for {method}"));
    let parts = [
        ("needs", needed.collect::<Vec<_>>()),
        ("may need", possible.collect()),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(_, lines)| !lines.is_empty())
        .map(|(verb, lines)| format!("it {verb}, by what it imports: {}", lines.join("; ")))
        .collect();
    if parts.is_empty() {
        return Finding::ok("grants", "none needed");
    }
    Finding {
        what: "grants",
        verdict: Verdict::Note,
        found: parts.join("; "),
        help: Some("write in the README which of them it needs, and what for".to_owned()),
    }
}

/// Hooks that the project's world exports and the component does not have.
fn missing(dir: &Path, hooks: &[Hook]) -> Result<Option<Finding>, AuthorError> {
    // A Rust project has rengine's own package there; which hooks it exports, the code says.
    if Language::detect(dir) == Some(Language::Rust) {
        return Ok(None);
    }
    let (resolve, world) = wit::load(dir)?;
    let exported: Vec<String> = resolve.worlds[world]
        .exports
        .iter()
        .filter_map(|(key, item)| match (key, item) {
            (WorldKey::Interface(id), WorldItem::Interface { .. }) => resolve.id_of(*id),
            _ => None,
        })
        .collect();
    let missing: Vec<_> = Hook::ALL
        .into_iter()
        .filter(|hook| exported.contains(&hook.interface()) && !hooks.contains(hook))
        .collect();
    Ok((!missing.is_empty()).then(|| Finding {
        what: "world",
        verdict: Verdict::Error,
        found: format!(
            "the component lacks hooks that the world in wit/ exports: {}",
            names(&missing)
        ),
        help: Some("it is older than the world: `rengine plugin build`".to_owned()),
    }))
}

/// componentize-qjs leaves a function of its own among the exports.
fn is_javascript(inspection: &Inspection) -> bool {
    inspection.other_exports.iter().any(|name| name == "init")
}

//! `rengine plugin vendor`.

use std::collections::BTreeSet;
use std::path::Path;

use super::Project;
use super::add::refused;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::cli::file::place;
use crate::cli::session::SourceArgs;
use crate::deploy::store;
use crate::registry::VENDOR_FOLDER;
use crate::ui::Ui;

pub async fn run(global: &GlobalArgs, sources: SourceArgs, ui: Ui) -> Result<(), CliError> {
    let project = Project::load_with(global, sources, &|_| false, ui).await?;
    project.wanted.files(&project.sources).await?;
    let lock = project.wanted.lock().map_err(refused)?;
    let store = store().map_err(refused)?;
    let path = project.path();
    let folder = path.parent().unwrap_or(Path::new(".")).join(VENDOR_FOLDER);
    let failed = |what: &'static str, path: &Path, error: std::io::Error| CliError::Io {
        what,
        path: path.to_owned(),
        reason: error.to_string(),
    };
    std::fs::create_dir_all(&folder).map_err(|error| failed("making", &folder, error))?;
    let mut wanted = BTreeSet::new();
    let plugins = lock.plugins.iter();
    let plugins = plugins.map(|plugin| (&plugin.digest, &plugin.component));
    let bases = lock.bases.iter().map(|base| (&base.digest, &base.content));
    let artifacts: Vec<_> = plugins.chain(bases).collect();
    for (artifact, content) in &artifacts {
        for digest in [artifact, content] {
            wanted.insert(digest.hex().to_owned());
            let path = folder.join(digest.hex());
            // It may be vendored and not in the store, as on a machine without a registry.
            if let Some(bytes) = store.read(digest).map_err(refused)? {
                place(&path, &bytes).map_err(|error| failed("writing", &path, error))?;
            }
        }
    }
    for (artifact, _) in &artifacts {
        let name = format!("{}.sig", artifact.hex());
        let path = folder.join(&name);
        wanted.insert(name);
        let signatures = store.signatures(artifact);
        if !signatures.is_empty() {
            let text = serde_json::to_vec(&signatures).unwrap_or_default();
            place(&path, &text).map_err(|error| failed("writing", &path, error))?;
        }
    }
    // What is not wanted any more goes; files that are none of ours stay.
    for entry in std::fs::read_dir(&folder).map_err(|error| failed("reading", &folder, error))? {
        let Ok(entry) = entry else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        let digits = name.strip_suffix(".sig").unwrap_or(&name);
        let ours = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if ours && !wanted.contains(&name) {
            let path = entry.path();
            std::fs::remove_file(&path).map_err(|error| failed("removing", &path, error))?;
        }
    }
    let count = lock.plugins.len();
    let bases = lock.bases.len();
    let (all, are) = (super::count(count, bases), super::are(count, bases));
    if ui.is_json() {
        ui.json(
            &serde_json::json!({"event": "plugins-vendored", "folder": folder, "count": count}),
        );
        return Ok(());
    }
    ui.result(&format!("{all} {are} in {}", folder.display()));
    ui.note("commit the folder: deploys take plugins from it, also with --offline");
    Ok(())
}

//! A first plugins.toml for a folder.

use std::path::Path;

use super::ManifestError;
use crate::app::Name;
use crate::dockerfile::Dockerfile;

/// The text of a new file, and what to tell of it.
#[derive(Debug, Clone)]
pub struct InitFile {
    /// The text.
    pub contents: String,
    /// Remarks for the person.
    pub notes: Vec<String>,
}

/// Writes the text of a commented plugins.toml for what is in `dir`.
///
/// # Errors
///
/// If the folder, or its Dockerfile, can't be read.
pub fn init(dir: &Path) -> Result<InitFile, ManifestError> {
    let dir = std::fs::canonicalize(dir).map_err(|error| ManifestError::read(dir, &error))?;
    let folder = dir.file_name().map(|name| name.to_string_lossy());
    let name = folder.and_then(|folder| Name::from_lossy(&folder));
    let name = name.as_ref().map_or("app", Name::as_str);
    let file = dir.join("Dockerfile");
    let mut notes = Vec::new();
    let mut ports = Vec::new();
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let exposed = Dockerfile::parse(&text).exposed_ports(None, &Default::default());
            ports.extend(
                exposed
                    .into_iter()
                    .map(|(port, _)| format!("\"{port}:{port}\"")),
            );
            if ports.is_empty() {
                notes.push("the Dockerfile exposes no port: name the app's under `ports`".into());
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            notes.push(match dir.join("go.mod").is_file() {
                true => "there is no Dockerfile: the plugin go-static writes one for Go".into(),
                false => "there is no Dockerfile yet".to_owned(),
            });
        }
        Err(error) => return Err(ManifestError::read(&file, &error)),
    }
    let ports = match ports.is_empty() {
        true => "# ports = [\"8080:8080\"]".to_owned(),
        false => format!("ports = [{}]", ports.join(", ")),
    };
    let contents = format!(
        r#"# What `rengine deploy` builds and runs. Every key is optional.

[app]
name = "{name}"
{ports}          # host:container
# memory = "256MiB"
# cpus = 0.5
# health = {{ http = "/healthz" }}   # or tcp = 8080, or command = ["…"]
# env-file = ".env"

# [app.env]
# LOG_LEVEL = "info"

# Plugins run in the order in which they stand here, with nothing that is not granted.
# [plugins.harden]
# path = "plugins/harden.wasm"
# config = {{ user = "10001" }}

# Whose plugins may run here, of those that come from registries (source = "oci://…").
# [trust]
# keys = ["platform.pub"]
# require = true          # as it is by default: what none of them signed is refused
"#
    );
    Ok(InitFile { contents, notes })
}

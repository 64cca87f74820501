//! `rengine plugin keygen`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::add::refused;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::registry::{KeyError, SigningKey};
use crate::ui::Ui;

/// Which pair.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// Its name: NAME.key is the private key, NAME.pub the public one
    #[arg(value_name = "NAME", default_value = "rengine")]
    name: PathBuf,
}

pub fn run(global: &GlobalArgs, args: &KeygenArgs, ui: Ui) -> Result<(), CliError> {
    let path = |kind: &str| {
        let mut name = args.name.clone().into_os_string();
        name.push(kind);
        global.directory.join(name)
    };
    let (private, public) = (path(".key"), path(".pub"));
    let key = SigningKey::generate().map_err(|reason| {
        refused(KeyError {
            path: private.clone(),
            reason,
        })
    })?;
    // No key is ever written over: what it has signed would be nobody's.
    write(&private, key.pem(), 0o600)?;
    let half = key.public("");
    if let Err(error) = write(&public, &half.pem(), 0o644) {
        // A private key without its other half is of no use.
        let _ = std::fs::remove_file(&private);
        return Err(error);
    }
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "event": "key-made", "private": private, "public": public, "id": half.id(),
        }));
        return Ok(());
    }
    ui.result(&format!(
        "wrote {} and {}, key {}",
        private.display(),
        public.display(),
        half.id()
    ));
    ui.note(&format!(
        "keep {} secret: it signs with `rengine plugin push --sign {}`",
        private.display(),
        private.display()
    ));
    ui.note(&format!(
        "others trust it by `[trust]` and `keys = [\"{}\"]` in plugins.toml",
        public.display()
    ));
    Ok(())
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), CliError> {
    use std::os::unix::fs::OpenOptionsExt;
    let written = std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => CliError::KeyExists {
            path: path.to_owned(),
        },
        _ => CliError::Io {
            what: "writing",
            path: path.to_owned(),
            reason: error.to_string(),
        },
    })
}

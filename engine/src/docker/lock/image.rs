//! The image of lock containers.

use sha2::{Digest, Sha256};

use crate::docker::{Docker, DockerError};

/// The image of lock containers: it has no files, and is made where it is missing.
pub const IMAGE: &str = "rengine-lock:1";

impl Docker {
    /// Makes [`IMAGE`]. It is the same each time, down to its id, so two who do this at once
    /// leave one image behind.
    pub(super) async fn make_lock_image(&self) -> Result<(), DockerError> {
        let archive = lock_image(&self.facts().arch).map_err(|error| DockerError::Daemon {
            action: "make the image of locks".to_owned(),
            status: None,
            message: error.to_string(),
        })?;
        self.load_image(IMAGE, vec![archive.into()]).await
    }
}

/// An image with one empty layer, in the format of `docker save`.
fn lock_image(arch: &str) -> std::io::Result<Vec<u8>> {
    let hex = |bytes: &[u8]| {
        Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    // An empty tar archive: two empty blocks.
    let layer = [0; 1024];
    let config = serde_json::json!({
        "architecture": arch,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(&layer))] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "rengine" }],
    })
    .to_string();
    let config_name = format!("{}.json", hex(config.as_bytes()));
    let manifest = serde_json::json!([{ "Config": config_name, "RepoTags": [IMAGE], "Layers": ["layer.tar"] }]);
    let mut builder = tar::Builder::new(Vec::new());
    let files = [
        (config_name.as_str(), config.as_bytes()),
        ("layer.tar", &layer),
        ("manifest.json", manifest.to_string().as_bytes()),
    ]
    .map(|(name, contents)| (name.to_owned(), contents.to_vec()));
    for (name, contents) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(contents.len() as u64);
        builder.append_data(&mut header, name, &contents[..])?;
    }
    builder.into_inner()
}

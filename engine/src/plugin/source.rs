//! A plugin's file.

use std::path::Path;

use crate::app::ByteSize;
use crate::stamp::Stamp;

/// The largest file that is taken for a plugin, in bytes. Python with libraries has 20 MB.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Where it can't be had: what is wrong, and help.
pub type Unreadable = (String, Option<String>);

/// What the file system says of it.
pub fn stamp(path: &Path) -> Result<Stamp, Unreadable> {
    let facts = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => (
            "there is no such file".to_owned(),
            Some("build the plugin, or correct `path` in plugins.toml".to_owned()),
        ),
        _ => (error.to_string(), None),
    })?;
    if !facts.is_file() {
        let help = "`path` names the .wasm file itself";
        return Err(("it is not a file".to_owned(), Some(help.to_owned())));
    }
    if facts.len() > MAX_FILE_BYTES {
        let limit = ByteSize(MAX_FILE_BYTES);
        return Err((
            format!("it has {}, and {limit} is the limit", ByteSize(facts.len())),
            Some("see that `path` names the plugin, and leave out debug information".to_owned()),
        ));
    }
    Ok(Stamp::of(&facts))
}

/// Its bytes.
pub fn read(path: &Path) -> Result<Vec<u8>, Unreadable> {
    std::fs::read(path).map_err(|error| (error.to_string(), None))
}

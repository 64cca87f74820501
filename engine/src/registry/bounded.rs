//! Files that somebody else may have made: links to devices, pipes that nobody writes to, ones without an end.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Reads a file that is one, and has at most so many bytes.
pub fn bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let no_file = || io::Error::other("it is not a file");
    // What is opened is looked at again; what is no file is not opened for nothing.
    if !fs::metadata(path)?.is_file() {
        return Err(no_file());
    }
    let flags = rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(no_file());
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(io::Error::other("it is too large")),
        false => Ok(bytes),
    }
}

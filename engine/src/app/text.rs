//! How values of the model are written in JSON: as a person would write them in a file, so
//! that a plan, a change and a fingerprint all speak of `256MiB` and `1s`.

use std::time::Duration;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::{
    ByteSize, ContainerFile, Cpus, Device, GeneratedFile, Mount, NamedContext, PortMapping, Probe,
    RestartPolicy, Swap, Ulimit, VolumesFrom,
};

/// How much of a secret's digest is told, in hexadecimal digits.
const SECRET_DIGITS: usize = 8;

macro_rules! serialize_as_text {
    ($($type:ty),* $(,)?) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

serialize_as_text!(
    Cpus,
    Device,
    Mount,
    NamedContext,
    PortMapping,
    Probe,
    RestartPolicy,
    Swap,
    Ulimit,
    VolumesFrom
);

impl Serialize for ByteSize {
    /// In the largest unit that it is a whole number of: fingerprints are made from this, and two
    /// sizes that people would read as `1.1GiB` both are still two sizes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.exact())
    }
}

impl Serialize for GeneratedFile {
    /// Its digest and mode stand for it: contents may be large, or not text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mode = if self.executable { "0755" } else { "0644" };
        serializer.collect_str(&format_args!(
            "{} bytes, mode {mode}, sha256:{}",
            self.contents.len(),
            hex(&Sha256::digest(&self.contents))
        ))
    }
}

impl Serialize for ContainerFile {
    /// Its digest stands for it; of a secret only the beginning of one, since what is short can be
    /// found by trying.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digest = hex(&Sha256::digest(&self.contents));
        let digits = if self.secret {
            SECRET_DIGITS
        } else {
            digest.len()
        };
        serializer.collect_str(&format_args!(
            "mode {:04o}, owner {}:{}, sha256:{}",
            self.mode,
            self.uid,
            self.gid,
            &digest[..digits]
        ))
    }
}

pub(super) fn duration<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_duration(*value))
}

pub(super) fn optional_duration<S: Serializer>(
    value: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => duration(value, to),
        None => to.serialize_none(),
    }
}

/// As one text, and not as a list: an empty list that replaces the image's own words is something
/// else than none, and [`super::Fields`] leaves out empty lists.
pub(super) fn optional_words<S: Serializer>(
    value: &Option<Vec<String>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(words) => to.collect_str(&serde_json::json!(words)),
        None => to.serialize_none(),
    }
}

/// An image's name as people write it, always with a tag: daemons put the registry that is taken
/// where none is said before it, or leave it out.
pub(crate) fn familiar(name: &str) -> String {
    let prefixes = ["docker.io/library/", "docker.io/", "localhost/"];
    let short = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix));
    let short = short.unwrap_or(name);
    let last = short.rsplit('/').next().unwrap_or(short);
    match last.contains([':', '@']) {
        true => short.to_owned(),
        false => format!("{short}:latest"),
    }
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

//! What a container has of the host: files and devices.

use std::fmt;

/// A device of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Path on the host.
    pub host_path: String,
    /// Path in the container.
    pub container_path: String,
    /// Any of `r`, `w` and `m`.
    pub permissions: String,
}

impl fmt::Display for Device {
    /// As Docker writes it: `/dev/fuse:/dev/fuse:rwm`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.host_path, self.container_path, self.permissions
        )
    }
}

/// Something mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where the contents come from.
    pub source: MountSource,
    /// The absolute path in the container.
    pub target: String,
    /// True if the container can't write there.
    pub read_only: bool,
    /// What is said of it beyond that; nothing in most cases.
    pub options: MountOptions,
}

/// What can be said of a mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountOptions {
    /// How mounts below it are seen on the other side, as `rslave`.
    pub propagation: Option<String>,
    /// Mounts below a bound folder stay out.
    pub non_recursive: bool,
    /// Makes the folder to bind where it is missing.
    pub create_host_path: bool,
    /// A new volume does not get what the image has there.
    pub no_copy: bool,
    /// The part of a volume that is mounted.
    pub subpath: Option<String>,
}

impl MountOptions {
    fn words(&self) -> impl Iterator<Item = String> {
        let subpath = self.subpath.as_ref().map(|path| format!("subpath={path}"));
        let word = |set: bool, word: &str| set.then(|| word.to_owned());
        [
            self.propagation.clone(),
            word(self.non_recursive, "nonrecursive"),
            word(self.create_host_path, "create"),
            word(self.no_copy, "nocopy"),
            subpath,
        ]
        .into_iter()
        .flatten()
    }
}

impl fmt::Display for Mount {
    /// As Docker writes it: `data:/var/lib/data:ro`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            MountSource::Bind(source) | MountSource::Volume(source) => write!(f, "{source}:")?,
            MountSource::Anonymous => {}
        }
        f.write_str(&self.target)?;
        let read_only = self.read_only.then(|| "ro".to_owned());
        let words: Vec<_> = read_only.into_iter().chain(self.options.words()).collect();
        match words.is_empty() {
            true => Ok(()),
            false => write!(f, ":{}", words.join(",")),
        }
    }
}

/// Where a mount's contents come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSource {
    /// A path on the host, absolute.
    Bind(String),
    /// A named volume of the daemon.
    Volume(String),
    /// A volume that lives as long as its container.
    Anonymous,
}

impl MountSource {
    /// The volume's name, where it is a named one.
    pub fn volume(&self) -> Option<&str> {
        match self {
            Self::Volume(name) => Some(name),
            Self::Bind(_) | Self::Anonymous => None,
        }
    }
}

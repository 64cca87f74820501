//! Configs and secrets: files that are put into a container.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::super::error::ComposeError;
use super::super::files::clean;
use super::super::model::{FileMount, Mode, Secret};
use super::{Converter, Result};
use crate::app::{ContainerFile, Mount, MountSource};

/// The largest config or secret, in bytes.
const MAX_BYTES: u64 = 8 << 20;
/// Permissions where none are said: all may read, as Compose has it.
const MODE: u32 = 0o444;

impl Converter<'_> {
    /// Configs and secrets, beside these mounts.
    pub(super) fn files(
        &self,
        mounts: &[Mount],
        tmpfs: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, ContainerFile>> {
        let container = &self.service.container;
        let mut files = BTreeMap::new();
        for (index, mount) in container.configs.iter().enumerate() {
            let path = ["configs", &index.to_string()];
            let Some(config) = self.project.configs.get(&mount.source) else {
                continue;
            };
            let declared = ["configs", mount.source.as_str()];
            let contents = match (&config.content, &config.environment, &config.file) {
                (Some(text), ..) => text.clone().into_bytes(),
                (_, Some(variable), _) => self.variable(variable, &declared)?,
                (_, _, Some(file)) => self.contents(file, &declared)?,
                _ => continue,
            };
            let target = clean(&match mount.target.starts_with('/') {
                true => mount.target.clone(),
                false => format!("/{}", mount.target),
            });
            self.place(&target, mounts, tmpfs, &path)?;
            files.insert(target, self.file(mount, contents, false, &path)?);
        }
        for (index, mount) in container.secrets.iter().enumerate() {
            let path = ["secrets", &index.to_string()];
            let Some(secret) = self.project.secrets.get(&mount.source) else {
                continue;
            };
            let Some(contents) = self.secret(&mount.source, secret)? else {
                continue;
            };
            let target = clean(&mount.target);
            self.place(&target, mounts, tmpfs, &path)?;
            files.insert(target, self.file(mount, contents, true, &path)?);
        }
        Ok(files)
    }

    /// Files are put into a container before it starts, which is not possible everywhere: what
    /// is mounted then is the user's, or hides them.
    fn place(
        &self,
        target: &str,
        mounts: &[Mount],
        tmpfs: &BTreeMap<String, String>,
        path: &[&str],
    ) -> Result<()> {
        let Some(folder) = Path::new(target).parent() else {
            return Err(self.error(path, "has a file in the place of its root"));
        };
        let mounted = mounts
            .iter()
            .map(|mount| (mount.target.as_str(), Some(mount)));
        let mounted = mounted.chain(tmpfs.keys().map(|path| (path.as_str(), None)));
        let around = mounted.filter(|(place, _)| folder.starts_with(place));
        let (what, help) = match around.max_by_key(|(place, _)| place.len()) {
            Some((place, None)) if folder == Path::new(place) => (
                format!("has {target} in {place}, which is memory that is empty at the start"),
                "give it a `target` in another folder, or in one below it".to_owned(),
            ),
            // A folder below memory gets a volume of its own.
            Some((_, None)) => return Ok(()),
            Some((_, Some(mount))) if mount.source == MountSource::Anonymous => {
                if !mount.read_only {
                    return Ok(());
                }
                let what = format!("has {target} in a volume that can't be written to");
                (
                    what,
                    "take `ro` away, or give it another `target`".to_owned(),
                )
            }
            Some((place, Some(_))) => (
                format!(
                    "has {target} below {place}, where it would be written into what is mounted, and stay"
                ),
                format!(
                    "give it a `target` elsewhere, or mount a file of this machine at {target}"
                ),
            ),
            None if self.service.container.read_only && folder == Path::new("/") => (
                format!("has {target} at the top of a root that can't be written to"),
                "give it a `target` in a folder, such as /etc/app/config".to_owned(),
            ),
            None => return Ok(()),
        };
        Err(self.error(path, what).help(help))
    }

    /// What is in a secret; `None` for one that is kept elsewhere.
    pub(super) fn secret(&self, name: &str, secret: &Secret) -> Result<Option<Vec<u8>>> {
        let declared = ["secrets", name];
        match (&secret.environment, &secret.file) {
            (Some(variable), _) => self.variable(variable, &declared).map(Some),
            (_, Some(file)) => self.contents(file, &declared).map(Some),
            _ => Ok(None),
        }
    }

    fn file(
        &self,
        mount: &FileMount,
        contents: Vec<u8>,
        secret: bool,
        path: &[&str],
    ) -> Result<ContainerFile> {
        let id = |text: &Option<String>, what: &str| match text {
            None => Ok(0),
            Some(text) => text
                .parse()
                .map_err(|_| self.error(path, format!("has a {what} that is no number: `{text}`"))),
        };
        Ok(ContainerFile {
            contents,
            mode: mount.mode.map_or(MODE, |Mode(mode)| mode),
            uid: id(&mount.uid, "uid")?,
            gid: id(&mount.gid, "gid")?,
            secret,
        })
    }

    fn variable(&self, name: &str, declared: &[&str]) -> Result<Vec<u8>> {
        let value = self.project.environment.get(name);
        value.map(|value| value.as_bytes().to_vec()).ok_or_else(|| {
            let span = self.project.span(&[declared, &["environment"]].concat());
            ComposeError::at(span, format!("the variable `{name}` is not set"))
                .help("set it in the environment, or in the file `.env`")
        })
    }

    fn contents(&self, file: &Path, declared: &[&str]) -> Result<Vec<u8>> {
        let failed = |reason: String| {
            let span = self.project.span(&[declared, &["file"]].concat());
            ComposeError::at(span, format!("{} can't be read: {reason}", file.display()))
        };
        // A device or a pipe would have no end.
        let metadata = std::fs::metadata(file).map_err(|error| failed(error.to_string()))?;
        if !metadata.is_file() {
            return Err(failed("it is no file".into()));
        }
        let mut contents = Vec::new();
        std::fs::File::open(file)
            .and_then(|opened| opened.take(MAX_BYTES + 1).read_to_end(&mut contents))
            .map_err(|error| failed(error.to_string()))?;
        if contents.len() as u64 > MAX_BYTES {
            return Err(failed(format!("it has more than {} MiB", MAX_BYTES >> 20)));
        }
        Ok(contents)
    }
}

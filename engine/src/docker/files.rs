//! Files that are put into a container before it starts: wherever the daemon is, and whatever this
//! machine's folders are called there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use bollard::models::{Mount as ApiMount, MountType};
use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use futures_util::StreamExt;

use super::error::status;
use super::{Docker, DockerError};
use crate::app::{ContainerFile, ContainerSpec};

/// The mounts that files need to be put where nothing can be put: a volume for each folder, which
/// lives as long as the container.
pub(super) fn mounts(spec: &ContainerSpec) -> Vec<ApiMount> {
    let folders: BTreeSet<&str> = spec.files.keys().map(|path| split(path).0).collect();
    let mounted = |folder: &str| {
        spec.mounts.iter().any(|mount| mount.target == folder) || spec.tmpfs.contains_key(folder)
    };
    folders
        .into_iter()
        .filter(|folder| needs_volume(spec, folder) && !mounted(folder))
        .map(|folder| ApiMount {
            typ: Some(MountType::VOLUME),
            target: Some(folder.to_owned()),
            ..ApiMount::default()
        })
        .collect()
}

/// True for a folder in a read-only root, and for one in memory, which is mounted only when the
/// container starts.
fn needs_volume(spec: &ContainerSpec, folder: &str) -> bool {
    if spec.read_only_root {
        return true;
    }
    let around = |place: &&str| Path::new(folder).starts_with(place);
    let mounts = spec.mounts.iter().map(|mount| mount.target.as_str());
    let mounted = mounts.filter(around).map(str::len).max();
    let memory = spec.tmpfs.keys().map(String::as_str);
    let memory = memory.filter(around).map(str::len).max();
    memory > mounted
}

/// A path's folder and the rest.
fn split(path: &str) -> (&str, &str) {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((folder, name)) => (folder, name),
        None => ("/", path),
    }
}

impl Docker {
    /// Puts a container's own files into it before it runs.
    pub(super) async fn put_own_files(
        &self,
        id: &str,
        spec: &ContainerSpec,
    ) -> Result<(), DockerError> {
        let named = |folder: &str| needs_volume(spec, folder);
        self.put(id, &spec.files, named).await
    }

    /// Puts files into a container that does not run yet. `read_only` is true if its root can't be
    /// written to.
    pub async fn put_files(
        &self,
        id: &str,
        files: &BTreeMap<String, ContainerFile>,
        read_only: bool,
    ) -> Result<(), DockerError> {
        self.put(id, files, |_| read_only).await
    }

    /// A folder is `named` if files come into it only by its own name, as into a volume.
    async fn put(
        &self,
        id: &str,
        files: &BTreeMap<String, ContainerFile>,
        named: impl Fn(&str) -> bool,
    ) -> Result<(), DockerError> {
        let mut groups: BTreeMap<&str, Vec<(&str, &ContainerFile)>> = BTreeMap::new();
        for (path, file) in files {
            let (folder, name) = split(path);
            match named(folder) {
                true => groups.entry(folder).or_default().push((name, file)),
                false => groups
                    .entry("/")
                    .or_default()
                    .push((path.trim_start_matches('/'), file)),
            }
        }
        for (folder, files) in groups {
            let archive = archive(&files).map_err(|error| DockerError::Daemon {
                action: format!("put files into {folder}"),
                status: None,
                message: error.to_string(),
            })?;
            let options = UploadToContainerOptions {
                path: folder.to_owned(),
                ..Default::default()
            };
            let body = bollard::body_full(archive.into());
            self.client()
                .upload_to_container(id, Some(options), body)
                .await
                .map_err(|error| {
                    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
                    let action = format!("put {} into {folder} of {id}", names.join(", "));
                    self.error(action, error)
                })?;
        }
        Ok(())
    }
}

/// What is read of a file at most, in bytes.
const MAX_READ: usize = 4 << 20;

impl Docker {
    /// What is in a file of a container, running or not; `None` if there is no such file. Of
    /// more than 4 MiB nothing is given.
    pub async fn read_file(&self, id: &str, path: &str) -> Result<Option<Vec<u8>>, DockerError> {
        let options = DownloadFromContainerOptions {
            path: path.to_owned(),
        };
        let mut chunks = self.client().download_from_container(id, Some(options));
        let mut archive = Vec::new();
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => archive.extend_from_slice(&chunk),
                Err(error) if status(&error) == Some(404) => return Ok(None),
                Err(error) => return Err(self.error(format!("read {path} of {id}"), error)),
            }
            if archive.len() > MAX_READ {
                return Ok(None);
            }
        }
        Ok(first_file(&archive))
    }
}

/// The first file of an archive.
fn first_file(archive: &[u8]) -> Option<Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let mut file = archive.entries().ok()?.flatten().next()?;
    let mut contents = Vec::new();
    file.read_to_end(&mut contents).ok()?;
    Some(contents)
}

fn archive(files: &[(&str, &ContainerFile)]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, file) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.contents.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(file.uid);
        header.set_gid(file.gid);
        archive.append_data(&mut header, path, &file.contents[..])?;
    }
    archive.into_inner()
}

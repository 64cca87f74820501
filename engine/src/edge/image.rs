//! The edge's image: this program, and what it is linked to, in an image of one layer from scratch.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::tidy::PROGRAM_PREFIX;

mod elf;

use elf::{interpreter, loaded, without_sections};

/// Where the program is in the image.
pub const PROGRAM: &str = "/rengine";
/// The edge's folder in the image.
pub const FOLDER: &str = "/var/lib/rengine-edge";
/// Who runs it: a number that stands for nobody in particular.
pub const USER: u64 = 65532;
/// An image's tag is so much of the beginning of its digest.
const TAG_DIGITS: usize = 16;

/// Why there is no image.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ImageError {
    /// A file of the program can't be read.
    #[error("the edge's image can't be made: reading {} failed: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The daemon's machine can't run this program.
    #[error(
        "the edge can't run on the daemon's machine: it is {daemon}, and this rengine is {own}"
    )]
    #[diagnostic(help("deploy with a rengine that is built for {daemon}"))]
    Architecture {
        /// The daemon's.
        daemon: String,
        /// This program's.
        own: String,
    },
}

/// The image, as an archive that a daemon can load.
#[derive(Debug, Clone)]
pub struct EdgeImage {
    /// Its name on a daemon: `rengine-edge:` and the beginning of its digest.
    pub reference: String,
    /// Its id.
    pub id: String,
    archive: Vec<Bytes>,
    program: Bytes,
}

impl EdgeImage {
    /// The repository of all edges' images, of whatever release.
    pub const NAME: &str = "rengine-edge";

    /// Made from the program that runs.
    pub fn of_this_program() -> Result<Self, ImageError> {
        let program = std::env::current_exe().map_err(failed("/proc/self/exe"))?;
        let files = Files::of(&program)?;
        files.image().map_err(failed(&program))
    }

    /// The archive's size in bytes.
    pub fn size(&self) -> usize {
        self.archive.iter().map(Bytes::len).sum()
    }

    /// The program that is in it.
    pub fn program(&self) -> &[u8] {
        &self.program
    }

    /// The name of the program's file, where it is put into an edge that is to become it.
    pub fn program_name(&self) -> String {
        let digits = self.reference.rsplit(':').next().unwrap_or_default();
        format!("{PROGRAM_PREFIX}{digits}")
    }

    /// The archive, in pieces.
    pub fn archive(&self) -> Vec<Bytes> {
        self.archive.clone()
    }

    /// Whether a daemon's machine can run it: its architecture in the daemon's words.
    pub fn check_architecture(daemon: &str) -> Result<(), ImageError> {
        let known = match daemon {
            "x86_64" | "amd64" => "amd64",
            "aarch64" | "arm64" => "arm64",
            other => other,
        };
        match known == architecture() {
            true => Ok(()),
            false => Err(ImageError::Architecture {
                daemon: daemon.to_owned(),
                own: architecture().to_owned(),
            }),
        }
    }
}

/// This program's architecture, in the words of images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn failed(path: impl AsRef<Path>) -> impl Fn(io::Error) -> ImageError {
    let path = path.as_ref().to_owned();
    move |source| ImageError::File {
        path: path.clone(),
        source,
    }
}

/// What is in the image, by path there: bytes of a file, or where a link points.
#[derive(Debug, Default)]
struct Files {
    files: BTreeMap<PathBuf, Vec<u8>>,
    links: BTreeMap<PathBuf, PathBuf>,
}

impl Files {
    fn of(program: &Path) -> Result<Self, ImageError> {
        let mut all = Self::default();
        let mut bytes = std::fs::read(program).map_err(failed(program))?;
        // What follows is for debuggers, and is most of what a debug build is.
        bytes.truncate(loaded(&bytes).unwrap_or(bytes.len()));
        without_sections(&mut bytes);
        // One that is linked statically names no loader, and has nothing mapped but itself.
        if let Some(loader) = interpreter(&bytes) {
            let loader = PathBuf::from(loader);
            let file = std::fs::read(&loader).map_err(failed(&loader))?;
            all.files.insert(loader, file);
            for library in libraries(program)? {
                all.library(&library)?;
            }
        }
        all.files.insert(PathBuf::from(PROGRAM), bytes);
        Ok(all)
    }

    /// A library where it is, with the names by which the loader looks for it, and those that the C
    /// library before 2.34 loads for names of hosts.
    fn library(&mut self, library: &Path) -> Result<(), ImageError> {
        let file = std::fs::read(library).map_err(failed(library))?;
        self.files.insert(library.to_owned(), file);
        let Some(folder) = library.parent() else {
            return Ok(());
        };
        for entry in std::fs::read_dir(folder).map_err(failed(folder))?.flatten() {
            let path = entry.path();
            let link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if link && std::fs::canonicalize(&path).is_ok_and(|to| to == library) {
                self.links.insert(path, library.to_owned());
            }
        }
        let name = library.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("libc.so") || name.starts_with("libc-") {
            for more in ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"] {
                let path = folder.join(more);
                if let Ok(file) = std::fs::read(&path) {
                    self.files.entry(path).or_insert(file);
                }
            }
        }
        Ok(())
    }

    fn layer(self) -> io::Result<Vec<u8>> {
        let room = self.files.values().map(Vec::len).sum::<usize>() + 64 * 1024;
        let mut tar = tar::Builder::new(Vec::with_capacity(room));
        // Nothing in it tells when or by whom it was made: the same files are the same image.
        let header = |kind, size: usize, mode, user| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(size as u64);
            header.set_mode(mode);
            header.set_uid(user);
            header.set_gid(user);
            header.set_mtime(0);
            header
        };
        let mut folders: BTreeMap<PathBuf, (u32, u64)> = BTreeMap::new();
        let paths: BTreeSet<_> = self.files.keys().chain(self.links.keys()).collect();
        for path in paths {
            let above = path
                .ancestors()
                .skip(1)
                .filter(|path| path.parent().is_some());
            folders.extend(above.map(|path| (path.to_owned(), (0o755, 0))));
        }
        folders.insert(PathBuf::from("/var"), (0o755, 0));
        folders.insert(PathBuf::from("/var/lib"), (0o755, 0));
        folders.insert(PathBuf::from(FOLDER), (0o700, USER));
        folders.insert(PathBuf::from("/tmp"), (0o1777, 0));
        let inside = |path: &Path| path.strip_prefix("/").unwrap_or(path).to_owned();
        for (path, (mode, user)) in folders {
            let mut header = header(tar::EntryType::Directory, 0, mode, user);
            tar.append_data(&mut header, inside(&path), io::empty())?;
        }
        for (path, bytes) in &self.files {
            let mut header = header(tar::EntryType::Regular, bytes.len(), 0o755, 0);
            tar.append_data(&mut header, inside(path), bytes.as_slice())?;
        }
        for (path, to) in &self.links {
            if !self.files.contains_key(path) {
                let mut header = header(tar::EntryType::Symlink, 0, 0o777, 0);
                tar.append_link(&mut header, inside(path), to)?;
            }
        }
        tar.into_inner()
    }

    fn image(self) -> io::Result<EdgeImage> {
        let program = self.files.get(Path::new(PROGRAM));
        let program = Bytes::from(program.cloned().unwrap_or_default());
        let layer = self.layer()?;
        let digest = |bytes: &[u8]| {
            let digest = Sha256::digest(bytes);
            digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let diff_id = format!("sha256:{}", digest(&layer));
        let config = serde_json::json!({
            "architecture": architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Entrypoint": [PROGRAM, "edge", "serve", "--folder", FOLDER],
                "User": format!("{USER}:{USER}"),
                "WorkingDir": "/",
                "Labels": { "dev.rengine.edge": env!("CARGO_PKG_VERSION") },
            },
            "rootfs": { "type": "layers", "diff_ids": [diff_id] },
            "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "rengine" }],
        });
        let config = serde_json::to_vec(&config)?;
        let id = digest(&config);
        let reference = format!("{}:{}", EdgeImage::NAME, &id[..TAG_DIGITS]);
        let manifest = serde_json::to_vec(&serde_json::json!([{
            "Config": format!("{id}.json"),
            "RepoTags": [reference],
            "Layers": ["layer.tar"],
        }]))?;
        let mut archive = Vec::new();
        let names = [
            format!("{id}.json"),
            "manifest.json".to_owned(),
            "layer.tar".to_owned(),
        ];
        for (name, bytes) in names.iter().zip([config, manifest, layer]) {
            let mut header = tar::Header::new_gnu();
            header.set_path(name)?;
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            archive.push(Bytes::copy_from_slice(header.as_bytes()));
            let padding = bytes.len().next_multiple_of(BLOCK) - bytes.len();
            archive.push(Bytes::from(bytes));
            archive.push(Bytes::from(vec![0; padding]));
        }
        archive.push(Bytes::from_static(&[0; 2 * BLOCK]));
        Ok(EdgeImage {
            reference,
            id: format!("sha256:{id}"),
            archive,
            program,
        })
    }
}

/// What an archive's parts are a whole number of.
const BLOCK: usize = 512;

/// The libraries that are mapped into this process (proc_pid_maps(5)).
fn libraries(program: &Path) -> Result<BTreeSet<PathBuf>, ImageError> {
    const MAPS: &str = "/proc/self/maps";
    let maps = std::fs::read_to_string(MAPS).map_err(failed(MAPS))?;
    Ok(libraries_in(&maps, program))
}

/// The same in such a text. The compiled code of plugins is mapped, too, and is no library of this program: another
/// rengine may have replaced its file, and with it each set of plugins would have an image of its own.
fn libraries_in(maps: &str, program: &Path) -> BTreeSet<PathBuf> {
    let paths = maps.lines().filter_map(|line| {
        let mut parts = line.splitn(6, char::is_whitespace);
        let rights = parts.nth(1)?;
        let path = Path::new(parts.last()?.trim());
        let is_library = path.file_name()?.to_str()?.contains(".so");
        (rights.contains('x') && path.is_absolute() && is_library).then(|| path.to_owned())
    });
    paths.filter(|path| path != program).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_same_each_time_and_holds_what_is_linked() {
        let program = std::env::current_exe().expect("a program");
        let files = Files::of(&program).expect("files");
        assert!(files.files.contains_key(Path::new(PROGRAM)));
        let libc = |path: &PathBuf| path.to_string_lossy().contains("libc.so");
        let dynamic = interpreter(&files.files[Path::new(PROGRAM)]).is_some();
        assert_eq!(files.files.keys().any(libc), dynamic);
        let small = || Files {
            files: BTreeMap::from([(PathBuf::from("/a/b"), vec![1, 2, 3])]),
            links: BTreeMap::from([(PathBuf::from("/a/c"), PathBuf::from("/a/b"))]),
        };
        let one = small().image().expect("an image");
        assert_eq!(one.id, small().image().expect("an image").id);
        assert_eq!(one.size() % BLOCK, 0);
        assert_eq!(interpreter(b"\x7fELF\x02\x01"), None);
        assert_eq!(interpreter(b""), None);
    }

    #[test]
    fn compiled_plugins_are_no_libraries() {
        let maps = "55d0-55d1 r-xp 00001000 fe:00 12 /usr/bin/rengine\n\
            7f00-7f01 r--p 00000000 fe:00 13 /usr/lib/x86_64-linux-gnu/libm.so.6\n\
            7f01-7f02 r-xp 00001000 fe:00 14                         /usr/lib/x86_64-linux-gnu/libc.so.6\n\
            7f02-7f03 r-xp 00000000 fe:00 15 /home/me/.cache/rengine/compiled-1/02df.cwasm (deleted)\n\
            7f03-7f04 rw-p 00000000 00:00 0\n\
            7f04-7f05 r-xp 00000000 00:00 0                          [vdso]\n";
        let found = libraries_in(maps, Path::new("/usr/bin/rengine"));
        let libc = PathBuf::from("/usr/lib/x86_64-linux-gnu/libc.so.6");
        assert_eq!(found, BTreeSet::from([libc]));
    }

    #[test]
    fn another_architecture_is_told() {
        assert!(EdgeImage::check_architecture(std::env::consts::ARCH).is_ok());
        let error = EdgeImage::check_architecture("riscv64").expect_err("another");
        assert!(error.to_string().contains("it is riscv64"), "{error}");
    }
}

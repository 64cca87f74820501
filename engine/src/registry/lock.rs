//! plugins.lock: which plugins the deploys of an app run, and which bases it extends, to the byte.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Digest;
use super::bounded::bounded;

/// The file, beside plugins.toml.
pub const FILE_NAME: &str = "plugins.lock";
/// The version of its form.
const VERSION: u32 = 1;
/// The largest file that is taken for one, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;
const HEAD: &str = "\
# Which plugins the deploys of this app run, to the byte. rengine writes it, and
# `rengine plugin update` takes newer ones. Keep it under version control.
";

/// plugins.lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Its bases, by source.
    pub bases: Vec<LockedBase>,
    /// Its plugins, by name.
    pub plugins: Vec<Locked>,
}

/// One plugin that is locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Its name in plugins.toml.
    pub name: String,
    /// Its source, as plugins.toml writes it.
    pub source: String,
    /// The tag that was picked, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The digest of the artifact's manifest: what signatures are for.
    pub digest: Digest,
    /// The digest of the component.
    pub component: Digest,
    /// The component's size in bytes.
    pub size: u64,
    /// The version of rengine's interface that it was built for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wit: Option<String>,
    /// Its hooks.
    pub hooks: Vec<String>,
    /// What it imports: what it can ask for at all.
    pub imports: Vec<String>,
}

/// One base that is locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedBase {
    /// Its source, as the file writes it that extends it.
    pub source: String,
    /// The tag that was picked, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The digest of the artifact's manifest: what signatures are for.
    pub digest: Digest,
    /// The digest of its text.
    pub content: Digest,
    /// The text's size in bytes.
    pub size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default, rename = "base", skip_serializing_if = "Vec::is_empty")]
    bases: Vec<LockedBase>,
    #[serde(default, rename = "plugin")]
    plugins: Vec<Locked>,
}

/// What is wrong with plugins.lock.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("{}: {reason}", path.display())]
#[diagnostic(help(
    "`git log -p {FILE_NAME}` may tell how it came; `rengine plugin update` writes it anew from plugins.toml"
))]
pub struct LockError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, with its line.
    pub reason: String,
}

impl Lock {
    /// Where the file is that goes with a plugins.toml: beside it, with its name.
    pub fn beside(manifest: &Path) -> PathBuf {
        manifest.with_extension("lock")
    }

    /// Reads a file; one that is not there locks nothing.
    ///
    /// # Errors
    ///
    /// If it can't be read, or is no plugins.lock that this rengine knows.
    pub fn load(path: &Path) -> Result<Self, LockError> {
        let error = |reason: String| LockError {
            path: path.to_owned(),
            reason,
        };
        let bytes = match bounded(path, MAX_FILE_BYTES) {
            Ok(bytes) => bytes,
            Err(wrong) if wrong.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(wrong) => return Err(error(wrong.to_string())),
        };
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| error("it is not UTF-8 text".to_owned()))?;
        Self::parse(&text).map_err(error)
    }

    /// Reads the text of one.
    ///
    /// # Errors
    ///
    /// If it is none, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let line = |span: Option<std::ops::Range<usize>>| {
            span.and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1)
        };
        if let Some(place) = text.find("<<<<<<<") {
            let line = line(Some(place..place));
            return Err(format!("line {line}: a merge left its marks there"));
        }
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let wrong =
            |error: toml::de::Error| format!("line {}: {}", line(error.span()), error.message());
        let Versioned { version } = toml::from_str(text).map_err(wrong)?;
        if version > VERSION {
            return Err(format!(
                "it is of version {version}, and this rengine knows {VERSION}: a newer one wrote it"
            ));
        }
        let file: File = toml::from_str(text).map_err(wrong)?;
        let mut names: Vec<_> = file.plugins.iter().map(|plugin| &plugin.name).collect();
        names.sort();
        if let Some(pair) = names.windows(2).find(|pair| pair.first() == pair.last()) {
            let name = pair.first().map(|name| name.as_str()).unwrap_or_default();
            return Err(format!("the plugin `{name}` is there twice"));
        }
        let mut sources: Vec<_> = file.bases.iter().map(|base| &base.source).collect();
        sources.sort();
        if let Some(pair) = sources.windows(2).find(|pair| pair.first() == pair.last()) {
            let source = pair.first().map(|name| name.as_str()).unwrap_or_default();
            return Err(format!("the base `{source}` is there twice"));
        }
        Ok(Self {
            bases: file.bases,
            plugins: file.plugins,
        })
    }

    /// What is locked of a plugin.
    pub fn get(&self, name: &str) -> Option<&Locked> {
        self.plugins.iter().find(|locked| locked.name == name)
    }

    /// What is locked of a base.
    pub fn base(&self, source: &str) -> Option<&LockedBase> {
        self.bases.iter().find(|locked| locked.source == source)
    }

    /// Locks these bases and no others.
    pub fn set_bases(&mut self, bases: &[LockedBase]) {
        self.bases = bases.to_vec();
        self.bases.sort_by(|a, b| a.source.cmp(&b.source));
        self.bases.dedup_by(|a, b| a.source == b.source);
    }

    /// True if nothing is locked.
    pub fn is_empty(&self) -> bool {
        self.plugins.is_empty() && self.bases.is_empty()
    }

    /// Locks a plugin, in the place of what was locked of it.
    pub fn set(&mut self, locked: Locked) {
        self.plugins.retain(|known| known.name != locked.name);
        self.plugins.push(locked);
        self.plugins.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Leaves only plugins that `known` knows.
    pub fn retain(&mut self, known: impl Fn(&str) -> bool) {
        self.plugins.retain(|locked| known(&locked.name));
    }

    /// As it is written.
    pub fn text(&self) -> String {
        let file = File {
            version: VERSION,
            bases: self.bases.clone(),
            plugins: self.plugins.clone(),
        };
        // Texts and numbers can't fail to be written.
        let text = toml::to_string(&file).unwrap_or_default();
        format!("{HEAD}{text}")
    }

    /// Writes a file, whole or not at all; one that locks nothing is removed.
    ///
    /// # Errors
    ///
    /// If it can't be written.
    pub fn store(&self, path: &Path) -> Result<(), LockError> {
        let stored = match self.is_empty() {
            true => match std::fs::remove_file(path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                result => result,
            },
            false => replace(path, &self.text()),
        };
        stored.map_err(|error| LockError {
            path: path.to_owned(),
            reason: format!("it can't be written: {error}"),
        })
    }
}

/// Writes a file that others see as it was or as it will be. One process at a time does so, in a file beside
/// it; what one leaves there that is killed, the next one writes over.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let draft = path.with_added_extension("new");
    // A link there could lead to any file of this user, and a pipe to nowhere.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut file = loop {
        if fs::symlink_metadata(&draft).is_ok_and(|there| !there.is_file() || there.nlink() > 1) {
            fs::remove_file(&draft)?;
        }
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .custom_flags(flags.bits().cast_signed())
            .open(&draft);
        let file = match opened {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                continue;
            }
            opened => opened?,
        };
        file.lock()?;
        // Whoever had it before has put it in its place: then this is plugins.lock.
        let own = file.metadata()?;
        let there = fs::symlink_metadata(&draft);
        if own.is_file() && there.is_ok_and(|there| there.ino() == own.ino()) {
            break file;
        }
    };
    file.set_len(0)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(name: &str) -> Locked {
        Locked {
            name: name.to_owned(),
            source: format!("oci://r.example/{name}:^1"),
            version: Some("1.2.0".to_owned()),
            digest: Digest::of(b"manifest"),
            component: Digest::of(name.as_bytes()),
            size: 9,
            wit: Some("0.1.0".to_owned()),
            hooks: vec!["pre-run".to_owned()],
            imports: vec!["rengine:plugin/types@0.1.0".to_owned()],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Lock::beside(&folder.path().join("plugins.toml"));
        assert_eq!(Lock::load(&path), Ok(Lock::default()), "none is no error");
        let mut lock = Lock::default();
        lock.set(locked("size"));
        lock.set(locked("harden"));
        lock.set(locked("size"));
        lock.store(&path).expect("written");
        assert_eq!(Lock::load(&path).as_ref(), Ok(&lock));
        let names: Vec<_> = lock
            .plugins
            .iter()
            .map(|locked| locked.name.as_str())
            .collect();
        assert_eq!(names, ["harden", "size"]);
        lock.retain(|_| false);
        let base = LockedBase {
            source: "oci://r.example/base:^3".to_owned(),
            version: Some("3.0.1".to_owned()),
            digest: Digest::of(b"manifest"),
            content: Digest::of(b"text"),
            size: 4,
        };
        lock.set_bases(&[base.clone(), base]);
        lock.store(&path).expect("written");
        assert_eq!(Lock::load(&path).as_ref(), Ok(&lock));
        assert_eq!(
            lock.base("oci://r.example/base:^3").map(|base| base.size),
            Some(4)
        );
        lock.set_bases(&[]);
        lock.store(&path).expect("written");
        assert!(!path.exists(), "nothing is locked");
    }

    #[test]
    fn many_write_and_one_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE_NAME);
        // What one left that was killed while it wrote.
        fs::write(folder.path().join("plugins.lock.new"), "x".repeat(9999)).expect("written");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    for count in 0..20 {
                        let mut lock = Lock::default();
                        (0..=count).for_each(|name| lock.set(locked(&format!("p{writer}-{name}"))));
                        lock.store(path).expect("written");
                        let read = Lock::load(path).expect("whole");
                        assert!(!read.plugins.is_empty());
                    }
                });
            }
        });
        let left = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 1, "nothing is left beside it");
    }

    #[test]
    fn nothing_is_written_through_what_lies_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE_NAME);
        let (draft, victim) = (
            folder.path().join("plugins.lock.new"),
            folder.path().join("victim"),
        );
        fs::write(&victim, "mine").expect("written");
        let mut lock = Lock::default();
        lock.set(locked("size"));
        let ways: [fn(&Path, &Path) -> io::Result<()>; 3] = [
            |victim, draft| std::os::unix::fs::symlink(victim, draft),
            |victim, draft| fs::hard_link(victim, draft),
            |_, draft| {
                let mode = rustix::fs::Mode::from_raw_mode(0o600);
                let kind = rustix::fs::FileType::Fifo;
                Ok(rustix::fs::mknodat(rustix::fs::CWD, draft, kind, mode, 0)?)
            },
        ];
        for way in ways {
            way(&victim, &draft).expect("made");
            lock.store(&path).expect("written");
            assert_eq!(fs::read_to_string(&victim).expect("readable"), "mine");
            assert_eq!(Lock::load(&path).as_ref(), Ok(&lock));
            assert!(!draft.exists());
        }
    }

    #[test]
    fn what_is_no_file_or_has_no_end_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE_NAME);
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, mode, 0).expect("made");
        let error = Lock::load(&path).expect_err("nobody writes to it");
        assert_eq!(error.reason, "it is not a file");
        fs::remove_file(&path).expect("there");
        std::os::unix::fs::symlink("/dev/zero", &path).expect("made");
        let error = Lock::load(&path).expect_err("it has no end");
        assert_eq!(error.reason, "it is not a file");
        fs::remove_file(&path).expect("there");
        fs::write(&path, "#".repeat(MAX_FILE_BYTES as usize + 1)).expect("written");
        let error = Lock::load(&path).expect_err("it is large");
        assert_eq!(error.reason, "it is too large");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let good = {
            let mut lock = Lock::default();
            lock.set(locked("size"));
            lock.text()
        };
        for (text, said) in [
            ("", "version"),
            ("version = 2\nnews = 1", "version 2"),
            ("version = 1\nnews = 1", "line 2"),
            ("version = 1\n<<<<<<< HEAD\n", "line 2: a merge"),
            (&good.replace("sha256:", "sha256:z"), "64 digits"),
            (&good.replace("size = 9", "size = -9"), "line"),
            (
                &format!(
                    "{good}{}",
                    good.split("version = 1\n").nth(1).expect("a part")
                ),
                "twice",
            ),
        ] {
            let error = Lock::parse(text).expect_err(said);
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}

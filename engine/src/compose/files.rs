//! Reads the files of a project, each once.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::error::ComposeError;
use super::source::Source;

/// The largest Compose or environment file, in bytes.
pub const MAX_FILE_BYTES: u64 = 4 << 20;
/// The path of the file that this process is given as its input: `-f -`.
pub const STDIN: &str = "/dev/stdin";
/// The most files of one project: those that `include`, `extends` and `env_file` name are many
/// only by mistake.
pub const MAX_FILES: usize = 500;

/// No variables at all, as people write it: `--env-file /dev/null`.
const NOTHING: &str = "/dev/null";

/// True if there is an environment file.
pub fn is_env_file(path: &Path) -> bool {
    path == Path::new(NOTHING) || path.is_file()
}

/// The files that were read.
#[derive(Debug)]
pub struct Files {
    /// Paths below it are shown relative to it.
    dir: PathBuf,
    read: RefCell<HashMap<PathBuf, Arc<Source>>>,
    /// What was told of files: a file may be read for several services.
    told: RefCell<HashSet<(PathBuf, String)>>,
}

impl Files {
    /// No file yet; `dir` is where the project is, absolute.
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            read: RefCell::default(),
            told: RefCell::default(),
        }
    }

    /// True if this is to be told of a file, which is so once.
    pub fn tells(&self, path: &Path, what: &str) -> bool {
        let what = (path.to_owned(), what.to_owned());
        self.told.borrow_mut().insert(what)
    }

    /// The text of a file, which must be UTF-8.
    pub fn read(&self, path: &Path) -> Result<Arc<Source>, ComposeError> {
        if let Some(source) = self.read.borrow().get(path) {
            return Ok(source.clone());
        }
        let failed = |reason: String| ComposeError::Read {
            path: path.to_owned(),
            reason,
        };
        if self.read.borrow().len() >= MAX_FILES {
            return Err(failed(format!(
                "the project has more than {MAX_FILES} files"
            )));
        }
        if path == Path::new(NOTHING) {
            return Ok(Source::new(
                path.to_owned(),
                path.display().to_string(),
                String::new(),
            ));
        }
        let bytes = match path == Path::new(STDIN) {
            true => input().clone().map_err(failed)?,
            false => {
                // A pipe, or a device such as /dev/zero, would have no end.
                let of_path = |error| ComposeError::read(path, &error);
                if !std::fs::metadata(path).map_err(of_path)?.is_file() {
                    return Err(failed("it is no file".into()));
                }
                bounded(std::fs::File::open(path).map_err(of_path)?).map_err(of_path)?
            }
        };
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(failed(format!(
                "it has more than {} MiB",
                MAX_FILE_BYTES >> 20
            )));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            failed(format!(
                "it is no UTF-8 from byte {} on",
                error.utf8_error().valid_up_to()
            ))
        })?;
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        let shown = match path == Path::new(STDIN) {
            true => "<stdin>".to_owned(),
            false => path
                .strip_prefix(&self.dir)
                .unwrap_or(path)
                .display()
                .to_string(),
        };
        let source = Source::new(path.to_owned(), shown, text);
        self.read
            .borrow_mut()
            .insert(path.to_owned(), source.clone());
        Ok(source)
    }
}

/// As much of a file as is read, and one byte more where it is longer.
fn bounded(file: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What this process is given as input. It can be read once, however often a project is.
fn input() -> &'static Result<Vec<u8>, String> {
    static INPUT: OnceLock<Result<Vec<u8>, String>> = OnceLock::new();
    INPUT.get_or_init(|| bounded(std::io::stdin().lock()).map_err(|error| error.to_string()))
}

/// The same of a path in a container.
pub fn clean(path: &str) -> String {
    normalized(Path::new(path)).to_string_lossy().into_owned()
}

/// A path without `.` and `..`, as far as that can be told without looking at the disk.
pub fn normalized(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

//! From a project to its component, with the language's own toolchain.

mod c;
mod go;
mod javascript;
mod python;
mod rust;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::toolchain::{Search, Step};
use super::{AuthorError, Language};
use crate::app::ByteSize;

/// The component's name in the project's folder, where no other is asked for.
pub const COMPONENT: &str = "plugin.wasm";

/// A build of one project.
pub struct Build<'a> {
    /// The project's folder.
    pub dir: &'a Path,
    /// Where the component goes; [`COMPONENT`] in the project's folder if `None`.
    pub output: Option<&'a Path>,
    /// The value of `PATH`, in which tools are looked for.
    pub path: Option<OsString>,
    /// Is told of each command before it runs.
    pub tell: &'a dyn Fn(&str),
}

/// What a build made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Built {
    /// The project's language.
    pub language: Language,
    /// The component.
    pub component: PathBuf,
    /// Its size.
    #[serde(serialize_with = "bytes")]
    pub size: ByteSize,
}

fn bytes<S: serde::Serializer>(size: &ByteSize, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(size.0)
}

impl Build<'_> {
    /// Builds the component. What the toolchain writes goes to standard error.
    ///
    /// # Errors
    ///
    /// If the folder is no project, if a tool is missing (with what to install), or if a tool
    /// fails.
    pub fn run(&self) -> Result<Built, AuthorError> {
        let dir = std::path::absolute(self.dir).map_err(AuthorError::io("finding", self.dir))?;
        let language = Language::detect(&dir).ok_or_else(|| AuthorError::NoProject {
            dir: self.dir.to_owned(),
        })?;
        let component = match self.output {
            Some(output) => {
                std::path::absolute(output).map_err(AuthorError::io("finding", output))?
            }
            None => dir.join(COMPONENT),
        };
        let scratch = tempfile::tempdir().map_err(AuthorError::io("making", &dir))?;
        let project = Project {
            dir: &dir,
            language,
            search: Search::new(&local_tools(&dir, language), self.path.as_deref()),
            scratch: scratch.path(),
            tell: self.tell,
        };
        let made = match language {
            Language::Rust => rust::build(&project)?,
            Language::Python => python::build(&project)?,
            Language::JavaScript | Language::TypeScript => javascript::build(&project)?,
            Language::Go => go::build(&project)?,
            Language::C => c::build(&project)?,
        };
        let size = place(&made, &component)?;
        Ok(Built {
            language,
            component: match self.output {
                Some(output) => output.to_owned(),
                None => self.dir.join(COMPONENT),
            },
            size: ByteSize(size),
        })
    }
}

/// What the build of each language works with.
struct Project<'a> {
    dir: &'a Path,
    language: Language,
    search: Search,
    /// A folder that is gone after the build.
    scratch: &'a Path,
    tell: &'a dyn Fn(&str),
}

impl Project<'_> {
    fn run(&self, step: &Step) -> Result<(), AuthorError> {
        (self.tell)(&step.line());
        step.run()
    }

    fn output(&self, step: &Step) -> Result<Vec<u8>, AuthorError> {
        (self.tell)(&step.line());
        step.output()
    }

    /// A step that is done when it left a file.
    fn make(&self, step: &Step, wanted: &Path, help: &str) -> Result<PathBuf, AuthorError> {
        self.run(step)?;
        match wanted.is_file() {
            true => Ok(wanted.to_owned()),
            false => Err(AuthorError::NothingMade {
                command: step.line(),
                wanted: wanted.to_owned(),
                help: help.to_owned(),
            }),
        }
    }
}

/// Where a project keeps tools of its own.
fn local_tools(dir: &Path, language: Language) -> Vec<PathBuf> {
    match language {
        Language::Python => [".venv", "venv"]
            .iter()
            .map(|name| dir.join(name).join("bin"))
            .collect(),
        // As npm finds them: in the folder, or in one above it.
        Language::JavaScript | Language::TypeScript => dir
            .ancestors()
            .map(|folder| folder.join("node_modules/.bin"))
            .collect(),
        Language::Rust | Language::Go | Language::C => Vec::new(),
    }
}

/// Puts the component where it belongs, whole or not at all; returns its size.
fn place(made: &Path, component: &Path) -> Result<u64, AuthorError> {
    let bytes = std::fs::read(made).map_err(AuthorError::io("reading", made))?;
    let beside = component.with_extension("wasm.new");
    super::error::write(&beside, &bytes)?;
    std::fs::rename(&beside, component).map_err(AuthorError::io("writing", component))?;
    Ok(bytes.len() as u64)
}

//! What can go wrong with an author's project.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use super::Language;
use crate::manifest::ManifestError;
use crate::plugin::{Hook, LoadError};

/// What ended a command for authors.
#[derive(Debug, Error, Diagnostic)]
pub enum AuthorError {
    /// The folder is no project of a language that is known.
    #[error("{} holds no plugin in a language that rengine knows", dir.display())]
    #[diagnostic(help(
        "a project has a Cargo.toml, package.json, go.mod, src/app.py or *.c; \
         `rengine plugin new` writes one"
    ))]
    NoProject {
        /// The folder.
        dir: PathBuf,
    },
    /// The name can't be a project's.
    #[error("`{name}` can't be the name of a plugin: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// A new project would be mixed with what is there.
    #[error("{} is not empty", dir.display())]
    #[diagnostic(help("name another folder with `--path`"))]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
    },
    /// A file of cases is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Cases(#[from] Box<ManifestError>),
    /// A file of cases has none.
    #[error("{} has no cases", path.display())]
    #[diagnostic(help("a case begins with [[case]]; see \"Tools\" in plugins/README.md"))]
    NoCases {
        /// The file.
        path: PathBuf,
    },
    /// A case calls a hook that the component does not have.
    #[error("the case `{case}` calls {hook}, which the component does not export")]
    #[diagnostic(help("it exports {}", hooks.join(", ")))]
    NoHook {
        /// The case.
        case: String,
        /// The hook.
        hook: Hook,
        /// What it exports.
        hooks: Vec<&'static str>,
    },
    /// A case does not grant what the component can't be loaded without.
    #[error("the component imports {imports}, which the case `{case}` does not grant")]
    #[diagnostic(help("add `grants = {{ {grants} }}` to the case"))]
    NotGranted {
        /// The case.
        case: String,
        /// The interfaces.
        imports: String,
        /// The grants, as a case writes them.
        grants: String,
    },
    /// There is no component yet.
    #[error("there is no {}", path.display())]
    #[diagnostic(help("`rengine plugin build` makes it"))]
    NotBuilt {
        /// Where it would be.
        path: PathBuf,
    },
    /// A program that the language's toolchain needs is not there.
    #[error("{what} is missing, and needed to build {language}{}", found.as_deref().map(|found| format!(" ({found})")).unwrap_or_default())]
    #[diagnostic(help("install it, then try again:\n{install}"))]
    MissingTool {
        /// What is missing.
        what: String,
        /// What is there instead, if something is.
        found: Option<String>,
        /// The language.
        language: Language,
        /// How it is installed: a line for each way.
        install: String,
    },
    /// A program of the toolchain failed; it said why itself.
    #[error("`{command}` {status}")]
    #[diagnostic(help("what it wrote is above"))]
    ToolFailed {
        /// The command, as it could be typed.
        command: String,
        /// How it ended.
        status: String,
    },
    /// The toolchain ended well and did not leave what it was to make.
    #[error("`{command}` made no {}", wanted.display())]
    #[diagnostic(help("{help}"))]
    NothingMade {
        /// The command, as it could be typed.
        command: String,
        /// What it was to make.
        wanted: PathBuf,
        /// What to look at.
        help: String,
    },
    /// The project's interface can't be used.
    #[error("the interface in {} can't be used: {reason}", dir.display())]
    #[diagnostic(help(
        "wit/ has one .wit file with the plugin's world, and wit/deps the packages that it names; \
         `rengine plugin new` shows how"
    ))]
    Wit {
        /// The folder `wit`.
        dir: PathBuf,
        /// Why not.
        reason: String,
    },
    /// What the compiler wrote can't become a component.
    #[error("no component can be made of the compiled module: {reason}")]
    #[diagnostic(help(
        "see that the code implements each hook that the world in wit/ exports, by the names in \
         the generated bindings"
    ))]
    Componentize {
        /// Why not.
        reason: String,
    },
    /// The component can't be loaded.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Load(#[from] LoadError),
    /// This machine can't run plugins.
    #[error("plugins can't run on this machine: {reason}")]
    NoHost {
        /// Why not.
        reason: String,
    },
    /// No instance can be made.
    #[error("no instance of it can be made: {reason}")]
    NoStart {
        /// Why not.
        reason: String,
    },
    /// A file can't be read or written.
    #[error("{what} {} failed: {reason}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        reason: String,
    },
}

impl AuthorError {
    /// True if what was asked for can't be done, rather than went wrong.
    pub fn is_bad_input(&self) -> bool {
        matches!(
            self,
            Self::NoProject { .. }
                | Self::Name { .. }
                | Self::NotEmpty { .. }
                | Self::Cases(_)
                | Self::NoCases { .. }
                | Self::NoHook { .. }
                | Self::NotGranted { .. }
                | Self::NotBuilt { .. }
                | Self::Wit { .. }
                | Self::Load(_)
                | Self::Io { .. }
        )
    }

    pub(super) fn io<'a>(
        what: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |error| Self::Io {
            what,
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }
}

/// Writes a file, and the folders that it is in.
pub(super) fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<(), AuthorError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(AuthorError::io("making", folder))?;
    }
    std::fs::write(path, contents).map_err(AuthorError::io("writing", path))
}

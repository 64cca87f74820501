//! Programs of other people: where they are, how they are run, how they are had.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{AuthorError, Language};

/// A program that a language needs.
pub struct Tool {
    /// What people call it.
    pub what: &'static str,
    /// The names that it may have, the best first.
    pub names: &'static [&'static str],
    /// Ways to install it: for whom, and the command.
    pub install: &'static [(&'static str, &'static str)],
}

impl Tool {
    /// Why there is no building without it.
    pub fn missing(&self, language: Language, found: Option<String>) -> AuthorError {
        let widest = self.install.iter().map(|(whom, _)| whom.len()).max();
        let widest = widest.unwrap_or(0);
        let lines = self.install.iter();
        let lines: Vec<_> = lines
            .map(|(whom, command)| format!("  {whom:<widest$}  {command}"))
            .collect();
        AuthorError::MissingTool {
            what: self.what.to_owned(),
            found,
            language,
            install: lines.join("\n"),
        }
    }
}

/// Where programs are looked for.
#[derive(Debug, Clone)]
pub struct Search {
    folders: Vec<PathBuf>,
}

impl Search {
    /// The folders of a project that hold its own tools come before those of `PATH`.
    pub fn new(project: &[PathBuf], path: Option<&OsStr>) -> Self {
        let mut folders = project.to_vec();
        folders.extend(path.into_iter().flat_map(std::env::split_paths));
        Self { folders }
    }

    /// The first program of these names.
    pub fn find(&self, names: &[&str]) -> Option<PathBuf> {
        names.iter().find_map(|name| {
            let mut places = self.folders.iter().map(|folder| folder.join(name));
            places.find(|place| is_program(place))
        })
    }

    /// A tool, or what to do where it is missing.
    pub fn require(&self, tool: &Tool, language: Language) -> Result<PathBuf, AuthorError> {
        self.find(tool.names)
            .ok_or_else(|| tool.missing(language, None))
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

/// One program to run in the project's folder.
#[derive(Debug, Clone)]
pub struct Step {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    dir: PathBuf,
}

impl Step {
    pub fn new(program: impl Into<PathBuf>, dir: &Path) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: dir.to_owned(),
        }
    }

    pub fn args<S: Into<OsString>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// The command as it could be typed, but for the folder that the program is in.
    pub fn line(&self) -> String {
        let name = self.program.file_name().unwrap_or_default();
        let mut words: Vec<String> = self
            .env
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_string_lossy()))
            .collect();
        words.push(name.to_string_lossy().into_owned());
        for arg in &self.args {
            let arg = arg.to_string_lossy();
            words.push(match shlex::try_quote(&arg) {
                Ok(quoted) => quoted.into_owned(),
                Err(_) => arg.into_owned(),
            });
        }
        words.join(" ")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.dir)
            .stdin(Stdio::null());
        command
    }

    /// Runs it; what it writes goes to standard error.
    pub fn run(&self) -> Result<(), AuthorError> {
        let status = self
            .command()
            .stdout(std::io::stderr())
            .status()
            .map_err(AuthorError::io("running", &self.program))?;
        self.ended(status)
    }

    /// Runs it, and returns what it writes to standard output; the rest goes to standard error.
    pub fn output(&self) -> Result<Vec<u8>, AuthorError> {
        let output = self
            .command()
            .stderr(Stdio::inherit())
            .output()
            .map_err(AuthorError::io("running", &self.program))?;
        self.ended(output.status)?;
        Ok(output.stdout)
    }

    /// Runs it unseen: what it writes, or the last line of what it said when it failed.
    pub fn probe(&self) -> Result<String, String> {
        let output = self.command().output().map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let said = text(&output.stderr);
        Err(said.lines().next().unwrap_or_default().to_owned())
    }

    fn ended(&self, status: std::process::ExitStatus) -> Result<(), AuthorError> {
        use std::os::unix::process::ExitStatusExt;
        let how = match (status.success(), status.code(), status.signal()) {
            (true, _, _) => return Ok(()),
            (_, Some(code), _) => format!("failed with exit code {code}"),
            (_, _, Some(signal)) => format!("was ended by signal {signal}"),
            _ => "failed".to_owned(),
        };
        Err(AuthorError::ToolFailed {
            command: self.line(),
            status: how,
        })
    }
}

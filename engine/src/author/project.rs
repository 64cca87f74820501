//! New projects, from templates.

mod sdk;
mod templates;

use std::path::{Path, PathBuf};

use super::error::write;
use super::render::{for_hook, render};
use super::{AuthorError, Language, wit};
use crate::app::Name;
use crate::plugin::Hook;

/// A project to be.
#[derive(Debug, Clone)]
pub struct NewProject<'a> {
    /// The plugin's name.
    pub name: &'a Name,
    /// The language.
    pub language: Language,
    /// The hooks that it will have, one at least.
    pub hooks: &'a [Hook],
    /// The folder, which must not be there, or be empty.
    pub dir: &'a Path,
}

impl NewProject<'_> {
    /// Writes the project, and returns the files that its author is to edit.
    ///
    /// # Errors
    ///
    /// If the name can't be one in the language, the folder is not empty, or a file can't be
    /// written.
    pub fn write(&self) -> Result<Vec<PathBuf>, AuthorError> {
        let name = self.name.as_str();
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(AuthorError::Name {
                name: name.to_owned(),
                reason: "it has to start with a letter",
            });
        }
        if is_full(self.dir)? {
            return Err(AuthorError::NotEmpty {
                dir: self.dir.to_owned(),
            });
        }
        let mut hooks = self.hooks.to_vec();
        hooks.sort_by_key(|hook| Hook::ALL.iter().position(|other| other == hook));
        hooks.dedup();
        let template = templates::of(self.language);
        let mut own = Vec::new();
        for (path, text) in template.files {
            own.push(PathBuf::from(path));
            write(&self.dir.join(path), render(text, name, &hooks))?;
        }
        for &hook in &hooks {
            let path = for_hook(template.hook_path, hook);
            let text = templates::hook(self.language, hook);
            write(&self.dir.join(&path), render(text, name, &hooks))?;
            own.push(path.into());
        }
        let cases = hooks.iter().map(|&hook| templates::case(hook));
        let cases: Vec<_> = cases.collect();
        let cases = format!("{}\n{}", templates::CASES_HEAD, cases.join("\n"));
        write(&self.dir.join("tests.toml"), cases)?;
        own.push("tests.toml".into());
        write(
            &self.dir.join("plugin.toml"),
            render(templates::METADATA, name, &hooks),
        )?;
        own.push("plugin.toml".into());
        match self.language {
            Language::Rust => sdk::write_sdk(self.dir)?,
            _ => wit::write_world(self.dir, &hooks)?,
        }
        own.sort();
        Ok(own)
    }
}

fn is_full(dir: &Path) -> Result<bool, AuthorError> {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(AuthorError::io("reading", dir)(error)),
    }
}

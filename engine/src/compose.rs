//! Compose files: text in, a typed and fully resolved [`Project`] out. Reads files, and does
//! nothing else.
//!
//! What a file goes through, each step in a room of its own: `find` says which files
//! there are; `load` reads each (`yaml`), replaces its variables (`interpolate`, `template`),
//! checks it against the known keys (`shape`) and brings it into its longest form (`read`,
//! `forms`), brings in what it `extends` and `include`s, and merges it into the ones before
//! (`merge`); `assemble` leaves the services of the active profiles, makes the typed [`Project`]
//! (`model`) and checks what only the whole can tell (`check`, `support`).

mod assemble;
mod check;
mod circles;
mod convert;
mod de;
mod dotenv;
mod emit;
mod error;
mod extends;
mod files;
mod find;
mod forms;
mod include;
mod interpolate;
mod load;
mod merge;
pub mod model;
mod node;
mod own;
mod read;
mod required;
mod scalar;
mod shape;
mod source;
mod support;
mod syntax;
mod template;
#[cfg(test)]
mod tests;
mod values;
mod write;
mod yaml;

pub use error::{ComposeError, Problem};
pub use find::{FILE_NAMES, Options};
pub use model::Project;
pub use shape::{Row, Support, rows};
pub use source::{Place, Source, Span};
pub use support::values;
pub use write::{Written, write};

/// Reads a project.
///
/// # Errors
///
/// There is no file, one can't be read, or one says what can't be meant. What rengine merely
/// can't do is in [`Project::refused`].
pub fn load(options: &Options) -> Result<Project, ComposeError> {
    let found = find::find(options)?;
    let files = files::Files::new(found.dir.clone());
    let mut setting = find::settle(options, &found, &files)?;
    let home = options.env.get("HOME").map(String::as_str);
    let context = load::Context::new(&files, home);
    let environment = std::mem::take(&mut setting.environment);
    let mut loader = load::Loader::new(&context, setting.dir.clone(), environment);
    let tree = loader.load(&found.files)?;
    let load::Loader {
        environment,
        warnings,
        ..
    } = loader;
    setting.warnings.extend(warnings);
    setting.environment = environment;
    assemble::assemble(tree, setting, found.files, &files)
}

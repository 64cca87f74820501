//! An app that a Compose file describes, in the place of `[app]`.

use std::path::Path;

use indexmap::IndexMap;
use serde::Deserialize;
use toml::{Spanned, Value};

use super::ManifestError;
use super::convert::Reader;
use super::raw::AppTable;
use crate::app::App;
use crate::compose::{self, FILE_NAMES, Options, Problem, Project};

/// The keys of `[app]` that go with a Compose file: the others say what one service is.
const KEYS: [&str; 2] = ["name", "compose"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    app: IndexMap<Spanned<String>, Value>,
}

/// The app of the Compose files that are meant, with what is odd about them. `None` if none is
/// meant.
pub fn app(
    reader: &Reader<'_>,
    text: &str,
    table: &AppTable,
    options: Options,
) -> Result<Option<(App, Project)>, ManifestError> {
    let mut options = Options {
        dir: reader.dir.clone(),
        ..options
    };
    let named = table.compose.as_ref();
    let asked = named.is_some() || !options.files.is_empty();
    let of_one_service = table.build.is_some() || table.image.is_some();
    let there = || {
        options.env.contains_key("COMPOSE_FILE")
            || FILE_NAMES
                .iter()
                .any(|name| reader.dir.join(name).is_file())
    };
    if !asked && (of_one_service || !there()) {
        return Ok(None);
    }
    other_keys(reader, text)?;
    if let Some(file) = named.filter(|_| options.files.is_empty()) {
        options.files = vec![reader.dir.join(Path::new(file.get_ref()))];
    }
    if let Some(name) = &table.name {
        options.name.get_or_insert_with(|| name.get_ref().clone());
    }
    let read = || -> Result<_, compose::ComposeError> {
        let project = compose::load(&options)?;
        Ok((project.to_app()?, project))
    };
    Ok(Some(read().map_err(Box::new)?))
}

/// What a service of one's own would be like is said in the Compose file.
fn other_keys(reader: &Reader<'_>, text: &str) -> Result<(), ManifestError> {
    // It was read before with all that it may say, so it can be read again.
    let file: File = toml::from_str(text).unwrap_or_default();
    match file
        .app
        .keys()
        .find(|key| !KEYS.contains(&key.get_ref().as_str()))
    {
        None => Ok(()),
        Some(key) => Err(reader.error(
            key.span(),
            format!("`{}` is for an app of one service", key.get_ref()),
            Some("write it under the service in the Compose file".to_owned()),
        )),
    }
}

/// A warning of the files.
pub fn told(problem: &Problem) -> String {
    match &problem.help {
        Some(help) => format!("{}: {}: {help}", problem.place, problem.message),
        None => format!("{}: {}", problem.place, problem.message),
    }
}

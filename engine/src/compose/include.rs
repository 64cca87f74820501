//! `include`: other projects, each with a folder and variables of its own, whose services,
//! networks and the rest become part of this one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::ComposeError;
use super::files::is_env_file;
use super::interpolate::Environment;
use super::load::{Loader, MAX_CHAIN};
use super::node::{Entry, Map, Node, Value};
use super::source::Span;

type Result<T> = std::result::Result<T, ComposeError>;

/// What a project brings along.
const SECTIONS: [&str; 6] = [
    "services", "networks", "volumes", "secrets", "configs", "models",
];

/// Brings in what a file includes.
pub fn resolve(loader: &mut Loader<'_>, file: &mut Node) -> Result<()> {
    let included = file
        .as_map_mut()
        .and_then(|map| map.shift_remove("include"));
    let Some(Entry { node: list, .. }) = included else {
        return Ok(());
    };
    for item in list.as_seq().unwrap_or_default() {
        let project = load(loader, item)?;
        import(file, project)?;
    }
    Ok(())
}

fn load(loader: &mut Loader<'_>, item: &Node) -> Result<Node> {
    let paths = paths_of(item, "path");
    let Some((first, span)) = paths.first() else {
        return Err(ComposeError::at(&item.span, "`include` names no file"));
    };
    for (path, span) in &paths {
        check(loader, path, span)?;
    }
    let folder = first.parent().unwrap_or(first).to_owned();
    let dir = match paths_of(item, "project_directory").into_iter().next() {
        Some((dir, _)) => dir,
        None => folder,
    };
    if loader.chain.len() >= MAX_CHAIN {
        let message = format!("files include each other over more than {MAX_CHAIN} steps");
        return Err(ComposeError::at(span, message));
    }
    let environment = environment(loader, item, &dir)?;
    let mut inner = Loader {
        context: loader.context,
        dir,
        environment,
        chain: loader.chain.clone(),
        extended: HashMap::new(),
        warnings: Vec::new(),
    };
    let paths: Vec<PathBuf> = paths.into_iter().map(|(path, _)| path).collect();
    let project = inner.load(&paths)?;
    loader.warnings.append(&mut inner.warnings);
    Ok(project)
}

/// The paths of a key that has one or several.
fn paths_of(item: &Node, key: &str) -> Vec<(PathBuf, Span)> {
    let Some(node) = item.get(key) else {
        return Vec::new();
    };
    let items = node.as_seq().unwrap_or(std::slice::from_ref(node));
    let path = |node: &Node| Some((PathBuf::from(node.scalar()?), node.span.clone()));
    items.iter().filter_map(path).collect()
}

fn check(loader: &Loader<'_>, path: &Path, span: &Span) -> Result<()> {
    if let Some(at) = loader.chain.iter().position(|open| open == path) {
        let names = loader.chain[at..]
            .iter()
            .map(PathBuf::as_path)
            .chain([path]);
        let names: Vec<_> = names.map(|path| path.display().to_string()).collect();
        return Err(
            ComposeError::at(span, "files include each other in a circle").help(names.join(" → ")),
        );
    }
    if !path.is_file() {
        return Err(ComposeError::at(
            span,
            format!("there is no file {}", path.display()),
        ));
    }
    Ok(())
}

/// The including project's variables, and what the included one's own files add.
fn environment(loader: &mut Loader<'_>, item: &Node, dir: &Path) -> Result<Environment> {
    let mut environment = loader.environment.clone();
    let named = paths_of(item, "env_file");
    if let Some((path, span)) = named.iter().find(|(path, _)| !is_env_file(path)) {
        let message = format!("there is no file {}", path.display());
        return Err(ComposeError::at(span, message));
    }
    let mut paths: Vec<PathBuf> = named.into_iter().map(|(path, _)| path).collect();
    if item.get("env_file").is_none() {
        let own = dir.join(super::find::ENV_FILE);
        paths = own.is_file().then_some(own).into_iter().collect();
    }
    let files = loader.context.files;
    let variables = environment.read_all(files, &paths, &mut loader.warnings)?;
    environment.add_defaults(variables);
    Ok(environment)
}

/// Adds what a project has. The same name twice is an error, unless both say the same.
fn import(file: &mut Node, project: Node) -> Result<()> {
    let Value::Map(mut project) = project.value else {
        return Ok(());
    };
    let Some(file) = file.as_map_mut() else {
        return Ok(());
    };
    for section in SECTIONS {
        let Some(Entry { key, node }) = project.shift_remove(section) else {
            continue;
        };
        let Value::Map(theirs) = node.value else {
            continue;
        };
        let ours = file.entry(section.to_owned()).or_insert_with(|| Entry {
            key,
            node: Node::new(&node.span, Value::Map(Map::new())),
        });
        let Some(ours) = ours.node.as_map_mut() else {
            continue;
        };
        for (name, entry) in theirs {
            match ours.get(&name) {
                None => {
                    ours.insert(name, entry);
                }
                Some(known) if known.node.same(&entry.node) => {}
                Some(known) => {
                    let kind = section.trim_end_matches('s');
                    let message = format!("an included file has a {kind} `{name}`, too");
                    let place = entry.key.place();
                    return Err(ComposeError::at(&known.key, message)
                        .help(format!("it is at {place}: rename one of them, or change it in a file of its own, merged with `-f`")));
                }
            }
        }
    }
    Ok(())
}

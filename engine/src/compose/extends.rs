//! `extends`: a service takes what another one says, of the same file or of another, and
//! overrides it.

use std::path::{Path, PathBuf};

use super::error::{ComposeError, did_you_mean};
use super::load::{Loader, MAX_CHAIN};
use super::merge::merge;
use super::node::{Directive, Entry, Node, Value};
use super::shape::{Kind, PROJECT, SERVICE};
use super::source::Span;

type Result<T> = std::result::Result<T, ComposeError>;

/// Where a service is: its file, if it is not the one that we started from, and its name.
type Link = (Option<PathBuf>, String);

/// Brings in what the services of a document extend.
pub fn resolve(loader: &mut Loader<'_>, document: &mut Node) -> Result<()> {
    let names: Vec<String> = match document.get("services").and_then(Node::as_map) {
        Some(services) => services.keys().cloned().collect(),
        None => return Ok(()),
    };
    // Each is resolved from what was written, so the order of services does not matter.
    let written = document.clone();
    for name in names {
        let service = service(&written, &name);
        if service.is_none_or(|service| service.get("extends").is_none()) {
            continue;
        }
        let mut chain = vec![(None, name.clone())];
        let resolved = extended(loader, &written, &name, &mut chain)?;
        let services = document
            .as_map_mut()
            .and_then(|map| map.get_mut("services"));
        if let Some(entry) = services
            .and_then(|services| services.node.as_map_mut())
            .and_then(|services| services.get_mut(&name))
        {
            entry.node = resolved;
        }
    }
    Ok(())
}

fn service<'a>(document: &'a Node, name: &str) -> Option<&'a Node> {
    document.get("services")?.get(name)
}

/// A service of a document with what it extends; `chain` ends with the service itself.
fn extended(
    loader: &mut Loader<'_>,
    document: &Node,
    name: &str,
    chain: &mut Vec<Link>,
) -> Result<Node> {
    let Some(service) = service(document, name) else {
        return Err(ComposeError::at(
            &document.span,
            format!("there is no service `{name}`"),
        ));
    };
    let mut service = service.clone();
    let extends = service
        .as_map_mut()
        .and_then(|map| map.shift_remove("extends"));
    let Some(Entry { node: extends, .. }) = extends else {
        return Ok(service);
    };
    let Some(base_name) = extends.get("service") else {
        return Err(ComposeError::at(
            &extends.span,
            "`extends` names no service",
        ));
    };
    let target = base_name.scalar().unwrap_or_default().to_owned();
    let file = extends.get("file").cloned();
    let path = match &file {
        Some(file) => Some(PathBuf::from(file.scalar().unwrap_or_default())),
        None => chain.last().and_then(|(path, _)| path.clone()),
    };
    let link = (path.clone(), target.clone());
    if chain.contains(&link) || chain.len() >= MAX_CHAIN {
        return Err(cycle(&base_name.span, chain, &link));
    }
    chain.push(link);
    let base = match (file, path) {
        (Some(file), Some(path)) => {
            let other = other_file(loader, &path, &file.span)?;
            base(loader, &other, &target, &base_name.span, chain)?
        }
        _ => base(loader, document, &target, &base_name.span, chain)?,
    };
    chain.pop();
    // What the other one takes away is no matter of this one.
    let base = merge(None, base, &Kind::Object(&SERVICE));
    let own = service.clone();
    let merged = merge(base, service, &Kind::Object(&SERVICE));
    let mut merged = merged.unwrap_or_else(|| Node::new(&extends.span, Value::Null));
    keep_directives(&mut merged, own);
    Ok(merged)
}

/// What a service takes away from the one that it extends it takes away from earlier files, too,
/// which is still to be done.
fn keep_directives(merged: &mut Node, own: Node) {
    merged.directive = own.directive;
    let (Value::Map(own), Some(merged)) = (own.value, merged.as_map_mut()) else {
        return;
    };
    for (name, entry) in own {
        match merged.get_mut(&name) {
            None if entry.node.directive == Some(Directive::Reset) => {
                merged.insert(name, entry);
            }
            None => {}
            Some(kept) => keep_directives(&mut kept.node, entry.node),
        }
    }
}

fn base(
    loader: &mut Loader<'_>,
    document: &Node,
    name: &str,
    span: &Span,
    chain: &mut Vec<Link>,
) -> Result<Node> {
    if service(document, name).is_none() {
        let services = document.get("services").and_then(Node::as_map);
        let names: Vec<&str> = services
            .into_iter()
            .flat_map(|map| map.keys())
            .map(String::as_str)
            .collect();
        let file = document.span.source().shown();
        let error = ComposeError::at(span, format!("{file} has no service `{name}`"));
        return Err(match did_you_mean(name, names.iter().copied()) {
            Some(help) => error.help(help),
            None => error.help(format!("its services: {}", names.join(", "))),
        });
    }
    extended(loader, document, name, chain)
}

/// A file that a service extends; what it names relatively is in its own folder.
fn other_file(loader: &mut Loader<'_>, path: &Path, span: &Span) -> Result<Node> {
    if let Some(node) = loader.extended.get(path) {
        return Ok(node.clone());
    }
    if !path.is_file() {
        let message = format!("there is no file {}", path.display());
        return Err(ComposeError::at(span, message));
    }
    let dir = path.parent().unwrap_or(path).to_owned();
    let mut merged: Option<Node> = None;
    for document in loader.documents(path, &dir)? {
        merged = merge(merged, document, &Kind::Object(&PROJECT));
    }
    let merged = merged
        .ok_or_else(|| ComposeError::at(span, format!("there is nothing in {}", path.display())))?;
    loader.extended.insert(path.to_owned(), merged.clone());
    Ok(merged)
}

fn cycle(span: &Span, chain: &[Link], link: &Link) -> ComposeError {
    let names: Vec<_> = chain
        .iter()
        .chain([link])
        .map(|(_, name)| name.as_str())
        .collect();
    if chain.contains(link) {
        let error = ComposeError::at(span, "services extend each other in a circle");
        return error.help(names.join(" → "));
    }
    ComposeError::at(
        span,
        format!("services extend each other over more than {MAX_CHAIN} steps"),
    )
}

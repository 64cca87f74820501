//! Tells what a project asks for that rengine does not do: what is harmless as a warning, and
//! what would make the deploy another one than the files describe as refused.

use super::error::Problem;
use super::model::Project;
use super::node::{Entry, Node};
use super::shape::{Kind, PROJECT, Support};

/// Walks the merged files, and adds to the project's warnings and refusals.
pub fn tell(project: &mut Project) {
    let mut found = Found::default();
    found.walk(&project.tree, &Kind::Object(&PROJECT), "");
    project.warnings.append(&mut found.warnings);
    project.refused.append(&mut found.refused);
}

#[derive(Default)]
struct Found {
    warnings: Vec<Problem>,
    refused: Vec<Problem>,
}

/// Values that rengine does not act on, though it acts on their key: the end of the key's path,
/// the value, and why.
const VALUES: &[(&str, &str, &str)] = &[
    (
        "volumes.type",
        "cluster",
        "only Swarm has volumes of a cluster",
    ),
    (
        "volumes.type",
        "npipe",
        "containers of Windows are not deployed",
    ),
    (
        "volumes.type",
        "image",
        "mounts of images need a daemon with API 1.48",
    ),
    (
        "deploy.mode",
        "global",
        "there is one machine: it is the same as one replica",
    ),
    (
        "deploy.mode",
        "replicated-job",
        "a service runs until it is stopped",
    ),
    (
        "deploy.mode",
        "global-job",
        "a service runs until it is stopped",
    ),
    (
        "build.isolation",
        "process",
        "containers of Windows are not deployed",
    ),
    (
        "build.isolation",
        "hyperv",
        "containers of Windows are not deployed",
    ),
    (
        "bind.recursive",
        "writable",
        "a bind mount has all mounts below it, or none",
    ),
    (
        "bind.recursive",
        "readonly",
        "a bind mount has all mounts below it, or none",
    ),
];

/// Values that are refused though their key is supported: the end of the key's path, the value,
/// and why.
pub fn values() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    VALUES.iter().copied()
}

impl Found {
    fn walk(&mut self, node: &Node, kind: &Kind, path: &str) {
        match kind {
            Kind::Form(form) => self.walk(node, &form.long, path),
            Kind::Nullable(inner) => self.walk(node, inner, path),
            Kind::List(inner) => {
                for item in node.as_seq().unwrap_or_default() {
                    self.walk(item, inner, path);
                }
            }
            Kind::Map(inner) => {
                for entry in node.as_map().into_iter().flat_map(|map| map.values()) {
                    self.walk(&entry.node, inner, path);
                }
            }
            Kind::Object(object) => {
                for (name, entry) in node.as_map().into_iter().flatten() {
                    let Some(key) = object.key(name) else {
                        continue;
                    };
                    let path = match path {
                        "" => name.clone(),
                        path => format!("{path}.{name}"),
                    };
                    match key.support {
                        Support::Yes => self.walk(&entry.node, &key.kind, &path),
                        // Said, but not asked for.
                        _ if says_nothing(entry) => {}
                        Support::Ignored(why) => {
                            let message = format!("`{name}` has no effect");
                            self.warnings
                                .push(Problem::new(&entry.key, message, Some(why.into())));
                        }
                        Support::Refused(why) => {
                            let message = format!("`{name}` is not supported");
                            self.refused
                                .push(Problem::new(&entry.key, message, Some(why.into())));
                        }
                    }
                }
            }
            _ => self.value(node, path),
        }
    }

    fn value(&mut self, node: &Node, path: &str) {
        let text = node.scalar().unwrap_or_default();
        let told = VALUES
            .iter()
            .find(|(end, value, _)| path.ends_with(end) && text == *value);
        if path.ends_with("build.cache_to") && !text.contains("type=inline") {
            let message = format!("`{text}` has no effect");
            let why =
                "the daemon's own builder keeps its cache: only `type=inline` goes with an image";
            let problem = Problem::new(&node.span, message, Some(why.into()));
            self.warnings.push(problem);
        }
        if let Some((_, _, why)) = told {
            let message = format!("`{text}` is not supported here");
            let problem = Problem::new(&node.span, message, Some((*why).into()));
            self.refused.push(problem);
        }
    }
}

/// True for `false`, an empty list and an empty mapping.
fn says_nothing(entry: &Entry) -> bool {
    let node = &entry.node;
    node.as_seq().is_some_and(<[Node]>::is_empty)
        || node.as_map().is_some_and(|map| map.is_empty())
        || node.value.is_null()
        || matches!(node.value, super::node::Value::Bool(false))
}

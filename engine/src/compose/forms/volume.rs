//! Volumes of a service: `[SOURCE:]TARGET[:OPTIONS]`.

use super::super::error::ComposeError;
use super::super::files::clean;
use super::super::node::{Entry, Map, Node, Value};
use super::super::read::Reader;

const HELP: &str = "write \"data:/var/lib/data\", \"./conf:/etc/conf:ro\" or \"/cache\"";

/// The long form of a volume.
pub fn volume(reader: &mut Reader<'_>, node: Node) -> Result<Node, ComposeError> {
    let mut long = match node.scalar() {
        Some(text) => short(reader, text, &node)?,
        None => node,
    };
    // A path of this machine is told in full.
    let is_bind = long.get("type").and_then(Node::scalar) == Some("bind");
    if is_bind
        && let Some(entry) = long.as_map_mut().and_then(|map| map.get_mut("source"))
        && let Some(text) = entry.node.scalar()
    {
        let path = reader.path(text).to_string_lossy().into_owned();
        entry.node.value = Value::Text(path);
    }
    if is_bind {
        create_source(&mut long);
    }
    let target = long.as_map_mut().and_then(|map| map.get_mut("target"));
    if let Some(Entry { node: target, .. }) = target
        && let Some(text) = target.scalar()
    {
        if !text.starts_with('/') {
            let error = reader.error(
                &target.span,
                format!("has `{text}`, no absolute path, in its container"),
            );
            return Err(error.help(HELP));
        }
        // Two ways to write one place are one place.
        target.value = Value::Text(clean(text));
    }
    Ok(long)
}

/// A bind mount's folder is made where it is missing, unless it says otherwise; that of one
/// without the mounts below it is not, since no daemon does both.
fn create_source(long: &mut Node) {
    let span = long.span.clone();
    let Some(map) = long.as_map_mut() else {
        return;
    };
    let bind = map.entry("bind".into()).or_insert_with(|| Entry {
        key: span.clone(),
        node: Node::new(&span, Value::Map(Map::new())),
    });
    if bind.node.value.is_null() {
        bind.node.value = Value::Map(Map::new());
    }
    let recursive = bind.node.get("recursive").and_then(Node::scalar);
    let made = recursive != Some("disabled");
    if let Some(options) = bind.node.as_map_mut() {
        let create = || Entry {
            key: span.clone(),
            node: Node::new(&span, Value::Bool(made)),
        };
        options
            .entry("create_host_path".into())
            .or_insert_with(create);
    }
}

/// A volume at the top of a file. One that is a folder of this machine, which is the local
/// driver's `o: bind`, is told in full.
pub fn declared(reader: &mut Reader<'_>, node: Node) -> Result<Node, ComposeError> {
    let mut node = super::text::external(reader, node)?;
    let options = node.as_map_mut().and_then(|map| map.get_mut("driver_opts"));
    let Some(options) = options.and_then(|entry| entry.node.as_map_mut()) else {
        return Ok(node);
    };
    let has = |text: &str| {
        text.split(',')
            .any(|option| matches!(option, "bind" | "rbind"))
    };
    let bind = options.get("o").and_then(|entry| entry.node.scalar());
    if bind.is_some_and(has)
        && let Some(device) = options.get_mut("device")
        && let Some(text) = device.node.scalar()
    {
        let path = reader.path(text).to_string_lossy().into_owned();
        device.node.value = Value::Text(path);
    }
    Ok(node)
}

fn is_path(source: &str) -> bool {
    source.starts_with(['/', '.', '~'])
}

fn short(reader: &Reader<'_>, text: &str, node: &Node) -> Result<Node, ComposeError> {
    let parts: Vec<_> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => (None, target, ""),
        [source, target] => (Some(source), target, ""),
        [source, target, options] => (Some(source), target, options),
        _ => (None, "", ""),
    };
    if target.is_empty() || source == Some("") {
        return Err(reader
            .error(&node.span, format!("is no volume: `{text}`"))
            .help(HELP));
    }
    let value = |text: &str| Node::text(&node.span, text);
    let truth = |value: bool| Node::new(&node.span, Value::Bool(value));
    let is_bind = source.is_some_and(is_path);
    let mut bind = vec![];
    let mut volume = vec![];
    let mut fields = vec![];
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => fields.push(("read_only", truth(true))),
            "rw" => {}
            "z" | "Z" => bind.push(("selinux", value(option))),
            "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" => {
                bind.push(("propagation", value(option)));
            }
            "nocopy" => volume.push(("nocopy", truth(true))),
            "cached" | "delegated" | "consistent" => fields.push(("consistency", value(option))),
            _ => {
                let error = reader.error(&node.span, format!("has no option `{option}`"));
                return Err(
                    error.help("there are ro, rw, z, Z, nocopy, and propagations such as rshared")
                );
            }
        }
    }
    fields.push(("type", value(if is_bind { "bind" } else { "volume" })));
    fields.push(("target", value(target)));
    fields.extend(source.map(|source| ("source", value(source))));
    for (key, options) in [("bind", bind), ("volume", volume)] {
        if !options.is_empty() {
            fields.push((key, Node::map(&node.span, options)));
        }
    }
    let entry = |(key, value): (&str, Node)| {
        let key_span = node.span.clone();
        (
            key.to_owned(),
            Entry {
                key: key_span,
                node: value,
            },
        )
    };
    let map: Map = fields.into_iter().map(entry).collect();
    Ok(Node {
        value: Value::Map(map),
        ..node.clone()
    })
}

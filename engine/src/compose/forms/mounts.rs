//! Configs, secrets, devices, limits and pools of addresses.

use super::super::error::ComposeError;
use super::super::files::clean;
use super::super::node::{Node, Value};
use super::super::read::Reader;
use super::super::syntax::is_cdi_name;
use super::text::single;

type Result = std::result::Result<Node, ComposeError>;

/// `name` is `{source: name}`.
pub fn file_mount(_: &mut Reader<'_>, node: Node) -> Result {
    Ok(single(node, "source"))
}

/// `/dev/a:/dev/b:rw` is `{source: /dev/a, target: /dev/b, permissions: rw}`.
pub fn device(reader: &mut Reader<'_>, node: Node) -> Result {
    let Some(text) = node.scalar() else {
        let mut node = node;
        // Without a target the device is where it is on the host.
        if let Some(source) = node.get("source").cloned()
            && node.get("target").is_none()
            && let Some(map) = node.as_map_mut()
        {
            let key = source.span.clone();
            map.insert(
                "target".into(),
                super::super::node::Entry { key, node: source },
            );
        }
        return Ok(node);
    };
    let parts: Vec<_> = match is_cdi_name(text) {
        true => vec![text],
        false => text.split(':').collect(),
    };
    let (source, target, permissions) = match parts[..] {
        [source] => (source, source, "rwm"),
        [source, target] => (source, target, "rwm"),
        [source, target, permissions] => (source, target, permissions),
        _ => ("", "", ""),
    };
    if source.is_empty() || target.is_empty() {
        return Err(reader
            .error(&node.span, format!("is no device: `{text}`"))
            .help("write \"/dev/fuse\" or \"/dev/ttyUSB0:/dev/serial:rw\""));
    }
    let text = |text: &str| Node::text(&node.span, text);
    let fields = [
        ("source", text(source)),
        ("target", text(target)),
        ("permissions", text(permissions)),
    ];
    Ok(Node::map(&node.span, fields))
}

/// `65535` is `{soft: 65535, hard: 65535}`.
pub fn ulimit(_: &mut Reader<'_>, node: Node) -> Result {
    Ok(match node.scalar() {
        Some(_) => Node::map(&node.span, [("soft", node.clone()), ("hard", node.clone())]),
        None => node,
    })
}

/// `all` is a request for every GPU there is.
pub fn gpus(reader: &mut Reader<'_>, node: Node) -> Result {
    match node.scalar() {
        None => Ok(node),
        Some("all") => {
            let gpu = Node::new(&node.span, Value::Seq(vec![Node::text(&node.span, "gpu")]));
            let count = Node::text(&node.span, "all");
            let request = Node::map(&node.span, [("capabilities", gpu), ("count", count)]);
            Ok(Node::new(&node.span, Value::Seq(vec![request])))
        }
        Some(text) => Err(reader
            .error(&node.span, format!("can't be `{text}`"))
            .help("write `all`, or a list of requests")),
    }
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(Node::scalar).map(str::to_owned)
}

/// What is at one place of a container.
pub fn target(node: &Node) -> Option<String> {
    text(node, "target")
}

/// Where a memory-backed mount is: `/run:size=1m` is at `/run`.
pub fn tmpfs(node: &Node) -> Option<String> {
    let path = node.scalar()?.split(':').next()?;
    Some(clean(path))
}

/// What has the same path.
pub fn path(node: &Node) -> Option<String> {
    text(node, "path")
}

/// Where a secret is in its container.
pub fn secret_target(node: &Node) -> Option<String> {
    let name = target(node).or_else(|| text(node, "source"))?;
    Some(secret_path(&name))
}

/// Where a secret of this target is: below `/run/secrets`, unless it says otherwise.
pub fn secret_path(target: &str) -> String {
    match target.starts_with('/') {
        true => target.to_owned(),
        false => format!("/run/secrets/{target}"),
    }
}

/// What a build calls a secret.
pub fn build_secret(node: &Node) -> Option<String> {
    target(node).or_else(|| text(node, "source"))
}

/// Where a config is in its container.
pub fn config_target(node: &Node) -> Option<String> {
    target(node).or_else(|| text(node, "source").map(|source| format!("/{source}")))
}

/// A pool of addresses.
pub fn subnet(node: &Node) -> Option<String> {
    text(node, "subnet")
}

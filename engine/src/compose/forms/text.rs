//! Lists and mappings of texts, commands, and names.

use super::super::error::ComposeError;
use super::super::node::{Entry, Map, Node, Value};
use super::super::read::Reader;
use crate::app::split_words;

type Result = std::result::Result<Node, ComposeError>;

/// `[A=1, B]` is `{A: 1, B: null}`.
pub fn pairs(reader: &mut Reader<'_>, node: Node) -> Result {
    keyed(
        reader,
        node,
        "a list of texts such as KEY=VALUE",
        |item, text| {
            let (key, value) = match text.split_once('=') {
                Some((key, value)) => (key, Value::Text(value.to_owned())),
                None => (text, Value::Null),
            };
            (key.to_owned(), Node::new(&item.span, value))
        },
    )
}

/// The same, with an empty text where there is no value.
pub fn labels(reader: &mut Reader<'_>, node: Node) -> Result {
    let mut node = pairs(reader, node)?;
    for entry in node
        .as_map_mut()
        .into_iter()
        .flat_map(|map| map.values_mut())
    {
        if entry.node.value.is_null() {
            entry.node.value = Value::Text(String::new());
        }
    }
    Ok(node)
}

/// `a` is `[a]`.
pub fn one_or_more(_: &mut Reader<'_>, node: Node) -> Result {
    Ok(match node.value {
        Value::Seq(_) => node,
        _ => Node::new(&node.span.clone(), Value::Seq(vec![node])),
    })
}

/// `echo "a b"` is `[echo, a b]`; the words are the shell's, and no shell runs.
pub fn command(reader: &mut Reader<'_>, node: Node) -> Result {
    let text = match &node.value {
        Value::Null | Value::Seq(_) => return Ok(node),
        value => value.scalar(),
    };
    let Some(text) = text else {
        return Err(reader.wrong_type(&node, "a text or a list of words"));
    };
    let Some(words) = split_words(text) else {
        return Err(reader.error(&node.span, "has a quote that is not closed"));
    };
    let words = words.into_iter().map(|word| Node::text(&node.span, word));
    let words = Value::Seq(words.collect());
    Ok(Node {
        value: words,
        ..node
    })
}

/// What a health check runs: a text is run by the container's shell.
pub fn probe(reader: &mut Reader<'_>, node: Node) -> Result {
    if let Some(text) = node.scalar() {
        let words = ["CMD-SHELL", text].map(|word| Node::text(&node.span, word));
        return Ok(Node::new(&node.span, Value::Seq(words.into())));
    }
    let items = node.as_seq().unwrap_or_default();
    let fits = match items.first().and_then(Node::scalar) {
        Some("NONE") => items.len() == 1,
        Some("CMD-SHELL") => items.len() == 2,
        Some("CMD") => items.len() > 1,
        // An empty list takes a check back that an earlier file has.
        _ => node.as_seq().is_some_and(<[Node]>::is_empty),
    };
    if !fits {
        return Err(reader
            .error(&node.span, "is no test")
            .help("write [CMD, program, argument], [CMD-SHELL, one text] or [NONE]"));
    }
    Ok(node)
}

/// `[a, b]` is `{a: null, b: null}`.
pub fn names(reader: &mut Reader<'_>, node: Node) -> Result {
    keyed(reader, node, "a list of names", |item, name| {
        (name.to_owned(), Node::new(&item.span, Value::Null))
    })
}

/// `[db]` is `{db: {condition: service_started}}`.
pub fn depends_on(reader: &mut Reader<'_>, node: Node) -> Result {
    keyed(reader, node, "a list of names", |item, name| {
        let condition = Node::text(&item.span, "service_started");
        (
            name.to_owned(),
            Node::map(&item.span, [("condition", condition)]),
        )
    })
}

/// Makes a mapping of a list of texts.
fn keyed(
    reader: &mut Reader<'_>,
    node: Node,
    wanted: &str,
    entry: impl Fn(&Node, &str) -> (String, Node),
) -> Result {
    let Value::Seq(items) = node.value else {
        return match node.value {
            Value::Map(ref map) => match map.get("") {
                Some(entry) => Err(reader.error(&entry.key, "has an entry without a name")),
                None => Ok(node),
            },
            _ => Err(reader.wrong_type(&node, "a list or a mapping")),
        };
    };
    let mut map = Map::new();
    for item in items {
        let Some(text) = item.scalar() else {
            return Err(reader.wrong_type(&item, wanted));
        };
        let (name, node) = entry(&item, text);
        if name.is_empty() {
            return Err(reader.error(&item.span, format!("has an item without a name: `{text}`")));
        }
        let key = item.span.clone();
        // As in an environment, the last one counts.
        map.insert(name, Entry { key, node });
    }
    Ok(Node {
        value: Value::Map(map),
        ..node
    })
}

/// Hosts and their addresses: `[host=address]`, `[host:address]`, or a mapping.
pub fn hosts(reader: &mut Reader<'_>, node: Node) -> Result {
    let mut map = Map::new();
    let mut add = |name: &str, key, address: Node| {
        let entry = map.entry(name.to_owned()).or_insert_with(|| Entry {
            key,
            node: Node::new(&address.span, Value::Seq(Vec::new())),
        });
        if let Value::Seq(addresses) = &mut entry.node.value {
            addresses.push(address);
        }
    };
    let address = |text: &str| {
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        bare.unwrap_or(text).trim().to_owned()
    };
    match node.value {
        Value::Seq(items) => {
            for item in items {
                // An IPv6 address has colons, too; the name is before the first of them.
                let pair = item
                    .scalar()
                    .and_then(|text| text.split_once('=').or_else(|| text.split_once(':')));
                let Some((name, ip)) = pair.filter(|(name, ip)| !name.is_empty() && !ip.is_empty())
                else {
                    return Err(reader
                        .error(&item.span, "has an entry without an address")
                        .help("write \"host=192.0.2.1\""));
                };
                add(
                    name.trim(),
                    item.span.clone(),
                    Node::text(&item.span, address(ip)),
                );
            }
        }
        Value::Map(entries) => {
            for (name, entry) in entries {
                let addresses = match entry.node.value {
                    Value::Seq(items) => items,
                    _ => vec![entry.node],
                };
                for item in addresses {
                    let Some(text) = item.scalar() else {
                        return Err(reader.wrong_type(&item, "an address"));
                    };
                    add(
                        &name,
                        entry.key.clone(),
                        Node::text(&item.span, address(text)),
                    );
                }
            }
        }
        _ => return Err(reader.wrong_type(&node, "a list or a mapping")),
    }
    Ok(Node {
        value: Value::Map(map),
        ..node
    })
}

/// `./dir` is `{context: ./dir}`.
pub fn build(_: &mut Reader<'_>, node: Node) -> Result {
    Ok(single(node, "context"))
}

/// `web` is `{service: web}`.
pub fn extends(_: &mut Reader<'_>, node: Node) -> Result {
    Ok(single(node, "service"))
}

/// `a.env`, `[a.env]` and `[{path: a.env}]`.
pub fn env_files(reader: &mut Reader<'_>, node: Node) -> Result {
    let mut node = one_or_more(reader, node)?;
    if let Value::Seq(items) = &mut node.value {
        for item in items {
            let taken = std::mem::replace(item, Node::new(&item.span, Value::Null));
            *item = single(taken, "path");
        }
    }
    Ok(node)
}

/// An `include`: a path, or a mapping whose paths may be one or several.
pub fn include(reader: &mut Reader<'_>, node: Node) -> Result {
    let mut node = single(node, "path");
    for name in ["path", "env_file"] {
        if let Some(entry) = node.as_map_mut().and_then(|map| map.get_mut(name)) {
            let taken = std::mem::replace(&mut entry.node, Node::new(&entry.key, Value::Null));
            entry.node = one_or_more(reader, taken)?;
        }
    }
    Ok(node)
}

/// `external: {name: x}` is `external: true` with `name: x`.
pub fn external(_: &mut Reader<'_>, mut node: Node) -> Result {
    let Some(map) = node.as_map_mut() else {
        return Ok(node);
    };
    if let Some(entry) = map.get_mut("external")
        && let Value::Map(inner) = &mut entry.node.value
    {
        let name = inner.shift_remove("name");
        if inner.is_empty() {
            entry.node.value = Value::Bool(true);
        }
        if let Some(name) = name {
            map.entry("name".into()).or_insert(name);
        }
    }
    Ok(node)
}

/// A scalar is a mapping with this one key.
pub(super) fn single(node: Node, key: &str) -> Node {
    match node.scalar() {
        Some(_) => Node::map(&node.span.clone(), [(key, node)]),
        None => node,
    }
}

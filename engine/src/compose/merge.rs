//! Joins what a later file says to what earlier ones said, by the specification's rules. Both are
//! in the reader's longest form.

use indexmap::IndexMap;

use super::forms;
use super::node::{Directive, Entry, Map, Node, Value};
use super::shape::{Kind, Merge, Object};

/// Merges `over` into `base`; nothing is left where `over` takes it away.
pub fn merge(base: Option<Node>, over: Node, kind: &Kind) -> Option<Node> {
    join(base, over, kind, Merge::Natural)
}

fn join(base: Option<Node>, over: Node, kind: &Kind, rule: Merge) -> Option<Node> {
    let base = match over.directive {
        Some(Directive::Reset) => return None,
        Some(Directive::Override) => None,
        None => base,
    };
    let over = Node {
        directive: None,
        ..over
    };
    match kind {
        Kind::Form(form) => join(base, over, &form.long, rule),
        // A network or volume without settings adds none.
        Kind::Nullable(Kind::Object(_) | Kind::Form(_)) if over.value.is_null() => {
            Some(base.unwrap_or(over))
        }
        Kind::Nullable(_) if over.value.is_null() => Some(over),
        Kind::Nullable(inner) => join(base, over, inner, rule),
        Kind::Object(object) => Some(objects(base, over, object, rule)),
        Kind::Map(inner) => Some(maps(base, over, inner)),
        Kind::List(inner) => Some(lists(base, over, inner, rule)),
        _ => Some(over),
    }
}

fn entries(node: Option<Node>) -> Map {
    match node.map(|node| node.value) {
        Some(Value::Map(map)) => map,
        _ => Map::new(),
    }
}

fn with_map(node: Node, join: impl FnOnce(Map) -> Map) -> Node {
    match node.value {
        Value::Map(map) => Node {
            value: Value::Map(join(map)),
            ..node
        },
        _ => node,
    }
}

fn objects(base: Option<Node>, over: Node, object: &Object, rule: Merge) -> Node {
    let differ = |key: &str| {
        let of = |node: &Node| node.get(key).and_then(Node::scalar).map(str::to_owned);
        let (base, over) = (base.as_ref().and_then(of), of(&over));
        base.is_some() && over.is_some() && base != over
    };
    let base = match rule {
        Merge::Replace => None,
        Merge::SameOnly(key) if differ(key) => None,
        _ => base,
    };
    with_map(over, |over| {
        let mut merged = entries(base);
        for (name, entry) in over {
            let (kind, rule) = match object.key(&name) {
                Some(key) => (&key.kind, key.merge),
                None => (&Kind::Any, Merge::Replace),
            };
            put(&mut merged, name, entry, kind, rule);
        }
        merged
    })
}

fn maps(base: Option<Node>, over: Node, inner: &Kind) -> Node {
    with_map(over, |over| {
        let mut merged = entries(base);
        for (name, entry) in over {
            // The only lists in such a mapping are the addresses of a host.
            put(
                &mut merged,
                name,
                entry,
                inner,
                Merge::Unique(forms::identity),
            );
        }
        merged
    })
}

/// Puts an entry where one of the same name is, or at the end.
fn put(merged: &mut Map, name: String, over: Entry, kind: &Kind, rule: Merge) {
    let base = merged.get(&name).map(|entry| entry.node.clone());
    match join(base, over.node, kind, rule) {
        Some(node) => {
            let key = over.key;
            merged.insert(name, Entry { key, node });
        }
        None => {
            merged.shift_remove(&name);
        }
    }
}

fn lists(base: Option<Node>, over: Node, inner: &Kind, rule: Merge) -> Node {
    let Value::Seq(over_items) = over.value else {
        return over;
    };
    let base_items = match (rule, base.map(|base| base.value)) {
        (Merge::Replace, _) => Vec::new(),
        (_, Some(Value::Seq(items))) => items,
        _ => Vec::new(),
    };
    let over_items = over_items
        .into_iter()
        .filter_map(|item| join(None, item, inner, Merge::Natural));
    let items = match rule {
        Merge::Unique(key) => unique(base_items.into_iter().chain(over_items), key, None),
        Merge::UniqueMerged(key) => {
            unique(base_items.into_iter().chain(over_items), key, Some(inner))
        }
        _ => base_items.into_iter().chain(over_items).collect(),
    };
    Node {
        span: over.span,
        directive: None,
        value: Value::Seq(items),
    }
}

/// Leaves one item for each key, in the place of the first: the last one, or all of them merged.
fn unique(
    items: impl Iterator<Item = Node>,
    key: fn(&Node) -> Option<String>,
    merged: Option<&Kind>,
) -> Vec<Node> {
    let mut kept: IndexMap<String, Node> = IndexMap::new();
    for (index, item) in items.enumerate() {
        // An item without a key is like no other.
        let key = key(&item).unwrap_or_else(|| format!("\0{index}"));
        let base = merged.and_then(|_| kept.get(&key).cloned());
        let item = match merged {
            Some(kind) => join(base, item, kind, Merge::Natural),
            None => Some(item),
        };
        if let Some(item) = item {
            kept.insert(key, item);
        }
    }
    kept.into_values().collect()
}

//! A YAML document as a tree in which every value knows its place.

use indexmap::IndexMap;

use super::source::Span;

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// How it is to be merged into what earlier files say.
    pub directive: Option<Directive>,
    /// The value.
    pub value: Value,
}

/// Compose's own tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    /// `!reset`: what earlier files say here is taken away.
    Reset,
    /// `!override`: what earlier files say here is replaced, not merged.
    Override,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; the text is as it was written, since `0440`, `1.10` and `1e3` mean something
    /// to whoever reads them as a mode, a version or a text.
    Number(String),
    /// A text.
    Text(String),
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping.
    Map(Map),
}

/// A mapping, in the order in which it was written.
pub type Map = IndexMap<String, Entry>;

/// One entry of a mapping.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where the key stands.
    pub key: Span,
    /// Its value.
    pub node: Node,
}

impl Value {
    /// What it is, for an error: `a list`.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Seq(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// The text of a scalar, as it was written.
    pub fn scalar(&self) -> Option<&str> {
        match self {
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            Self::Number(text) | Self::Text(text) => Some(text),
            Self::Null | Self::Seq(_) | Self::Map(_) => None,
        }
    }

    /// True for `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl Node {
    /// A value without a directive.
    pub fn new(span: &Span, value: Value) -> Self {
        Self {
            span: span.clone(),
            directive: None,
            value,
        }
    }

    /// A text.
    pub fn text(span: &Span, text: impl Into<String>) -> Self {
        Self::new(span, Value::Text(text.into()))
    }

    /// A mapping whose keys stand where it stands itself.
    pub fn map<K: Into<String>>(span: &Span, entries: impl IntoIterator<Item = (K, Node)>) -> Self {
        let entry = |(key, node): (K, Node)| {
            let entry = Entry {
                key: span.clone(),
                node,
            };
            (key.into(), entry)
        };
        Self::new(span, Value::Map(entries.into_iter().map(entry).collect()))
    }

    /// True if both say the same, wherever they say it.
    pub fn same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Seq(a), Value::Seq(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Value::Map(a), Value::Map(b)) => {
                let in_both = |(key, entry): (&String, &Entry)| {
                    b.get(key).is_some_and(|other| entry.node.same(&other.node))
                };
                a.len() == b.len() && a.iter().all(in_both)
            }
            (a, b) => a.scalar() == b.scalar() && a.is_null() == b.is_null(),
        }
    }

    /// The entry of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key).map(|entry| &entry.node)
    }

    /// The entries, if it is a mapping.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The entries, if it is a mapping.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items, if it is a sequence.
    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The text of a scalar, if it is one.
    pub fn scalar(&self) -> Option<&str> {
        self.value.scalar()
    }
}

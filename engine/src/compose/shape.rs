//! The keys of the Compose Specification as data: what each holds, how it merges, and whether
//! rengine acts on it. The reader, the merger, the check for what is not supported and the table
//! in `engine/COMPOSE.md` all go by this.

mod build;
mod container;
mod deploy;
mod resources;
mod service;

use super::error::ComposeError;
use super::node::Node;
use super::read::Reader;

pub use resources::PROJECT;
pub use service::SERVICE;

/// What a key may hold.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Whatever YAML can hold.
    Any,
    /// A text; numbers and booleans are taken as they were written.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number, in these bounds.
    Int {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A number.
    Number,
    /// A number of bytes, with a unit or without; -1 where the second field says so.
    Bytes {
        /// True if `-1` is allowed, for no limit.
        unlimited: bool,
    },
    /// Such as `1m30s`.
    Duration,
    /// A file's permissions, in octal.
    Mode,
    /// A path on this machine; a relative one is below the project's folder.
    Path,
    /// A path, or a URL that a builder fetches.
    Context,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text with a syntax of its own: returns what to write instead of a wrong one.
    Syntax(fn(&str) -> Result<(), &'static str>),
    /// A list.
    List(&'static Kind),
    /// A mapping with keys of the author's.
    Map(&'static Kind),
    /// A mapping with known keys.
    Object(&'static Object),
    /// This, or nothing.
    Nullable(&'static Kind),
    /// What can be written in a shorter way.
    Form(&'static Form),
}

/// A value that can be written in several ways.
#[derive(Debug)]
pub struct Form {
    /// Turns each way into the longest.
    pub expand: Expand,
    /// The longest.
    pub long: Kind,
}

/// Turns a short form into the long one.
pub type Expand = fn(&mut Reader<'_>, Node) -> Result<Node, ComposeError>;

/// A mapping with known keys.
#[derive(Debug)]
pub struct Object {
    /// What it is, for an error: `a service`.
    pub what: &'static str,
    /// The keys.
    pub keys: &'static [&'static [Key]],
}

/// A known key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// How a later file changes it.
    pub merge: Merge,
    /// Whether rengine acts on it.
    pub support: Support,
    /// True if the mapping makes no sense without it.
    pub required: bool,
}

/// How what a later file says joins what earlier ones said.
#[derive(Debug, Clone, Copy)]
pub enum Merge {
    /// Mappings key by key, lists one after the other, all else is replaced.
    Natural,
    /// Replaced.
    Replace,
    /// A list without doubles: an item replaces the one that has the same key.
    Unique(fn(&Node) -> Option<String>),
    /// The same, but an item is merged into the one with the same key.
    UniqueMerged(fn(&Node) -> Option<String>),
    /// Replaced where both say a different value for this key, else merged.
    SameOnly(&'static str),
}

/// Whether rengine acts on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It does.
    Yes,
    /// It does not, which is harmless: a warning says why.
    Ignored(&'static str),
    /// It can't, and says why.
    Refused(&'static str),
}

/// A key that merges naturally and is supported.
pub(super) const fn key(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        merge: Merge::Natural,
        support: Support::Yes,
        required: false,
    }
}

impl Key {
    /// The same, replaced as a whole.
    pub(super) const fn replaced(mut self) -> Self {
        self.merge = Merge::Replace;
        self
    }

    /// The same, merged by `merge`.
    pub(super) const fn merged(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }

    /// The same, without effect.
    pub(super) const fn ignored(mut self, why: &'static str) -> Self {
        self.support = Support::Ignored(why);
        self
    }

    /// The same, refused.
    pub(super) const fn refused(mut self, why: &'static str) -> Self {
        self.support = Support::Refused(why);
        self
    }

    /// The same, without which the mapping makes no sense.
    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

impl Object {
    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.keys.iter().flat_map(|keys| keys.iter())
    }

    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

/// One row of a table in `engine/COMPOSE.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The key with those that it is under: `services.*.build.context`. `*` is a name of the
    /// author's, `[]` an item of a list.
    pub path: String,
    /// Whether rengine acts on it.
    pub support: Support,
}

/// Every key that is known, in the order of the tables.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    collect(&Kind::Object(&PROJECT), "", Support::Yes, &mut rows);
    rows
}

fn collect(kind: &Kind, path: &str, above: Support, rows: &mut Vec<Row>) {
    match kind {
        Kind::List(inner) => collect(inner, &format!("{path}[]"), above, rows),
        Kind::Map(inner) => collect(inner, &format!("{path}.*"), above, rows),
        Kind::Nullable(inner) => collect(inner, path, above, rows),
        Kind::Form(form) => collect(&form.long, path, above, rows),
        Kind::Object(object) => {
            for key in object.keys() {
                let path = match path {
                    "" => key.name.to_owned(),
                    path => format!("{path}.{}", key.name),
                };
                // What is in a key without effect has none either.
                let support = match above {
                    Support::Yes => key.support,
                    above => above,
                };
                rows.push(Row {
                    path: path.clone(),
                    support,
                });
                collect(&key.kind, &path, support, rows);
            }
        }
        _ => {}
    }
}

// Shapes that many keys share.
pub(super) const TEXT: Kind = Kind::Text;
pub(super) const BOOL: Kind = Kind::Bool;
pub(super) const INT: Kind = Kind::Int {
    min: i64::MIN,
    max: i64::MAX,
};
/// How many.
pub(super) const COUNT: Kind = Kind::Int {
    min: 0,
    max: u32::MAX as i64,
};
/// The weight of a block device.
pub(super) const WEIGHT: Kind = Kind::Int { min: 10, max: 1000 };
pub(super) const NUMBER: Kind = Kind::Number;
pub(super) const BYTES: Kind = Kind::Bytes { unlimited: false };
pub(super) const DURATION: Kind = Kind::Duration;
pub(super) const PATH: Kind = Kind::Path;
pub(super) const TEXTS: Kind = Kind::List(&TEXT);
pub(super) const TEXT_MAP: Kind = Kind::Map(&TEXT);
/// Values that may be left to the environment.
pub(super) const NULLABLE_MAP: Kind = Kind::Map(&Kind::Nullable(&TEXT));

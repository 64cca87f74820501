//! Checks a document against the known keys, and brings it into its longest form: every value of
//! the type that its key has, every path absolute, every short syntax written out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::{ComposeError, Problem, did_you_mean};
use super::files::normalized;
use super::node::{Directive, Map, Node, Value};
use super::shape::{Kind, Merge, Object};
use super::source::Span;
use super::{syntax, values};

/// Reads documents whose relative paths are below one folder.
pub struct Reader<'a> {
    /// The folder, absolute.
    pub base: &'a Path,
    /// The user's home, for `~`.
    pub home: Option<&'a str>,
    /// What is odd and no error.
    pub warnings: &'a mut Vec<Problem>,
    /// Where we are: `services`, `.web`, `.ports`, `[0]`.
    at: Vec<String>,
}

type Result<T> = std::result::Result<T, ComposeError>;

impl<'a> Reader<'a> {
    /// A reader at the top of a document.
    pub fn new(base: &'a Path, home: Option<&'a str>, warnings: &'a mut Vec<Problem>) -> Self {
        Self {
            base,
            home,
            warnings,
            at: Vec::new(),
        }
    }

    /// The key that is read, for an error: `services.web.ports[0]`.
    pub fn at(&self) -> String {
        match self.at.concat() {
            path if path.is_empty() => "a Compose file".into(),
            path => format!("`{}`", path.trim_start_matches('.')),
        }
    }

    /// An error about the value that is read: `services.web.ports[0] …`.
    pub fn error(&self, span: &Span, what: impl std::fmt::Display) -> ComposeError {
        ComposeError::at(span, format!("{} {what}", self.at()))
    }

    pub(super) fn wrong_type(&self, node: &Node, wanted: &str) -> ComposeError {
        let what = node.value.what();
        self.error(&node.span, format!("must be {wanted}, and is {what}"))
    }

    fn warn(&mut self, span: &Span, message: String, help: &str) {
        let problem = Problem::new(span, message, Some(help.to_owned()));
        self.warnings.push(problem);
    }

    /// Does something one step further down.
    pub(super) fn within<T>(
        &mut self,
        step: String,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.at.push(step);
        let result = read(self);
        self.at.pop();
        result
    }

    /// Reads a value of a kind.
    pub fn read(&mut self, node: Node, kind: &Kind) -> Result<Node> {
        if node.directive == Some(Directive::Reset) {
            // What stands there does not count.
            return Ok(Node {
                value: Value::Null,
                ..node
            });
        }
        let directive = node.directive;
        let mut read = self.value(node, kind)?;
        read.directive = directive;
        Ok(read)
    }

    fn value(&mut self, node: Node, kind: &Kind) -> Result<Node> {
        match kind {
            Kind::Any => Ok(node),
            Kind::Nullable(_) if node.value.is_null() => Ok(node),
            Kind::Nullable(inner) => self.value(node, inner),
            Kind::Form(form) => {
                let directive = node.directive;
                let mut long = (form.expand)(self, node)?;
                long.directive = directive;
                self.value(long, &form.long)
            }
            Kind::List(inner) => self.list(node, inner),
            Kind::Map(inner) => self.map(node, inner),
            Kind::Object(object) => self.object(node, object),
            Kind::Bool => self.bool(node),
            scalar => self.scalar(node, scalar),
        }
    }

    fn list(&mut self, node: Node, inner: &Kind) -> Result<Node> {
        let Value::Seq(items) = node.value else {
            return Err(self
                .wrong_type(&node, "a list")
                .help("begin each item with `- `"));
        };
        let mut read = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            if item.directive == Some(Directive::Reset) {
                return Err(self
                    .error(&item.span, "has a `!reset` for one item")
                    .help("reset the whole list, or write `!override` and the items that stay"));
            }
            read.push(self.within(format!("[{index}]"), |reader| reader.read(item, inner))?);
        }
        Ok(Node {
            value: Value::Seq(read),
            ..node
        })
    }

    fn map(&mut self, node: Node, inner: &Kind) -> Result<Node> {
        let Value::Map(entries) = node.value else {
            return Err(self.wrong_type(&node, "a mapping"));
        };
        let named = self.at.len() == 1;
        let mut read = Map::new();
        for (name, mut entry) in entries {
            if named && !syntax::is_resource_name(&name) {
                let message = format!("`{name}` is not a name");
                return Err(ComposeError::at(&entry.key, message)
                    .help("a name has letters, digits, `.`, `_` and `-`"));
            }
            entry.node =
                self.within(format!(".{name}"), |reader| reader.read(entry.node, inner))?;
            read.insert(name, entry);
        }
        Ok(Node {
            value: Value::Map(read),
            ..node
        })
    }

    fn object(&mut self, node: Node, object: &Object) -> Result<Node> {
        let Value::Map(entries) = node.value else {
            return Err(self.wrong_type(&node, "a mapping"));
        };
        let mut read = Map::new();
        for (name, mut entry) in entries {
            if name.starts_with("x-") {
                read.insert(name, entry);
                continue;
            }
            let Some(key) = object.key(&name) else {
                let names = object.keys().map(|key| key.name);
                let error =
                    ComposeError::at(&entry.key, format!("{} has no key `{name}`", object.what));
                return Err(match did_you_mean(&name, names) {
                    Some(help) => error.help(help),
                    None => error.help("a key of your own begins with `x-`"),
                });
            };
            // A key with nothing behind it says nothing, but where nothing has a meaning.
            let empty = entry.node.value.is_null() && entry.node.directive.is_none();
            if empty && !key.kind.means_null() {
                continue;
            }
            let step = format!(".{name}");
            entry.node = self.within(step, |reader| {
                let node = reader.read(entry.node, &key.kind)?;
                reader.tell_doubles(&node, key.merge);
                Ok(node)
            })?;
            read.insert(name, entry);
        }
        Ok(Node {
            value: Value::Map(read),
            ..node
        })
    }

    /// Of two items of one list with the same key, such as two mounts in one place, the last one
    /// counts. Between files that is what a person wants, in one file hardly.
    fn tell_doubles(&mut self, node: &Node, merge: Merge) {
        let Merge::Unique(key) = merge else {
            return;
        };
        let mut seen = HashMap::new();
        for item in node.as_seq().unwrap_or_default() {
            let Some(first) = key(item).and_then(|key| seen.insert(key, item)) else {
                continue;
            };
            if first.span.text() != item.span.text() {
                let message = format!("{} has this twice, and the last one counts", self.at());
                let help = format!(
                    "the first one is at {}: remove one of them",
                    first.span.place()
                );
                self.warn(&item.span, message, &help);
            }
        }
    }

    fn bool(&mut self, node: Node) -> Result<Node> {
        let value = match &node.value {
            Value::Bool(value) => *value,
            Value::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" => true,
                "false" => false,
                word @ ("yes" | "on" | "y" | "no" | "off" | "n") => {
                    let value = matches!(word, "yes" | "on" | "y");
                    let message = format!("`{text}` is a text in YAML 1.2, and taken for {value}");
                    self.warn(&node.span, message, &format!("write {value}"));
                    value
                }
                _ => return Err(self.error(&node.span, "must be true or false")),
            },
            _ => return Err(self.wrong_type(&node, "true or false")),
        };
        Ok(Node {
            value: Value::Bool(value),
            ..node
        })
    }

    fn scalar(&mut self, node: Node, kind: &Kind) -> Result<Node> {
        let Some(text) = node.scalar() else {
            return Err(self.wrong_type(&node, wanted(kind)));
        };
        let number = matches!(node.value, Value::Number(_));
        let bad = |reader: &Self, what: String| reader.error(&node.span, what);
        let value = match kind {
            Kind::Int { min, max } => {
                let value = values::int(text).filter(|value| (*min..=*max).contains(value));
                let Some(value) = value else {
                    let bounds = match (*min, *max) {
                        (i64::MIN, _) => String::new(),
                        (min, max) => format!(" from {min} to {max}"),
                    };
                    let what = format!("must be a whole number{bounds}, and is `{text}`");
                    return Err(bad(self, what));
                };
                Value::Number(value.to_string())
            }
            Kind::Number => match values::number(text) {
                Some(value) => Value::Number(value),
                None => return Err(bad(self, format!("must be a number, and is `{text}`"))),
            },
            Kind::Bytes { unlimited } => match values::bytes(text, *unlimited) {
                Some(value) => Value::Number(value),
                None => {
                    return Err(bad(self, format!("must be a size, and is `{text}`"))
                        .help("write a number with a unit, such as 512m or 1gb"));
                }
            },
            Kind::Duration => match values::duration(text, number) {
                Some(value) => Value::Text(value),
                None => {
                    return Err(bad(self, format!("must be a duration, and is `{text}`"))
                        .help("write a number with a unit, such as 10s or 1m30s"));
                }
            },
            Kind::Mode => {
                let Some(value) = values::mode(text, number) else {
                    return Err(bad(self, format!("must be permissions, and is `{text}`"))
                        .help("write them in octal, such as 0440"));
                };
                if number && !text.starts_with('0') {
                    let message = format!("`{text}` is a decimal number here, and means {value}");
                    self.warn(
                        &node.span,
                        message,
                        &format!("write {value}, or 0{text} in octal"),
                    );
                }
                Value::Text(value)
            }
            Kind::Path => Value::Text(self.path(text).to_string_lossy().into_owned()),
            Kind::Context => Value::Text(self.context(text)),
            Kind::Word(words) => {
                if !words.contains(&text) {
                    let error = bad(self, format!("can't be `{text}`"));
                    let one_of = format!("one of {}", words.join(", "));
                    let help = did_you_mean(text, words.iter().copied()).unwrap_or(one_of);
                    return Err(error.help(help));
                }
                Value::Text(text.to_owned())
            }
            Kind::Syntax(check) => match check(text) {
                Ok(()) => Value::Text(text.to_owned()),
                Err(help) => {
                    return Err(bad(self, format!("can't be `{text}`")).help(help));
                }
            },
            _ => Value::Text(text.to_owned()),
        };
        Ok(Node { value, ..node })
    }

    /// An absolute path: `~` is the user's home, and what is relative is below the folder.
    pub fn path(&self, text: &str) -> PathBuf {
        let rest = match text.strip_prefix('~') {
            Some("") => Some(""),
            Some(rest) => rest.strip_prefix('/'),
            None => None,
        };
        match rest.zip(self.home) {
            Some((rest, home)) => normalized(&Path::new(home).join(rest)),
            None => normalized(&self.base.join(text)),
        }
    }

    /// A build's context: a path, unless it is something that a builder fetches itself.
    fn context(&self, text: &str) -> String {
        match syntax::is_remote_context(text) {
            true => text.to_owned(),
            false => self.path(text).to_string_lossy().into_owned(),
        }
    }
}

impl Kind {
    /// True if `null` says something.
    fn means_null(&self) -> bool {
        match self {
            Self::Nullable(_) | Self::Any => true,
            Self::Form(form) => form.long.means_null(),
            _ => false,
        }
    }
}

fn wanted(kind: &Kind) -> &'static str {
    match kind {
        Kind::Int { .. } => "a whole number",
        Kind::Number => "a number",
        Kind::Bytes { .. } => "a size",
        Kind::Duration => "a duration",
        Kind::Mode => "permissions in octal",
        Kind::Path | Kind::Context => "a path",
        _ => "a text",
    }
}

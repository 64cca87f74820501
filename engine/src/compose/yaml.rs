//! Reads YAML 1.2 into [`Node`]s: anchors, aliases and merge keys are resolved, duplicate keys
//! are errors, and what a file can make of itself is bounded.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::error::ComposeError;
use super::node::{Directive, Entry, Map, Node, Value};
use super::scalar;
use super::source::{Source, Span};

/// The deepest nesting, in levels. The specification needs 10.
pub const MAX_DEPTH: usize = 64;
/// The most values of one file, those that aliases repeat included.
pub const MAX_NODES: usize = 200_000;

type Result<T> = std::result::Result<T, ComposeError>;

/// Reads the documents of a file; a file with nothing in it has none.
pub fn read(source: &Arc<Source>) -> Result<Vec<Node>> {
    let mut reader = Reader {
        source,
        places: Places::new(source.text()),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut parser = Parser::new_from_str(source.text());
    let mut open: Vec<Open> = Vec::new();
    let mut documents = Vec::new();
    while let Some(event) = parser.next_event() {
        let (event, span) =
            event.map_err(|error| reader.scan_error(error.marker(), error.info()))?;
        let span = reader.span(span.start, span.end);
        let done = match event {
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {
                None
            }
            Event::StreamEnd => break,
            Event::Alias(anchor) => Some(reader.alias(anchor, &span, open.len())?),
            Event::Scalar(text, style, anchor, tag) => {
                let node = scalar_node(&text, style, tag.as_deref(), &span)?;
                reader.count(1, &span)?;
                Some(reader.anchored(anchor, node, SCALAR))
            }
            Event::SequenceStart(anchor, tag) => {
                let value = Value::Seq(Vec::new());
                reader.open(&mut open, anchor, tag.as_deref(), value, span)?;
                None
            }
            Event::MappingStart(anchor, tag) => {
                let value = Value::Map(Map::new());
                reader.open(&mut open, anchor, tag.as_deref(), value, span)?;
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(closed) => Some(reader.close(closed, &span)?),
                None => None,
            },
        };
        if let Some((node, size)) = done {
            match open.last_mut() {
                Some(parent) => parent.add(node, size)?,
                None => documents.push(node),
            }
        }
    }
    documents.retain(|node| !node.value.is_null());
    Ok(documents)
}

/// How large a value is.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// Values in it, itself included.
    nodes: usize,
    /// Levels in it, itself included.
    levels: usize,
}

const SCALAR: Size = Size {
    nodes: 1,
    levels: 1,
};

/// A collection that is not complete.
struct Open {
    node: Node,
    anchor: usize,
    size: Size,
    /// The key whose value comes next.
    key: Option<(String, Span)>,
    /// What merge keys bring.
    merges: Vec<Node>,
}

impl Open {
    fn add(&mut self, node: Node, size: Size) -> Result<()> {
        self.size.nodes += size.nodes;
        self.size.levels = self.size.levels.max(size.levels + 1);
        let map = match &mut self.node.value {
            Value::Seq(items) => {
                items.push(node);
                return Ok(());
            }
            Value::Map(map) => map,
            _ => return Ok(()),
        };
        let Some((key, span)) = self.key.take() else {
            self.key = Some((key_text(&node)?, node.span));
            return Ok(());
        };
        if key == "<<" {
            self.merges.push(node);
            return Ok(());
        }
        if let Some(first) = map.get(&key) {
            let first = first.key.place();
            return Err(ComposeError::at(&span, format!("`{key}` is there twice"))
                .help(format!("the first one is at {first}: remove one of them")));
        }
        map.insert(key, Entry { key: span, node });
        Ok(())
    }
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    places: Places,
    /// What an anchor stands for.
    anchors: HashMap<usize, (Node, Size)>,
    nodes: usize,
}

impl Reader<'_> {
    fn span(&self, start: Marker, end: Marker) -> Span {
        Span::new(self.source, self.places.byte(start)..self.places.byte(end))
    }

    fn scan_error(&self, marker: &Marker, info: &str) -> ComposeError {
        let start = self.places.byte(*marker);
        let span = Span::new(self.source, start..start + 1);
        let error = ComposeError::at(&span, format!("this is no YAML: {info}"));
        let line = self.source.text()[..span.range().start].rfind('\n');
        let indent = &self.source.text()[line.map_or(0, |at| at + 1)..];
        if indent.trim_start_matches([' ', '\t']).len() < indent.trim_start_matches(' ').len() {
            return error.help("YAML is indented with spaces, not with tabs");
        }
        error
    }

    /// Counts values against the limit.
    fn count(&mut self, more: usize, span: &Span) -> Result<()> {
        self.nodes += more;
        if self.nodes > MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} values");
            return Err(ComposeError::at(span, message)
                .help("aliases (`*name`) count as often as they are used"));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: &Span, depth: usize) -> Result<(Node, Size)> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            // The parser knows the anchor, so it is the collection that we are in.
            return Err(ComposeError::at(
                span,
                "an alias can't stand inside its own anchor",
            ));
        };
        let (size, node) = (*size, node.clone());
        // The parser knows no depth of what an alias stands for.
        check_depth(depth + size.levels - 1, span)?;
        self.count(size.nodes, span)?;
        Ok((node, size))
    }

    fn anchored(&mut self, anchor: usize, node: Node, size: Size) -> (Node, Size) {
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        (node, size)
    }

    fn open(
        &mut self,
        open: &mut Vec<Open>,
        anchor: usize,
        tag: Option<&Tag>,
        value: Value,
        span: Span,
    ) -> Result<()> {
        self.count(1, &span)?;
        check_depth(open.len(), &span)?;
        let directive = directive(tag, &span)?;
        open.push(Open {
            node: Node {
                span,
                directive,
                value,
            },
            anchor,
            size: SCALAR,
            key: None,
            merges: Vec::new(),
        });
        Ok(())
    }

    fn close(&mut self, closed: Open, end: &Span) -> Result<(Node, Size)> {
        let Open {
            mut node,
            anchor,
            size,
            merges,
            ..
        } = closed;
        let start = node.span.range().start;
        let text = &self.source.text()[start..end.range().end.max(start)];
        node.span = Span::new(self.source, start..start + text.trim_end().len());
        for merge in merges {
            merge_key(&mut node, merge)?;
        }
        Ok(self.anchored(anchor, node, size))
    }
}

fn check_depth(depth: usize, span: &Span) -> Result<()> {
    if depth >= MAX_DEPTH {
        let message = format!("this is nested deeper than {MAX_DEPTH} levels");
        return Err(ComposeError::at(span, message));
    }
    Ok(())
}

/// `<<`: entries of one mapping, or of several, that are not there yet. Earlier ones win.
fn merge_key(node: &mut Node, merge: Node) -> Result<()> {
    let sources = match merge.value {
        Value::Map(_) => vec![merge],
        Value::Seq(items) => items,
        _ => vec![merge],
    };
    for source in sources {
        let (Value::Map(from), Some(into)) = (source.value, node.as_map_mut()) else {
            return Err(
                ComposeError::at(&source.span, "`<<` takes a mapping, or a list of them")
                    .help("write `<<: *name` where `&name` marks a mapping"),
            );
        };
        for (key, entry) in from {
            into.entry(key).or_insert(entry);
        }
    }
    Ok(())
}

fn key_text(node: &Node) -> Result<String> {
    match &node.value {
        Value::Null => Ok("null".into()),
        Value::Seq(_) | Value::Map(_) => Err(ComposeError::at(&node.span, "a key must be a text")
            .help("write texts that begin with `{` or `[` in quotes")),
        value => Ok(value.scalar().unwrap_or_default().to_owned()),
    }
}

fn directive(tag: Option<&Tag>, span: &Span) -> Result<Option<Directive>> {
    match tag {
        None => Ok(None),
        Some(tag) if tag.is_yaml_core_schema() => Ok(None),
        Some(tag) => match (tag.handle.as_str(), tag.suffix.as_str()) {
            ("!", "reset") => Ok(Some(Directive::Reset)),
            ("!", "override") => Ok(Some(Directive::Override)),
            _ => Err(
                ComposeError::at(span, format!("the tag `{tag}` is not known"))
                    .help("Compose has the tags `!reset` and `!override`"),
            ),
        },
    }
}

fn scalar_node(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Result<Node> {
    let directive = directive(tag, span)?;
    let core = tag.filter(|tag| tag.is_yaml_core_schema());
    let value = match core.map(|tag| tag.suffix.as_str()) {
        Some("str") => Value::Text(text.to_owned()),
        // `!!int "8080"` and the like: what it looks like, whatever the quotes.
        Some(_) => scalar::plain(text),
        None if style == ScalarStyle::Plain => scalar::plain(text),
        None => Value::Text(text.to_owned()),
    };
    Ok(Node {
        span: span.clone(),
        directive,
        value,
    })
}

/// Turns the parser's places, which count characters, into bytes.
struct Places {
    len: usize,
    /// Where each character begins; nothing where that is its number, as in ASCII.
    starts: Vec<u32>,
}

impl Places {
    fn new(text: &str) -> Self {
        let starts = match text.is_ascii() {
            true => Vec::new(),
            // Files are smaller than 4 GiB by far.
            false => text.char_indices().map(|(at, _)| at as u32).collect(),
        };
        Self {
            len: text.len(),
            starts,
        }
    }

    fn byte(&self, marker: Marker) -> usize {
        match self.starts.get(marker.index()) {
            Some(&start) => start as usize,
            None if self.starts.is_empty() => marker.index(),
            None => self.len,
        }
    }
}

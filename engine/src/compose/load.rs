//! From files to one tree: each is read, its variables are replaced, it is brought into its
//! longest form, what it extends and includes is brought in, and then it is merged.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::{ComposeError, Problem};
use super::extends;
use super::files::Files;
use super::include;
use super::interpolate::{Environment, interpolate};
use super::merge::merge;
use super::node::{Entry, Map, Node, Value};
use super::read::Reader;
use super::shape::{Kind, PROJECT};
use super::source::Span;
use super::yaml;

/// The deepest chain of `include` or `extends`.
pub const MAX_CHAIN: usize = 24;
/// The most times that files are brought in by `include` and `extends`.
const MAX_LOADS: usize = 2_000;

type Result<T> = std::result::Result<T, ComposeError>;

/// What all files of a project share.
pub struct Context<'a> {
    /// The files that were read.
    pub files: &'a Files,
    /// The user's home, for `~`.
    pub home: Option<&'a str>,
    loads: Cell<usize>,
}

impl<'a> Context<'a> {
    /// Nothing is loaded yet.
    pub fn new(files: &'a Files, home: Option<&'a str>) -> Self {
        Self {
            files,
            home,
            loads: Cell::new(0),
        }
    }

    /// Counts a file against the limit.
    fn count(&self, path: &Path) -> Result<()> {
        self.loads.set(self.loads.get() + 1);
        if self.loads.get() > MAX_LOADS {
            return Err(ComposeError::Read {
                path: path.to_owned(),
                reason: format!("`include` and `extends` bring in more than {MAX_LOADS} files"),
            });
        }
        Ok(())
    }
}

/// Loads files that have a folder and an environment in common.
pub struct Loader<'a> {
    /// What all files share.
    pub context: &'a Context<'a>,
    /// The folder that relative paths are below.
    pub dir: PathBuf,
    /// What variables stand for.
    pub environment: Environment,
    /// Files that include this one, outermost first.
    pub chain: Vec<PathBuf>,
    /// Files that services extend, each with the folder of its own.
    pub extended: HashMap<PathBuf, Node>,
    /// What is odd and no error.
    pub warnings: Vec<Problem>,
}

impl<'a> Loader<'a> {
    /// A loader of the outermost files.
    pub fn new(context: &'a Context<'a>, dir: PathBuf, environment: Environment) -> Self {
        Self {
            context,
            dir,
            environment,
            chain: Vec::new(),
            extended: HashMap::new(),
            warnings: Vec::new(),
        }
    }

    /// Loads files, each of which overrides the ones before it.
    pub fn load(&mut self, paths: &[PathBuf]) -> Result<Node> {
        let mut project: Option<Node> = None;
        let dir = self.dir.clone();
        for path in paths {
            self.chain.push(path.clone());
            // Documents of one file are merged as files are.
            for mut document in self.documents(path, &dir)? {
                extends::resolve(self, &mut document)?;
                include::resolve(self, &mut document)?;
                project = merge(project, document, &Kind::Object(&PROJECT));
            }
            self.chain.pop();
        }
        let mut project = project.map_or_else(|| self.nothing(paths), Ok)?;
        self.default_contexts(&mut project);
        Ok(project)
    }

    /// A build without a context has the project's folder.
    fn default_contexts(&self, project: &mut Node) {
        let services = project.as_map_mut().and_then(|map| map.get_mut("services"));
        let services = services.and_then(|entry| entry.node.as_map_mut());
        for service in services.into_iter().flat_map(|map| map.values_mut()) {
            let build = service
                .node
                .as_map_mut()
                .and_then(|map| map.get_mut("build"));
            let Some(Entry { key, node }) = build else {
                continue;
            };
            let context = Node::text(key, self.dir.to_string_lossy());
            if let Some(build) = node.as_map_mut() {
                build.entry("context".into()).or_insert_with(|| Entry {
                    key: key.clone(),
                    node: context,
                });
            }
        }
    }

    /// The documents of a file in their longest form.
    pub fn documents(&mut self, path: &Path, dir: &Path) -> Result<Vec<Node>> {
        self.context.count(path)?;
        let source = self.context.files.read(path)?;
        let mut documents = yaml::read(&source)?;
        for document in &mut documents {
            interpolate(document, &self.environment, &mut self.warnings)?;
            let mut reader = Reader::new(dir, self.context.home, &mut self.warnings);
            let empty = Node::new(&document.span, Value::Null);
            let taken = std::mem::replace(document, empty);
            *document = reader.read(taken, &Kind::Object(&PROJECT))?;
        }
        Ok(documents)
    }

    fn nothing(&self, paths: &[PathBuf]) -> Result<Node> {
        let Some(path) = paths.last() else {
            return Err(ComposeError::NoFile {
                dir: self.dir.clone(),
            });
        };
        let source = self.context.files.read(path)?;
        let span = Span::new(&source, 0..0);
        Ok(Node::new(&span, Value::Map(Map::new())))
    }
}

//! Variables in the values of a document, and where they come from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::dotenv::{self, DotenvError, Format};
use super::error::{ComposeError, Problem};
use super::files::Files;
use super::node::{Node, Value};
use super::source::Span;
use super::template::{self, Variables};

/// The most that the values of one file become with their variables, in bytes.
const MAX_BYTES: usize = 32 << 20;

/// The variables that values may name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl std::fmt::Debug for Environment {
    /// Their values may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}

impl Environment {
    /// Variables, by name.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().collect())
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a variable that is set to something.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Sets a variable, whatever it was.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// Adds what is not set yet.
    pub fn add_defaults(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (name, value) in variables {
            self.0.entry(name).or_insert(value);
        }
    }

    /// Reads environment files, of which later ones go before earlier ones. In their values this
    /// environment goes before all of them.
    pub fn read_all(
        &self,
        files: &Files,
        paths: &[PathBuf],
        warnings: &mut Vec<Problem>,
    ) -> Result<BTreeMap<String, String>, ComposeError> {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for path in paths {
            let outer = |name: &str| self.get(name).or(all.get(name).map(String::as_str));
            let read = read_variables(files, path, Format::Compose, outer, warnings)?;
            all.extend(read);
        }
        Ok(all)
    }
}

/// Reads an environment file. Its values may have variables that `outer` knows.
pub fn read_variables<'a>(
    files: &Files,
    path: &Path,
    format: Format,
    outer: impl Fn(&str) -> Option<&'a str>,
    warnings: &mut Vec<Problem>,
) -> Result<Vec<(String, String)>, ComposeError> {
    let source = files.read(path)?;
    let outer = |name: &str| outer(name).map(str::to_owned);
    let parsed = dotenv::parse(source.text(), format, &outer).map_err(|error| {
        let DotenvError {
            range,
            message,
            help,
        } = error;
        Problem::new(&Span::new(&source, range), message, help)
    })?;
    for (name, range) in parsed.unset {
        if !files.tells(path, &name) {
            continue;
        }
        let help = format!("set it, or write `$${name}` for a dollar sign and what follows it");
        let span = Span::new(&source, range);
        warnings.push(Problem::new(&span, unset(&name), Some(help)));
    }
    Ok(parsed.variables)
}

fn unset(name: &str) -> String {
    format!("the variable `{name}` is not set, and taken for empty")
}

/// Replaces the variables in all values of a document, not in its keys. Tells variables that are
/// not set and have no default, each of them once.
pub fn interpolate(
    node: &mut Node,
    environment: &Environment,
    warnings: &mut Vec<Problem>,
) -> Result<(), ComposeError> {
    let mut walk = Walk {
        environment,
        warnings,
        told: BTreeSet::new(),
        bytes: 0,
    };
    walk.node(node)
}

struct Walk<'a> {
    environment: &'a Environment,
    warnings: &'a mut Vec<Problem>,
    told: BTreeSet<String>,
    bytes: usize,
}

impl Walk<'_> {
    fn node(&mut self, node: &mut Node) -> Result<(), ComposeError> {
        match &mut node.value {
            Value::Text(text) if text.contains('$') => {
                *text = self.text(text, &node.span)?;
                Ok(())
            }
            Value::Seq(items) => items.iter_mut().try_for_each(|item| self.node(item)),
            Value::Map(map) => map
                .values_mut()
                .try_for_each(|entry| self.node(&mut entry.node)),
            _ => Ok(()),
        }
    }

    fn text(&mut self, text: &str, span: &Span) -> Result<String, ComposeError> {
        let mut variables = Told {
            environment: self.environment,
            unset: Vec::new(),
        };
        let expanded = template::expand(text, &mut variables).map_err(|error| {
            let span = span.dollar(error.dollar, error.len);
            Problem::new(&span, error.message, error.help.map(str::to_owned))
        })?;
        self.bytes += expanded.len();
        if self.bytes > MAX_BYTES {
            let message =
                format!("with their variables the values have more than {MAX_BYTES} bytes");
            return Err(ComposeError::at(span, message));
        }
        for (name, dollar) in variables.unset {
            if self.told.insert(name.clone()) {
                let message = unset(&name);
                let help = format!("set it, or give a default: ${{{name}:-…}}");
                let span = span.dollar(dollar, name.len() + 1);
                self.warnings.push(Problem::new(&span, message, Some(help)));
            }
        }
        Ok(expanded)
    }
}

struct Told<'a> {
    environment: &'a Environment,
    unset: Vec<(String, usize)>,
}

impl Variables for Told<'_> {
    fn get(&mut self, name: &str) -> Option<String> {
        self.environment.get(name).map(str::to_owned)
    }

    fn unset(&mut self, name: &str, dollar: usize) {
        // One place is enough, and a text may name a variable a million times.
        if !self.unset.iter().any(|(known, _)| known == name) {
            self.unset.push((name.to_owned(), dollar));
        }
    }
}

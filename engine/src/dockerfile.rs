//! A reader of Dockerfiles: which stages there are, what they expose, and what they build on.
//!
//! It is no builder, and lenient: an instruction that it can't understand is skipped, because
//! the builder is the judge of that. What it answers serves defaults and checks before a build.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::Protocol;

mod contexts;
mod lines;
#[cfg(test)]
mod tests;
mod vars;

pub use contexts::{Placed, place};
pub use lines::Directives;
use lines::Line;
use vars::Scope;

/// The most stages that are looked at. A file with more has none: it is not one that people wrote,
/// and what it says is for the builder to find out, who can be stopped.
const MAX_STAGES: usize = 256;
/// The most steps that bear on an answer, each variable one; the same holds.
const MAX_STEPS: usize = 10_000;
/// The most ports of EXPOSE that are looked at: all there are, eight times.
const MAX_PORTS: usize = 1 << 20;

/// A Dockerfile that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// What the comments at its top tell the parser.
    pub directives: Directives,
    /// Its stages, in order.
    pub stages: Vec<Stage>,
    /// The line of the first instruction that opens a heredoc, counted from 1.
    pub first_heredoc: Option<usize>,
    /// The arguments before the first FROM, with their defaults as written.
    global_args: Vec<(String, Option<String>)>,
}

/// One stage: a FROM and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What it is called with `AS`, in lower case as the builder compares names.
    pub name: Option<String>,
    /// The image or stage that it builds on, as written, variables and all.
    pub from: String,
    /// The line of its FROM, counted from 1.
    pub from_line: usize,
    /// Its last USER, as written.
    pub user: Option<String>,
    /// `Some(true)` where it has a HEALTHCHECK, `Some(false)` for `HEALTHCHECK NONE`.
    pub healthcheck: Option<bool>,
    /// True where it has a CMD or an ENTRYPOINT.
    pub has_command: bool,
    /// What bears on the questions below, in order, since a variable holds from its line on.
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Arg(String, Option<String>),
    /// The variables of one ENV: names and values as written.
    Env(Vec<(String, String)>),
    Expose(String),
    User(String),
    /// An image or stage that files come from.
    Uses(String),
}

/// The build arguments that a build is given.
type Args = BTreeMap<String, String>;

impl Dockerfile {
    /// Reads a Dockerfile. Never fails: what it can't understand is not there.
    pub fn parse(text: &str) -> Self {
        let (directives, lines) = lines::split(text);
        let escape = directives.escape;
        let mut file = Self {
            directives,
            ..Self::default()
        };
        file.first_heredoc = lines
            .iter()
            .find(|line| line.heredoc)
            .map(|line| line.number);
        for line in &lines {
            if line.keyword == "FROM" {
                file.stages.extend(Stage::open(line, escape));
            } else if let Some(stage) = file.stages.last_mut() {
                stage.add(line, escape);
            } else if line.keyword == "ARG" {
                file.global_args.extend(declarations(&line.rest, escape));
            }
        }
        let steps = file.stages.iter().flat_map(|stage| &stage.steps);
        let steps = steps.map(|step| match step {
            Step::Env(pairs) => pairs.len(),
            _ => 1,
        });
        let steps = steps.sum::<usize>() + file.global_args.len();
        if file.stages.len() > MAX_STAGES || steps > MAX_STEPS {
            file.stages.clear();
            file.global_args.clear();
        }
        file
    }

    /// The stage that is built: the one named (or numbered) by `target`, else the last.
    pub fn final_stage(&self, target: Option<&str>) -> Option<&Stage> {
        self.stages.get(self.final_index(target)?)
    }

    /// The ports that the built stage exposes, its own and those of the stages that it builds
    /// on, in order and each once. What an image from elsewhere exposes is not known here.
    pub fn exposed_ports(&self, target: Option<&str>, args: &Args) -> Vec<(u16, Protocol)> {
        let mut ports = Vec::new();
        let mut seen = BTreeSet::new();
        let mut left = MAX_PORTS;
        self.walk_final(target, args, |scope, step| {
            if let Step::Expose(text) = step {
                for word in scope.words(text, self.directives.escape) {
                    for (port, protocol) in exposed(&word).into_iter().flatten().take(left) {
                        left -= 1;
                        if seen.insert((port, protocol.as_str())) {
                            ports.push((port, protocol));
                        }
                    }
                }
            }
        });
        ports
    }

    /// The user that the built stage runs as; `None` where no stage sets one.
    pub fn user(&self, target: Option<&str>, args: &Args) -> Option<String> {
        let mut user = None;
        self.walk_final(target, args, |scope, step| {
            if let Step::User(text) = step {
                user = scope.expand(text, self.directives.escape);
            }
        });
        user.filter(|user| !user.is_empty())
    }

    /// True where the built stage, or one that it builds on, has a HEALTHCHECK.
    pub fn has_healthcheck(&self, target: Option<&str>, args: &Args) -> bool {
        let lineage = self.lineage(target, args);
        let says = |&index: &usize| self.stages.get(index)?.healthcheck;
        lineage.iter().rev().find_map(says).unwrap_or(false)
    }

    /// The images from elsewhere that building the target needs: those in FROM, `COPY --from`
    /// and `RUN --mount=from=`, each once, in order. Stages that the target does not need are
    /// left out, as BuildKit leaves them out. `scratch` is no image.
    pub fn external_bases(&self, target: Option<&str>, args: &Args) -> Vec<String> {
        let global = self.global_scope(args);
        let mut needed: BTreeSet<usize> = self.final_index(target).into_iter().collect();
        let mut images: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        // A stage only refers to those before it, so one pass backwards finds all.
        for index in (0..self.stages.len()).rev() {
            if !needed.contains(&index) {
                continue;
            }
            for reference in self.references(index, &global, args) {
                match self.stage_before(&reference, index) {
                    Some(stage) => {
                        needed.insert(stage);
                    }
                    None => images.entry(index).or_default().push(reference),
                }
            }
        }
        let mut seen = BTreeSet::new();
        images
            .into_values()
            .flatten()
            .filter(|image| image != "scratch" && seen.insert(image.clone()))
            .collect()
    }

    /// What a stage builds on and copies from, expanded: FROM first.
    fn references(&self, index: usize, global: &Scope, args: &Args) -> Vec<String> {
        let escape = self.directives.escape;
        let Some(stage) = self.stages.get(index) else {
            return Vec::new();
        };
        let mut references: Vec<String> = global.expand(&stage.from, escape).into_iter().collect();
        let mut scope = Scope::default();
        for &ancestor in &self.lineage_of(index, global) {
            self.walk(ancestor, &mut scope, global, args, &mut |scope, step| {
                if let (Step::Uses(source), true) = (step, ancestor == index) {
                    references.extend(scope.expand(source, escape));
                }
            });
        }
        references.retain(|reference| !reference.is_empty());
        references
    }

    fn final_index(&self, target: Option<&str>) -> Option<usize> {
        match target {
            None => self.stages.len().checked_sub(1),
            Some(target) => self.stage_before(target, self.stages.len()),
        }
    }

    /// The stage that a FROM, `--from` or target means, among those before `end`: by name, and
    /// the last of that name; else by number.
    fn stage_before(&self, reference: &str, end: usize) -> Option<usize> {
        let wanted = reference.to_lowercase();
        let earlier = self.stages.get(..end)?;
        let named = |stage: &Stage| stage.name.as_deref() == Some(&wanted);
        let by_name = earlier.iter().rposition(named);
        by_name.or_else(|| wanted.parse().ok().filter(|&number| number < end))
    }

    /// The stages that the target is made of by FROM, the first one first.
    fn lineage(&self, target: Option<&str>, args: &Args) -> Vec<usize> {
        let index = self.final_index(target);
        let global = self.global_scope(args);
        index.map_or_else(Vec::new, |index| self.lineage_of(index, &global))
    }

    fn lineage_of(&self, index: usize, global: &Scope) -> Vec<usize> {
        let mut lineage = vec![index];
        let mut current = index;
        while let Some(parent) = self
            .stages
            .get(current)
            .and_then(|stage| global.expand(&stage.from, self.directives.escape))
            .and_then(|from| self.stage_before(&from, current))
        {
            lineage.push(parent);
            current = parent;
        }
        lineage.reverse();
        lineage
    }

    /// The variables that FROM lines see.
    fn global_scope(&self, args: &Args) -> Scope {
        let mut scope = Scope::default();
        for (name, default) in &self.global_args {
            let given = args.get(name).cloned();
            let value = given.or_else(|| scope.expand(default.as_deref()?, self.directives.escape));
            if let Some(value) = value {
                scope.args.insert(name.clone(), value);
            }
        }
        scope
    }

    fn walk_final(&self, target: Option<&str>, args: &Args, mut visit: impl FnMut(&Scope, &Step)) {
        let global = self.global_scope(args);
        let mut scope = Scope::default();
        for index in self.lineage(target, args) {
            self.walk(index, &mut scope, &global, args, &mut visit);
        }
    }

    /// Goes through a stage's steps with the variables that each sees. The scope goes on from
    /// stage to stage: a stage inherits the environment, and the arguments, that it builds on.
    fn walk(
        &self,
        index: usize,
        scope: &mut Scope,
        global: &Scope,
        args: &Args,
        visit: &mut dyn FnMut(&Scope, &Step),
    ) {
        let escape = self.directives.escape;
        let Some(stage) = self.stages.get(index) else {
            return;
        };
        for step in &stage.steps {
            match step {
                Step::Arg(name, default) => {
                    let value = args
                        .get(name)
                        .cloned()
                        .or_else(|| scope.expand(default.as_deref()?, escape))
                        .or_else(|| global.args.get(name).cloned());
                    if let Some(value) = value {
                        scope.args.insert(name.clone(), value);
                    }
                }
                Step::Env(pairs) => {
                    // Every value of one ENV sees the environment before it.
                    let expanded = |(name, value): &(String, String)| {
                        Some((name.clone(), scope.expand(value, escape)?))
                    };
                    let values: Vec<_> = pairs.iter().filter_map(expanded).collect();
                    scope.env.extend(values);
                }
                Step::Expose(_) | Step::User(_) | Step::Uses(_) => {}
            }
            visit(scope, step);
        }
    }
}

impl Stage {
    /// `FROM [--platform=…] image [AS name]`.
    fn open(line: &Line, escape: char) -> Option<Self> {
        let words = lines::raw_words(&line.rest, escape);
        let mut words = words.iter().skip_while(|word| word.starts_with("--"));
        let from = words.next()?.clone();
        let name = match (words.next(), words.next()) {
            (Some(word), Some(name)) if word.eq_ignore_ascii_case("as") => {
                Some(name.to_lowercase())
            }
            _ => None,
        };
        Some(Self {
            name,
            from,
            from_line: line.number,
            user: None,
            healthcheck: None,
            has_command: false,
            steps: Vec::new(),
        })
    }

    fn add(&mut self, line: &Line, escape: char) {
        let rest = line.rest.as_str();
        match line.keyword.as_str() {
            "ARG" => {
                let declared = declarations(rest, escape).into_iter();
                self.steps
                    .extend(declared.map(|(name, default)| Step::Arg(name, default)));
            }
            "ENV" => self.steps.push(Step::Env(environment(rest, escape))),
            "EXPOSE" => self.steps.push(Step::Expose(rest.to_owned())),
            "USER" => {
                self.user = Some(rest.to_owned());
                self.steps.push(Step::User(rest.to_owned()));
            }
            "HEALTHCHECK" => self.healthcheck = Some(!rest.eq_ignore_ascii_case("none")),
            "CMD" | "ENTRYPOINT" => self.has_command = true,
            "COPY" | "RUN" => self
                .steps
                .extend(sources(rest, escape).into_iter().map(Step::Uses)),
            _ => {}
        }
    }
}

/// `ARG NAME[=default] …`; quotes stay in the default until it is expanded.
fn declarations(rest: &str, escape: char) -> Vec<(String, Option<String>)> {
    let words = lines::raw_words(rest, escape).into_iter();
    words
        .map(|word| match word.split_once('=') {
            Some((name, default)) => (name.to_owned(), Some(default.to_owned())),
            None => (word, None),
        })
        .collect()
}

/// `ENV NAME=value …`, or the old form `ENV NAME the rest`.
fn environment(rest: &str, escape: char) -> Vec<(String, String)> {
    let words = lines::raw_words(rest, escape);
    let old_form = words.first().is_some_and(|word| !word.contains('='));
    if old_form {
        let split = rest.split_once(char::is_whitespace);
        let pair = split.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        return pair.into_iter().collect();
    }
    let pairs = words.iter().filter_map(|word| word.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What `--from=X` and `--mount=…,from=X` name. Flags end at the first other word.
fn sources(rest: &str, escape: char) -> Vec<String> {
    let words = lines::raw_words(rest, escape);
    let flags = words.iter().take_while(|word| word.starts_with("--"));
    flags
        .filter_map(|flag| {
            if let Some(source) = flag.strip_prefix("--from=") {
                return Some(source.to_owned());
            }
            let fields = flag.strip_prefix("--mount=")?.split(',');
            let mut sources = fields.filter_map(|field| field.trim().strip_prefix("from="));
            sources.next().map(str::to_owned)
        })
        .collect()
}

/// `8080`, `8080/udp` or `8000-8002/tcp`; `None` for anything else.
fn exposed(word: &str) -> Option<impl Iterator<Item = (u16, Protocol)>> {
    let (ports, protocol) = match word.split_once('/') {
        None => (word, Protocol::Tcp),
        Some((ports, name)) => match name.to_ascii_lowercase().as_str() {
            "tcp" => (ports, Protocol::Tcp),
            "udp" => (ports, Protocol::Udp),
            "sctp" => (ports, Protocol::Sctp),
            _ => return None,
        },
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first > 0 && first <= last).then(|| (first..=last).map(move |port| (port, protocol)))
}

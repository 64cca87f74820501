//! What a deploy looks like while it goes on: one line a step, with its time.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::policy::policy_lines;
use super::text::time;
use super::{Styles, Verbosity, printable, render_plan};
use crate::deploy::{Event, LockStep, Outcome, Reporter, ServiceSummary, WatchEvent, Weight};
use crate::plugin::{Level, LogRecord};

/// Time between two pictures of what moves.
const TICK: Duration = Duration::from_millis(100);

pub struct ProgressReporter {
    style: Styles,
    verbosity: Verbosity,
    /// The line that moves, on a terminal.
    spinner: Option<ProgressBar>,
    /// The steps that go on, by their places in the plan.
    steps: Mutex<BTreeMap<usize, Step>>,
}

/// A step that goes on.
struct Step {
    name: String,
    service: Option<String>,
    /// How far it is, where it moves bytes.
    progress: Option<String>,
}

impl Step {
    fn words(&self) -> String {
        let progress = self.progress.as_ref();
        let progress = progress.map_or_else(String::new, |text| format!(" {text}"));
        format!("{}{progress}", self.name)
    }
}

impl ProgressReporter {
    pub fn new(style: Styles, verbosity: Verbosity, live: bool) -> Self {
        let spinner = (live && verbosity > Verbosity::Quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is a constant; were it wrong, the plain spinner would do.
            if let Ok(look) = ProgressStyle::with_template("  {spinner} {msg} {elapsed:>.dim}") {
                bar.set_style(look.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
            }
            bar
        });
        Self {
            style,
            verbosity,
            spinner,
            steps: Mutex::default(),
        }
    }

    fn line(&self, line: &str) {
        match &self.spinner {
            // Where nothing moves, it would be drawn, and stay.
            Some(spinner) if !self.lock().is_empty() => spinner.suspend(|| write(line)),
            _ => write(line),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Step>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, step: usize, name: String, service: Option<String>) {
        let mut steps = self.lock();
        let first = steps.is_empty();
        steps.insert(
            step,
            Step {
                name,
                service,
                progress: None,
            },
        );
        if let Some(spinner) = &self.spinner {
            if first {
                spinner.reset();
            }
            spinner.set_message(names(&steps));
            spinner.enable_steady_tick(TICK);
        }
    }

    fn end(&self, step: usize, sign: &str, took: Duration, detail: Option<&str>) {
        let mut steps = self.lock();
        let name = steps.remove(&step).map(|step| step.name);
        let detail = detail.map_or_else(String::new, |detail| format!(" {detail}"));
        let took = self.style.dim(time(took));
        let line = format!("  {sign} {}{detail} {took}", name.unwrap_or_default());
        match &self.spinner {
            Some(spinner) if steps.is_empty() => {
                spinner.disable_steady_tick();
                spinner.finish_and_clear();
                write(&line);
            }
            Some(spinner) => {
                spinner.suspend(|| write(&line));
                spinner.set_message(names(&steps));
            }
            None => write(&line),
        }
    }

    /// On a terminal, the line that moves says it. Elsewhere each word on it would be a line.
    fn progress(&self, step: usize, done: u64, total: u64) {
        let Some(spinner) = &self.spinner else {
            return;
        };
        let mut steps = self.lock();
        if let Some(step) = steps.get_mut(&step) {
            step.progress = Some(format!("{} of {}", HumanBytes(done), HumanBytes(total)));
        }
        spinner.set_message(names(&steps));
    }

    /// A line of what plugins.lock has from now on.
    fn locked(&self, what: &str, version: Option<&str>, digest: &str) {
        let version =
            version.map_or_else(String::new, |version| format!("{} ", printable(version)));
        let digest = self.style.dim(digest.get(..19).unwrap_or(digest));
        let sign = self.style.good("✔");
        let words = format!("locked {what} {version}{digest}");
        self.line(&format!("  {sign} {}", words.trim_end()));
    }

    /// A download before there is a plan: on a terminal the line that moves, elsewhere nothing.
    fn download(&self, what: &str, done: u64, total: u64) {
        let Some(spinner) = &self.spinner else {
            return;
        };
        if done >= total {
            spinner.disable_steady_tick();
            spinner.finish_and_clear();
            return;
        }
        let (done, total) = (HumanBytes(done), HumanBytes(total));
        spinner.set_message(format!("{} {done} of {total}", printable(what)));
        spinner.enable_steady_tick(TICK);
    }

    /// Output of one step: with its service, where several write at once.
    fn output(&self, step: usize, text: &str) {
        let steps = self.lock();
        let several = steps.len() > 1;
        let service = steps.get(&step).and_then(|step| step.service.clone());
        drop(steps);
        let bar = match service.filter(|_| several) {
            Some(service) => self.style.dim(format_args!("{service} │")),
            None => self.style.dim("│"),
        };
        for line in printable(text).lines() {
            self.line(&format!("    {bar} {}", self.style.dim(line)));
        }
    }

    fn plugin_log(&self, record: &LogRecord) {
        let word = match record.level {
            Level::Trace | Level::Debug if self.verbosity < Verbosity::Verbose => return,
            Level::Trace | Level::Debug | Level::Info => String::new(),
            Level::Warn => self.style.odd("warning: "),
            Level::Error | Level::Critical => self.style.bad("error: "),
        };
        let who = format!("{} {}", record.plugin, record.hook);
        for line in printable(&record.message).lines() {
            self.line(&format!(
                "    {} {word}{line}",
                self.style.plugin(format_args!("{who}:"))
            ));
        }
    }

    fn finished(&self, outcome: Outcome, release: &str, back_to: Option<&str>, took: Duration) {
        let took = self.style.dim(format_args!("in {}", time(took)));
        match outcome {
            Outcome::Succeeded => {
                let sign = self.style.good("✔");
                let what = match back_to {
                    Some(target) => format!("back at release {target}, as release {release}"),
                    None => format!("deployed release {release}"),
                };
                self.line(&format!("{sign} {what} {took}"));
            }
            Outcome::NothingToDo => {
                let sign = self.style.good("✔");
                self.line(&format!("{sign} nothing to do {took}"));
            }
            // Why is told as the error that it is.
            Outcome::RolledBack | Outcome::Failed | Outcome::Interrupted => {}
        }
    }
}

/// The steps that go on, in one line.
fn names(steps: &BTreeMap<usize, Step>) -> String {
    const SHOWN: usize = 3;
    let mut names: Vec<String> = steps.values().map(Step::words).collect();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

fn write(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Where services answer: the result of a deploy.
pub fn render_services(services: &[ServiceSummary], style: Styles) -> String {
    let width = services.iter().map(|service| service.service.len()).max();
    let mut lines: Vec<(&str, String, usize)> = Vec::new();
    for service in services {
        let addresses: Vec<_> = service.addresses.iter().map(|a| style.link(a)).collect();
        let where_ = match addresses.len() {
            0 => "running, no published ports".to_owned(),
            _ => addresses.join("  "),
        };
        // All that an edge stands before are reached in one place.
        match lines.last_mut() {
            Some((name, at, count)) if *name == service.service && *at == where_ => *count += 1,
            _ => lines.push((service.service.as_str(), where_, 1)),
        }
    }
    let lines = lines.into_iter().map(|(name, where_, count)| {
        let several = match count {
            1 => String::new(),
            _ => format!("  {}", style.dim(format!("{count} containers"))),
        };
        format!("  {name:<0$}  {where_}{several}\n", width.unwrap_or(0))
    });
    lines.collect()
}

/// What a watcher tells, as a line with its time.
fn watch_line(told: &WatchEvent, style: Styles) -> String {
    let time = style.dim(told.time.strftime("%F %T"));
    let who = told.container.as_ref().or(told.service.as_ref());
    let who = who.map_or_else(String::new, |who| format!("{} ", style.bold(who)));
    let what = printable(&told.news.to_string()).replace('\n', " ");
    let what = match told.news.weight() {
        Weight::Plain => what,
        Weight::Good => style.good(what),
        Weight::Odd => style.odd(what),
        Weight::Bad => style.bad(what),
    };
    format!("{time} {who}{what}")
}

impl Reporter for ProgressReporter {
    fn report(&self, event: Event) {
        let quiet = self.verbosity == Verbosity::Quiet;
        let style = self.style;
        match event {
            Event::Warning { message, help } => {
                self.line(&format!(
                    "{} {}",
                    style.odd("warning:"),
                    printable(&message)
                ));
                if let Some(help) = help {
                    self.line(&format!("  {} {}", style.good("help:"), printable(&help)));
                }
            }
            Event::Lock { news, holder } => {
                let holder = holder.unwrap_or_else(|| "by somebody".to_owned());
                let words = match news {
                    LockStep::Waiting => "waiting for the lock, which is held",
                    LockStep::Watching => {
                        "no sign of life for long, watching the lock, which is held"
                    }
                    LockStep::TakenOver => "took over the lock that was held",
                };
                let sign = style.dim("·");
                self.line(&format!("  {sign} {words} {}", printable(&holder)));
            }
            Event::ContainerOutput { container, lines } => {
                let count = match lines.len() {
                    0 => "it wrote nothing".to_owned(),
                    count => format!("its last {count} lines"),
                };
                self.line(&format!("  {} {container}: {count}", style.bad("✗")));
                for line in &lines {
                    self.line(&format!("    {} {}", style.dim("│"), printable(line)));
                }
            }
            Event::RolledBack {
                service, running, ..
            } => {
                let what = match running {
                    Some(container) => format!("{service}: rolled back, {container} runs"),
                    None => format!("{service}: taken back; nothing ran before"),
                };
                self.line(&format!("  {} {what}", style.odd("↩")));
            }
            Event::Watch(told) => {
                let matters = matches!(told.news.weight(), Weight::Odd | Weight::Bad);
                if matters || !quiet {
                    self.line(&watch_line(&told, style));
                }
            }
            _ if quiet => {}
            Event::PluginsLoaded { plugins, took } => {
                let names: Vec<_> = plugins
                    .iter()
                    .map(|plugin| {
                        let compiled = if plugin.compiled { " (compiled)" } else { "" };
                        format!("{}{compiled}", style.plugin(&plugin.name))
                    })
                    .collect();
                let took = style.dim(time(took));
                let sign = style.good("✔");
                self.line(&format!("  {sign} plugins {} {took}", names.join(", ")));
            }
            Event::Bases { policy } => {
                for line in policy_lines(&policy, style) {
                    self.line(&format!("  {line}"));
                }
            }
            Event::BaseLocked {
                base,
                version,
                digest,
            } => {
                let base = format!("base {}", printable(&base));
                self.locked(&base, version.as_deref(), &digest);
            }
            Event::Download { what, done, total } => self.download(&what, done, total),
            Event::PluginLocked {
                plugin,
                version,
                digest,
            } => {
                self.locked(&style.plugin(&plugin), version.as_deref(), &digest);
            }
            Event::PluginLog(record) => self.plugin_log(&record),
            Event::Planned { plan, changes } => {
                if !plan.is_empty() || self.verbosity > Verbosity::Normal {
                    let text = render_plan(&plan, &changes, style, self.verbosity);
                    self.line(text.trim_end());
                }
            }
            Event::StepStarted {
                step,
                operation,
                service,
                object,
            } => {
                let words = [Some(operation.to_owned()), service.clone(), object];
                let words: Vec<String> = words.into_iter().flatten().collect();
                self.begin(step, words.join(" "), service);
            }
            Event::StepProgress { step, done, total } => self.progress(step, done, total),
            Event::StepOutput { step, line } => self.output(step, &line),
            Event::StepFinished { step, took, detail } => {
                self.end(step, &style.good("✔"), took, detail.as_deref());
            }
            Event::StepFailed { step, took } => self.end(step, &style.bad("✗"), took, None),
            Event::Finished {
                outcome,
                release,
                rollback_to,
                took,
                ..
            } => self.finished(outcome, &release, rollback_to.as_deref(), took),
        }
    }
}

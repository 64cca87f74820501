//! What a deploy looks like while it goes on: one line a step, with its time.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::text::time;
use super::{Styles, Verbosity, printable, render_plan};
use crate::deploy::{Event, Outcome, Reporter, ServiceSummary};
use crate::plugin::{Level, LogRecord};

pub struct ProgressReporter {
    style: Styles,
    verbosity: Verbosity,
    /// The line that moves, on a terminal.
    spinner: Option<ProgressBar>,
    /// What the step that goes on is called.
    step: Mutex<String>,
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
            step: Mutex::default(),
        }
    }

    fn line(&self, line: &str) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(|| write(line)),
            None => write(line),
        }
    }

    fn begin(&self, step: String) {
        if let Some(spinner) = &self.spinner {
            spinner.reset();
            spinner.set_message(step.clone());
            spinner.enable_steady_tick(Duration::from_millis(100));
        }
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    fn end(&self, sign: &str, took: Duration, detail: Option<&str>) {
        if let Some(spinner) = &self.spinner {
            spinner.disable_steady_tick();
            spinner.finish_and_clear();
        }
        let step = std::mem::take(&mut *self.step.lock().unwrap_or_else(PoisonError::into_inner));
        let detail = detail.map_or_else(String::new, |detail| format!(" {detail}"));
        let took = self.style.dim(time(took));
        write(&format!("  {sign} {step}{detail} {took}"));
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

    fn finished(&self, outcome: Outcome, release: &str, took: Duration) {
        let took = self.style.dim(format_args!("in {}", time(took)));
        match outcome {
            Outcome::Succeeded => {
                let sign = self.style.good("✔");
                self.line(&format!("{sign} deployed release {release} {took}"));
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

fn write(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Where services answer: the result of a deploy.
pub fn render_services(services: &[ServiceSummary], style: Styles) -> String {
    let width = services.iter().map(|service| service.service.len()).max();
    let lines = services.iter().map(|service| {
        let addresses: Vec<_> = service.addresses.iter().map(|a| style.link(a)).collect();
        let where_ = match addresses.len() {
            0 => "running, no published ports".to_owned(),
            _ => addresses.join("  "),
        };
        format!("  {:<1$}  {where_}\n", service.service, width.unwrap_or(0))
    });
    lines.collect()
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
            Event::PluginLog(record) => self.plugin_log(&record),
            Event::Planned { plan, changes } => {
                if !plan.is_empty() || self.verbosity > Verbosity::Normal {
                    let text = render_plan(&plan, &changes, style, self.verbosity);
                    self.line(text.trim_end());
                }
            }
            Event::StepStarted {
                operation,
                service,
                object,
                ..
            } => {
                let words = [Some(operation.to_owned()), service, object];
                let words: Vec<String> = words.into_iter().flatten().collect();
                self.begin(words.join(" "));
            }
            Event::StepOutput { line, .. } => {
                for line in printable(&line).lines() {
                    self.line(&format!("    {} {}", style.dim("│"), style.dim(line)));
                }
            }
            Event::StepFinished { took, detail, .. } => {
                self.end(&style.good("✔"), took, detail.as_deref());
            }
            Event::StepFailed { took, .. } => self.end(&style.bad("✗"), took, None),
            Event::Finished {
                outcome,
                release,
                took,
                ..
            } => self.finished(outcome, &release, took),
        }
    }
}

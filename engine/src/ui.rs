//! What a person, a pipe or a program sees: the only code that prints.

mod json;
mod live;
mod plan;
mod policy;
mod progress;
mod release;
mod safe;
mod style;
mod text;

use std::io::{IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::deploy::{Event, RedactingReporter, Reporter};
use crate::docker::LogStream;
use crate::secrets::Redactor;
use json::JsonReporter;
use progress::ProgressReporter;

pub use live::{Live, LiveReporter};
pub use plan::render_plan;
pub use policy::{base as render_base, changed as render_override, policy_comments};
pub use progress::render_services;
pub use release::{render_diff, render_history, render_release};
pub use style::Styles;
pub use text::{columns, printable, table, time};

/// How much is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Results and errors.
    Quiet,
    /// What happens.
    #[default]
    Normal,
    /// Also what plugins changed and logged, in full.
    Verbose,
}

/// Where output goes and how it looks. Results go to standard output, all else to standard
/// error.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    json: bool,
    verbosity: Verbosity,
    out: Styles,
    err: Styles,
    live: bool,
    /// Shared by all copies, and set once plugins.toml is read.
    redactor: &'static OnceLock<Redactor>,
}

impl Ui {
    /// Looks at the standard streams and the environment: colours only on a terminal, and not
    /// if `NO_COLOR` is set (<https://no-color.org>) or the terminal is dumb.
    pub fn new(json: bool, verbosity: Verbosity) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let colour = |terminal: bool| terminal && !set("NO_COLOR") && !dumb;
        let err_terminal = std::io::stderr().is_terminal();
        Self {
            json,
            verbosity,
            out: Styles::new(colour(std::io::stdout().is_terminal())),
            err: Styles::new(colour(err_terminal)),
            live: err_terminal && !dumb,
            // There is one for a process, and it lives as long.
            redactor: Box::leak(Box::default()),
        }
    }

    /// From here on takes secrets out of all that is printed.
    pub fn hide(self, redactor: Redactor) {
        // Only one plugins.toml is read.
        let _ = self.redactor.set(redactor);
    }

    fn redactor(self) -> Redactor {
        self.redactor.get().cloned().unwrap_or_default()
    }

    /// True if every line of standard output is to be a JSON object.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// How much is said.
    pub fn verbosity(self) -> Verbosity {
        self.verbosity
    }

    /// Styles for standard output.
    pub fn styles(self) -> Styles {
        self.out
    }

    /// Who shows what a deploy tells.
    pub fn reporter(self) -> Arc<dyn Reporter> {
        let inner: Arc<dyn Reporter> = if self.json {
            Arc::new(JsonReporter)
        } else {
            Arc::new(ProgressReporter::new(self.err, self.verbosity, self.live))
        };
        let redactor = self.redactor();
        Arc::new(RedactingReporter { inner, redactor })
    }

    /// True if a person sits at a terminal that can be drawn on, and wants to see what goes on.
    pub fn can_show(self) -> bool {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        terminal && !dumb && !self.json && self.verbosity > Verbosity::Quiet
    }

    /// Hands what a deploy tells on to a view, without the secrets in it.
    pub fn live_reporter(self, to: mpsc::UnboundedSender<Event>) -> Arc<dyn Reporter> {
        Arc::new(RedactingReporter {
            inner: Arc::new(LiveReporter(to)),
            redactor: self.redactor(),
        })
    }

    /// Writes a result.
    pub fn result(self, text: &str) {
        print(&self.redactor().redact(text));
    }

    /// Writes a result as one line of JSON.
    pub fn json(self, value: &impl Serialize) {
        // Types of ours, with string keys: they always serialise.
        if let Ok(text) = serde_json::to_string(value) {
            print(&json::clean(&text, &self.redactor()));
        }
    }

    /// Writes what a process in a container wrote, as it is: it is the person's own, who asked to
    /// be connected to it. False if there is nobody to read it any more.
    pub fn pass(self, stream: LogStream, bytes: &[u8]) -> bool {
        fn write(mut to: impl Write, bytes: &[u8]) -> std::io::Result<()> {
            to.write_all(bytes)?;
            to.flush()
        }
        match stream {
            LogStream::Stdout => write(std::io::stdout(), bytes),
            LogStream::Stderr => write(std::io::stderr(), bytes),
        }
        .is_ok()
    }

    /// Standard output, for a server whose lines are its own.
    pub fn lines(self) -> Box<dyn Write + Send> {
        Box::new(std::io::stdout())
    }

    /// Why some of what was to be written to standard output is not there, if that is so.
    pub fn lost(self) -> Option<&'static str> {
        LOST.get().map(String::as_str)
    }

    /// Writes a remark for people; nothing if quiet or with `--json`.
    pub fn note(self, text: &str) {
        if !self.json && self.verbosity > Verbosity::Quiet {
            let _ = writeln!(std::io::stderr(), "{}", self.redactor().redact(text));
        }
    }

    /// Asks a person; `None` if there is none to ask, or a program reads along.
    pub fn confirm(self, question: &str) -> Option<bool> {
        if self.json || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        let _ = write!(std::io::stderr(), "{question} [y/N] ");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).ok()?;
        let answer = line.trim().to_lowercase();
        Some(matches!(answer.as_str(), "y" | "yes"))
    }

    /// Writes an error: what happened, where, and what to do about it.
    pub fn error(self, error: &dyn Diagnostic) {
        let redactor = self.redactor();
        let text = self.render_error(error, &redactor);
        if self.json {
            let safe = |text: String| redactor.redact(&text).into_owned();
            let object = serde_json::json!({
                "event": "error",
                "message": safe(error.to_string()),
                "help": error.help().map(|help| safe(help.to_string())),
            });
            print(&object.to_string());
        }
        let _ = write!(std::io::stderr(), "{text}");
    }

    fn render_error(self, error: &dyn Diagnostic, redactor: &Redactor) -> String {
        let safe = |text: String| printable(&redactor.redact(&text));
        let mut text = String::new();
        if error.source_code().is_some() || error.related().is_some() {
            let theme = if self.err.coloured() {
                GraphicalTheme::unicode()
            } else {
                GraphicalTheme::unicode_nocolor()
            };
            let handler = GraphicalReportHandler::new_themed(theme)
                .with_width(terminal_width())
                .with_links(false);
            let copy = safe::Safe::of(error, redactor);
            if handler.render_report(&mut text, &copy).is_ok() {
                return redactor.redact(&text).into_owned();
            }
            text.clear();
        }
        let bad = self.err.bad("error:");
        text.push_str(&format!("{bad} {}\n", safe(error.to_string())));
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!("  caused by: {}\n", safe(cause.to_string())));
            source = cause.source();
        }
        if let Some(help) = error.help() {
            let word = self.err.good("help:");
            text.push_str(&format!("{word} {}\n", safe(help.to_string())));
        }
        text
    }
}

fn terminal_width() -> usize {
    const NARROWEST: usize = 60;
    const WIDEST: usize = 120;
    let columns = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    columns.unwrap_or(100usize).clamp(NARROWEST, WIDEST)
}

/// Why not all of standard output could be written, where that is told to nobody else.
static LOST: OnceLock<String> = OnceLock::new();

fn print(text: &str) {
    let newline = if text.ends_with('\n') || text.is_empty() {
        ""
    } else {
        "\n"
    };
    let written = write_all(&mut std::io::stdout().lock(), &[text, newline]);
    if let Err(error) = written {
        // Who comes first says why; what comes after it is lost, too.
        let _ = LOST.set(error.to_string());
    }
}

/// Standard output may be closed, as by `| head`: that is no error of ours.
fn write_all(out: &mut impl Write, texts: &[&str]) -> std::io::Result<()> {
    let written = texts
        .iter()
        .try_for_each(|text| out.write_all(text.as_bytes()));
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_no_more_is_no_error_and_a_full_disk_is_one() {
        struct Out(std::io::ErrorKind);
        impl Write for Out {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let write = |kind| write_all(&mut Out(kind), &["text", "\n"]);
        assert!(write(std::io::ErrorKind::BrokenPipe).is_ok());
        assert!(write(std::io::ErrorKind::StorageFull).is_err());
    }
}

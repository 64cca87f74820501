//! The person's terminal, connected to a process in a container.

use std::io::IsTerminal;

use futures_util::StreamExt;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::io::AsyncWriteExt;
use tokio::signal::unix::{SignalKind, signal};

use super::error::CliError;
use crate::docker::{Session, Wiring};
use crate::ui::Ui;

/// A terminal that hands over each key as it is pressed, until this is dropped.
struct Raw(Termios);

impl Raw {
    fn new() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.0);
    }
}

/// How to connect, as Docker's own commands do: a terminal where there is one, unless that is not
/// wanted.
pub fn wiring(no_tty: bool, no_stdin: bool) -> Wiring {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    Wiring {
        tty: terminal && !no_tty,
        stdin: !no_stdin,
    }
}

/// Passes on what is typed and what is written until the process ends; gives its exit code.
/// `begin` is done once all is connected.
pub async fn connect(
    mut session: Session,
    wiring: Wiring,
    begin: impl Future<Output = Result<(), CliError>>,
    ui: Ui,
) -> Result<i64, CliError> {
    let _raw = match wiring.tty {
        true => Raw::new(),
        false => None,
    };
    let resize = session.resizer();
    let resized = async {
        if !wiring.tty {
            return std::future::pending::<()>().await;
        }
        let Ok(mut changes) = signal(SignalKind::window_change()) else {
            return std::future::pending().await;
        };
        loop {
            if let Ok(size) = tcgetwinsize(std::io::stdout()) {
                resize(size.ws_col, size.ws_row).await;
            }
            changes.recv().await;
        }
    };
    let input = &mut session.input;
    let typed = async {
        if wiring.stdin {
            let _ = tokio::io::copy(&mut tokio::io::stdin(), input).await;
        }
        // The process sees the end of its input.
        let _ = input.shutdown().await;
        std::future::pending::<()>().await;
    };
    let output = &mut session.output;
    let written = async {
        while let Some(piece) = output.next().await {
            let (stream, bytes) = piece?;
            if !ui.pass(stream, &bytes) {
                break;
            }
        }
        Ok::<_, CliError>(())
    };
    let work = async {
        begin.await?;
        written.await
    };
    tokio::select! {
        result = work => result?,
        () = typed => {}
        () = resized => {}
    }
    Ok(session.exit_code().await?)
}

/// `NAME=VALUE`, or `NAME` with the value that rengine itself sees.
pub fn variable(text: &str) -> Result<(String, String), CliError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        None if !text.is_empty() => {
            let value = std::env::var(text).unwrap_or_default();
            Ok((text.to_owned(), value))
        }
        _ => Err(CliError::Malformed {
            text: text.to_owned(),
            what: "variable",
            help: "write NAME=VALUE, or NAME for the value that is set here",
        }),
    }
}

//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::error::CliError;
use crate::deploy::{DeployError, ExitCode};
use crate::ui::Ui;

/// A token that is cancelled at the first SIGINT or SIGTERM. At the second the process ends at
/// once, and the next deploy clears what is left.
pub fn on_signal(ui: Ui) -> CancellationToken {
    let token = CancellationToken::new();
    let cancel = token.clone();
    // From here on, and not from when the task gets to it.
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return token;
    };
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first {
                ui.note("interrupted: taking back what was begun, if it has not taken over yet; once more to stop at once");
                cancel.cancel();
            }
        }
        std::process::exit(i32::from(ExitCode::Interrupted as u8));
    });
    token
}

/// What comes of work that has begun nothing yet, unless the token is cancelled before: then there is nothing to wait for.
pub async fn unless<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    tokio::select! {
        done = work => done,
        () = cancel.cancelled() => Err(DeployError::Interrupted.into()),
    }
}

/// A token that is cancelled at the first SIGINT or SIGTERM, for what goes on until then. At the
/// second the process ends at once.
pub fn on_stop(ui: Ui) -> CancellationToken {
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        terminated().await;
        ui.note("stopping: what was begun is brought to its end; once more to stop at once");
        stop.cancel();
        terminated().await;
        std::process::exit(i32::from(ExitCode::Interrupted as u8));
    });
    token
}

/// Ends at the first SIGINT or SIGTERM, for a process that ends what it has begun by itself.
pub async fn terminated() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

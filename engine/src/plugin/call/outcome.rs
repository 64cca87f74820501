//! What came of a call.

use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::ResourceTableError;

use super::{CallContext, State};
use crate::plugin::limits::{Exceeded, MAX_REASON_BYTES};
use crate::plugin::log::Level;
use crate::plugin::{Hook, PluginError, Settings};

/// Tells a limit from a breakage, and adds what the guest wrote to standard error.
pub fn outcome<T>(
    settings: &Settings,
    hook: Hook,
    context: &CallContext,
    mut store: Store<State>,
    done: Result<wasmtime::Result<T>, tokio::time::error::Elapsed>,
) -> Result<T, PluginError> {
    let printed = store.data().printed();
    let printed = String::from_utf8_lossy(&printed);
    let printed = settings.redactor.redact(&printed);
    let done = match store.data().http.exceeded() {
        // The guest may have taken it for a trouble of the network.
        Some(limit) => Ok(Err(limit.into())),
        None => done,
    };
    let (plugin, service) = (settings.name.clone(), context.service.clone());
    match done {
        Ok(Ok(value)) => {
            let State { limiter, log, .. } = store.data_mut();
            for line in printed.lines() {
                // Printing is no reason to fail: what is more than can be logged is dropped.
                if limiter.log(line.len()).is_err() {
                    break;
                }
                log.log(Level::Debug, "output".to_owned(), line.to_owned());
            }
            Ok(value)
        }
        Ok(Err(error)) => Err(match exceeded(&error) {
            Some(cause) => PluginError::Limit {
                help: limit_help(&cause, &plugin),
                plugin,
                hook,
                service,
                cause,
            },
            None => PluginError::Failed {
                plugin,
                hook,
                service,
                cause: failure(&error, &printed),
            },
        }),
        Err(_) => Err(PluginError::Timeout {
            plugin,
            hook,
            service,
            limit: settings.timeout.max(Duration::from_millis(1)),
        }),
    }
}

/// The limit that ended a call, if one did.
pub fn exceeded(error: &wasmtime::Error) -> Option<Exceeded> {
    if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        return Some(exceeded.clone());
    }
    let full = matches!(
        error.downcast_ref::<ResourceTableError>(),
        Some(ResourceTableError::Full)
    );
    full.then_some(Exceeded::Handles)
}

pub fn limit_help(cause: &Exceeded, plugin: &str) -> Option<String> {
    let (key, table) = cause.setting()?;
    Some(format!(
        "if it needs more, raise `{key}` under [plugins.{plugin}{table}] in plugins.toml"
    ))
}

/// Why a call broke: the trap's own words, and the last lines of standard error, which hold
/// the panic's or exception's message in most languages.
pub fn failure(error: &wasmtime::Error, printed: &str) -> String {
    const LAST_LINES: usize = 12;
    const MAX_LINE_BYTES: usize = 1 << 10;
    let root = bounded(error.root_cause().to_string());
    let mut text = match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::UnreachableCodeReached) => {
            "it trapped: it gave up (unreachable code, as after a panic)".to_owned()
        }
        Some(wasmtime::Trap::StackOverflow) => "it trapped: its call stack overflowed".to_owned(),
        Some(trap) => format!("it trapped: {trap}"),
        None => root,
    };
    let lines: Vec<&str> = printed.lines().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(LAST_LINES)) {
        text.push_str("\n  | ");
        text.push_str(cut(line, MAX_LINE_BYTES).as_deref().unwrap_or(line));
    }
    text
}

/// A text for people: a plugin that hands over a novel is not to fill their screens.
pub fn bounded(text: String) -> String {
    cut(&text, MAX_REASON_BYTES).unwrap_or(text)
}

/// The beginning of a text that is longer than `limit`.
fn cut(text: &str, limit: usize) -> Option<String> {
    let start = &text[..text.floor_char_boundary(limit)];
    (start.len() < text.len()).then(|| format!("{start}… ({} bytes)", text.len()))
}

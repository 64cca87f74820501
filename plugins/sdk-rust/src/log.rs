//! Messages for the person who deploys.
//!
//! rengine shows them under the plugin's name. From `info!` up they are shown always; `debug!` and
//! `trace!` are for following what the plugin does.
//!
//! ```
//! use rengine_plugin::log;
//!
//! let port = 8080;
//! log::info!("listening on {port}");
//! ```

pub use crate::bindings::wasi::logging::logging::Level;
pub use crate::{critical, debug, error, info, trace, warn};

/// Writes one message. The macros are shorter.
///
/// Outside of a component, in a test, it goes to standard error.
pub fn write(level: Level, message: &str) {
    if cfg!(target_arch = "wasm32") {
        crate::bindings::wasi::logging::logging::log(level, "", message);
    } else {
        eprintln!("{level:?}: {message}");
    }
}

/// Logs what is only for following the plugin step by step.
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Trace, &::std::format!($($message)+))
    };
}

/// Logs what is only for debugging the plugin.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Debug, &::std::format!($($message)+))
    };
}

/// Logs what everybody who deploys should see.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Info, &::std::format!($($message)+))
    };
}

/// Logs that something may be wrong.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Warn, &::std::format!($($message)+))
    };
}

/// Logs that something is wrong.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Error, &::std::format!($($message)+))
    };
}

/// Logs that the plugin can't go on.
#[macro_export]
macro_rules! critical {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Critical, &::std::format!($($message)+))
    };
}

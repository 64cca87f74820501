//! Commands in the container.

use std::time::Duration;

use crate::bindings::granted::rengine::plugin::exec;
use crate::{ExecOutcome, RunningContainer};

impl RunningContainer {
    /// Runs a program with its arguments in the container, and waits for it, 10 s at most. Needs
    /// the grant `exec`.
    ///
    /// # Errors
    ///
    /// In words, if it can't be started or takes too long. That it ends with another status than
    /// 0 is no error.
    pub fn exec<T: Into<String>>(
        &self,
        command: impl IntoIterator<Item = T>,
    ) -> Result<ExecOutcome, String> {
        self.exec_within(command, None)
    }

    /// The same, with another time to wait; 10 s if `None`.
    ///
    /// # Errors
    ///
    /// As of [`exec`](Self::exec).
    pub fn exec_within<T: Into<String>>(
        &self,
        command: impl IntoIterator<Item = T>,
        time: impl Into<Option<Duration>>,
    ) -> Result<ExecOutcome, String> {
        let command: Vec<String> = command.into_iter().map(Into::into).collect();
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        exec::run(self, &command, time.into().map(millis))
    }
}

impl ExecOutcome {
    /// True if the command ended with status 0.
    pub fn is_success(&self) -> bool {
        self.exit_code == 0
    }
}

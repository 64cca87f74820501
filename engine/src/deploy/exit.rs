//! What commands end with.

/// What a command ends with. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// It is done.
    Done = 0,
    /// It failed; what ran before runs on.
    Failed = 1,
    /// The input or the usage is wrong; nothing was touched.
    BadInput = 2,
    /// A plugin refused, or broke; what ran before runs on.
    Refused = 3,
    /// The daemon can't be reached.
    Unreachable = 4,
    /// Another deploy of the app is going on.
    Locked = 5,
    /// It was interrupted; what ran before runs on. Stopped at once, by a second signal, it leaves the
    /// old release or the new one, and the next deploy clears up.
    Interrupted = 130,
}

impl ExitCode {
    /// Every code with its meaning, for the help text and the documentation.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Done, "done"),
        (Self::Failed, "failed; what ran before runs on"),
        (Self::BadInput, "bad input or usage; nothing was touched"),
        (Self::Refused, "refused by a plugin, or a plugin failed"),
        (Self::Unreachable, "the daemon can't be reached"),
        (Self::Locked, "locked by another deploy of the app"),
        (
            Self::Interrupted,
            "interrupted; what ran before runs on, unless stopped at once",
        ),
    ];
}

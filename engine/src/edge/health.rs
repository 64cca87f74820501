//! Whether a target is well: a state and what moves it.

use super::defaults::CHECK_FAILURES;

/// What is known of a target. A new one is taken to be well: who names it has seen it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    reachable: bool,
    failed_checks: u32,
}

/// What happened to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It took a connection.
    Connected,
    /// It took none.
    Refused,
    /// It answered a check as it should.
    Passed,
    /// It did not.
    Failed,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            reachable: true,
            failed_checks: 0,
        }
    }
}

impl Health {
    /// True if it may get something new.
    pub fn is_well(self) -> bool {
        self.reachable && self.failed_checks < CHECK_FAILURES
    }

    /// True if it takes connections, as far as is known.
    pub fn is_reachable(self) -> bool {
        self.reachable
    }

    /// The state after something was seen. One connection that is refused takes a target out, since
    /// all others would be, too; of checks it takes several, which may be slow for once.
    pub fn after(self, seen: Seen) -> Self {
        let mut next = self;
        match seen {
            Seen::Connected => next.reachable = true,
            Seen::Refused => next.reachable = false,
            Seen::Passed => {
                next.failed_checks = 0;
                next.reachable = true;
            }
            Seen::Failed => {
                next.failed_checks = self.failed_checks.saturating_add(1).min(CHECK_FAILURES);
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(events: &[Seen]) -> bool {
        let health = events
            .iter()
            .fold(Health::default(), |health, seen| health.after(*seen));
        health.is_well()
    }

    #[test]
    fn a_target_is_taken_out_and_comes_back() {
        use Seen::*;
        assert!(after(&[]));
        assert!(!after(&[Refused]));
        assert!(after(&[Refused, Connected]));
        assert!(after(&[Failed, Failed]));
        assert!(!after(&[Failed, Failed, Failed]));
        assert!(after(&[Failed, Failed, Passed, Failed]));
        assert!(
            !after(&[Failed, Failed, Failed, Connected]),
            "it has to pass a check"
        );
        assert!(after(&[Failed, Failed, Failed, Failed, Passed]));
        assert!(after(&[Refused, Passed]), "a check is a connection, too");
        assert!(!after(&[Refused, Failed]));
    }
}

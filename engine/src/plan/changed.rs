//! Where what is there and what is wanted differ.

use super::observed::{ContainerState, ObservedContainer, ObservedNetwork, ObservedVolume};
use super::{Cause, Difference};
use crate::app::Fields;

/// The fields that differ.
pub fn changed(old: &Fields, new: &Fields) -> Cause {
    // Without the old values every field would look new.
    let differences = if old.is_empty() {
        Vec::new()
    } else {
        old.differences(new)
            .map(|(field, old, new)| Difference {
                field: field.to_owned(),
                old: old.map(str::to_owned),
                new: new.map(str::to_owned),
                plugins: Vec::new(),
            })
            .collect()
    };
    Cause::Changed { differences }
}

impl ObservedContainer {
    /// What a new container's name ends in until it has proven healthy.
    pub const CANDIDATE_SUFFIX: &'static str = ".candidate";
    /// What the name of an old container ends in whose name the new one gets.
    pub const ASIDE_SUFFIX: &'static str = ".old";

    /// True if it was made by a deploy that did not finish: a name is changed atomically, and
    /// so is the mark of what a deploy has proven.
    pub fn is_candidate(&self) -> bool {
        self.name.ends_with(Self::CANDIDATE_SUFFIX)
    }

    /// True if nothing says that a deploy has found it to be well. One that the edge sends requests
    /// has been, though the deploy ended before it had its name.
    pub fn is_unproven(&self) -> bool {
        self.is_candidate() && !self.routed
    }

    /// True if it runs, and has been found to be well by the deploy that made it.
    pub fn serves(&self) -> bool {
        self.is_running() && !self.is_unproven()
    }

    /// Its name once it is no candidate any more.
    pub fn final_name(&self) -> &str {
        let name = self.name.as_str();
        name.strip_suffix(Self::CANDIDATE_SUFFIX).unwrap_or(name)
    }

    /// False if it has a health check that has not gone well yet, by the daemon's words.
    pub fn is_well(&self) -> bool {
        !["(health: starting)", "(unhealthy)"]
            .iter()
            .any(|words| self.status.contains(words))
    }

    /// True if its process is there.
    pub fn is_running(&self) -> bool {
        matches!(
            self.state,
            ContainerState::Running | ContainerState::Restarting | ContainerState::Paused
        )
    }
}

impl ObservedNetwork {
    /// True if it was made from something else. Of what another tool made nothing is known.
    pub fn is_changed(&self, inputs: &Fields) -> bool {
        !self.inputs.is_empty() && self.inputs != *inputs
    }
}

impl ObservedVolume {
    /// True if it was made from something else. Of what another tool made nothing is known.
    pub fn is_changed(&self, inputs: &Fields) -> bool {
        !self.inputs.is_empty() && self.inputs != *inputs
    }
}

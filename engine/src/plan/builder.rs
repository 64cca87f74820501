//! Puts operations together: each with what it has to wait for.

use super::{Cause, Operation, OperationKind};
use crate::app::Name;

/// The place of an operation in its plan.
pub type Step = usize;

/// Operations, each after those that it waits for.
#[derive(Debug, Default)]
pub struct Builder {
    operations: Vec<Operation>,
}

/// Whose an operation is.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    pub service: Option<&'a Name>,
    pub replica: u32,
    pub plugins: &'a [String],
}

impl Owner<'_> {
    /// The app's as a whole.
    pub const APP: Self = Self {
        service: None,
        replica: 0,
        plugins: &[],
    };
}

impl Builder {
    pub fn push(
        &mut self,
        owner: Owner<'_>,
        kind: OperationKind,
        cause: Cause,
        after: impl IntoIterator<Item = Step>,
    ) -> Step {
        let mut after: Vec<Step> = after.into_iter().collect();
        after.sort_unstable();
        after.dedup();
        self.operations.push(Operation {
            service: owner.service.cloned(),
            replica: owner.replica,
            plugins: owner.plugins.to_vec(),
            kind,
            cause,
            after,
        });
        self.operations.len() - 1
    }

    pub fn into_operations(self) -> Vec<Operation> {
        self.operations
    }
}

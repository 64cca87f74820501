//! Containers that are replaced a few at a time.

use super::super::builder::{Builder, Step};
use super::super::edge::{Edges, Moved};
use super::super::observed::ObservedContainer;
use super::super::planner::Gate;
use super::super::resources::Resources;
use super::super::{Cause, OperationKind};
use super::{Before, Fate, ServicePlan, stop, target_name};
use crate::app::{Batches, Canary, Strategy};

/// How many containers are replaced at a time: so many more than there are to be, and so many less.
pub(super) struct Pace<'a> {
    pub sizes: (usize, usize),
    pub resources: &'a Resources,
}

impl<'a> ServicePlan<'a> {
    /// How many of its containers are replaced at a time: so many more than there are to be, and so
    /// many less. `None` for all at once, as it is where nothing would be gained.
    pub(super) fn batches(&self, places: &[Fate<'_>], edges: &Edges<'_>) -> Option<(usize, usize)> {
        let batches = self.service.batches.as_ref()?;
        let alone = matches!(
            self.service.strategy,
            Some(Strategy::Recreate | Strategy::Canary(_))
        );
        let all_stop = places
            .iter()
            .any(|fate| matches!(fate, Fate::Replace { stopped, .. } if !stopped.is_empty()));
        let is_job = self.wanted.is_job(&self.service.name);
        if alone || all_stop || is_job || !self.can_run_beside() {
            return None;
        }
        if self.service.edge.is_some() && !edges.can_share(self.service) {
            return None;
        }
        let (surge, missing) = batches.of(self.service.replicas as usize);
        let count = places.iter().filter(|fate| serving(fate).is_some()).count();
        (missing > 0 && count > 0 || count > surge).then_some((surge, missing))
    }

    /// Replaces containers a few at a time. Those of the last batch get requests, and the old ones in
    /// their places are stopped, with all that is new in the app; until then all of it can be taken
    /// back, and what is stopped is kept.
    pub(super) fn in_batches(
        &mut self,
        places: &mut [Fate<'a>],
        pace: Pace<'_>,
        before: &Before<'_>,
        edges: &mut Edges<'_>,
        gate: &mut Gate,
        builder: &mut Builder,
    ) {
        let Pace {
            sizes: (surge, missing),
            resources,
        } = pace;
        let (serving, vacant): (Vec<usize>, Vec<usize>) = (0..places.len())
            .filter(|&at| matches!(places[at], Fate::Replace { .. }))
            .partition(|&at| serving(&places[at]).is_some());
        let mut batches: Vec<Vec<usize>> = serving
            .chunks(surge + missing)
            .map(<[usize]>::to_vec)
            .collect();
        let gone_first = batches.iter().flat_map(|batch| {
            let first = batch.len().saturating_sub(surge);
            batch.iter().take(first).copied()
        });
        let gone_first: Vec<usize> = gone_first.collect();
        // Where nothing is yet nothing has to wait.
        if let Some(first) = batches.first_mut() {
            first.extend(vacant);
        }
        let last = batches.len().saturating_sub(1);
        let mut turn: Vec<Step> = Vec::new();
        for (number, batch) in batches.iter().enumerate() {
            let (first, rest): (Vec<usize>, Vec<usize>) =
                batch.iter().partition(|at| gone_first.contains(at));
            if !first.is_empty() {
                // Until their successors are well, only so many are missing.
                let moved = Moved {
                    out: self.old_targets(places, &first),
                    ..Moved::default()
                };
                let shifted = self.shift(moved, &turn, resources, edges, builder);
                turn = self.stop_old(places, &first, &shifted, builder);
            }
            let mut well = Vec::new();
            for &at in batch {
                let fate = &mut places[at];
                well.extend(self.replace(fate, replica(at), before, &turn, gate, builder));
            }
            let wait = self
                .service
                .batches
                .map(|batches: Batches| batches.min_ready);
            if let Some(time) = wait.filter(|time| !time.is_zero()) {
                let kind = OperationKind::Settle {
                    time,
                    replicas: batch.iter().map(|&at| replica(at)).collect(),
                };
                let settled = self.push(builder, 0, kind, Cause::InBatches, well);
                gate.acted.push(settled);
                well = vec![settled];
            }
            if number == last {
                break;
            }
            let moved = Moved {
                out: self.old_targets(places, &rest),
                add: batch
                    .iter()
                    .map(|&at| self.new_target(replica(at)))
                    .collect(),
                share: None,
            };
            let shifted = self.shift(moved, &well, resources, edges, builder);
            turn = self.stop_old(places, &rest, &shifted, builder);
            turn.extend(shifted);
        }
    }

    fn shift(
        &self,
        moved: Moved,
        after: &[Step],
        resources: &Resources,
        edges: &mut Edges<'_>,
        builder: &mut Builder,
    ) -> Vec<Step> {
        if self.service.edge.is_none() {
            return after.to_vec();
        }
        edges.shift(
            self.service,
            &moved,
            Cause::InBatches,
            after,
            resources,
            builder,
        )
    }

    fn stop_old(
        &self,
        places: &mut [Fate<'a>],
        which: &[usize],
        after: &[Step],
        builder: &mut Builder,
    ) -> Vec<Step> {
        let mut all = Vec::new();
        for &at in which {
            let Fate::Replace { old, stopped, .. } = &mut places[at] else {
                continue;
            };
            for old in old.iter().filter(|old| is_serving(old)) {
                let after = after.iter().copied();
                let kind = stop(old);
                stopped.push(self.push(builder, replica(at), kind, Cause::InBatches, after));
            }
            all.extend(stopped.iter().copied());
        }
        all
    }

    fn old_targets(&self, places: &[Fate<'_>], which: &[usize]) -> Vec<String> {
        let old = which.iter().flat_map(|&at| match &places[at] {
            Fate::Replace { old, .. } => old.as_slice(),
            Fate::Keep(_) => &[],
        });
        old.filter_map(|old| old.edge_target.clone()).collect()
    }

    fn new_target(&self, replica: u32) -> String {
        target_name(self.name(), replica, &self.wanted.release)
    }

    /// How its new containers are tried out, and under which names the edge finds them; `None` if
    /// they are not, as where there is nothing to compare them with.
    pub fn trial(&self) -> Option<(Canary, Vec<String>)> {
        let Some(Strategy::Canary(canary)) = self.service.strategy else {
            return None;
        };
        let replaces = |fate: &Fate<'_>| {
            let stops = matches!(fate, Fate::Replace { stopped, .. } if !stopped.is_empty());
            serving(fate).is_some() && !stops
        };
        if !self.places.iter().any(replaces) || self.service.edge.is_none() {
            return None;
        }
        let new = self.places.iter().enumerate();
        let new = new.filter(|(_, fate)| matches!(fate, Fate::Replace { .. }));
        let new = new.map(|(at, _)| self.new_target(replica(at)));
        Some((canary, new.collect()))
    }
}

/// The old container of a place that does its work.
fn serving<'p>(fate: &'p Fate<'_>) -> Option<&'p ObservedContainer> {
    match fate {
        Fate::Replace { old, .. } => old.iter().copied().find(|old| is_serving(old)),
        Fate::Keep(_) => None,
    }
}

fn is_serving(old: &ObservedContainer) -> bool {
    old.is_running() && !old.is_unproven()
}

fn replica(place: usize) -> u32 {
    u32::try_from(place).map_or(u32::MAX, |place| place.saturating_add(1))
}

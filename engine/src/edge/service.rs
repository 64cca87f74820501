//! A service as it is now: who can take the next request, and who waits for one to be able to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::balance::{group, least};
use super::defaults::MAX_HELD;
use super::metrics::ServiceMetrics;
use super::routes::{self, TargetState};
use super::target::{Lease, Target};

/// A service of one table.
#[derive(Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What was asked for.
    pub spec: routes::Service,
    /// Its targets, with what they are to do.
    pub targets: Vec<(Arc<Target>, TargetState)>,
    /// What outlives the table.
    pub gate: Arc<Gate>,
}

/// What a service has through all tables.
#[derive(Debug, Default)]
pub struct Gate {
    /// Rung when a target has become well.
    pub changed: Notify,
    /// What it did so far.
    pub metrics: ServiceMetrics,
    held: AtomicUsize,
    turn: AtomicUsize,
}

impl Gate {
    /// Those who wait.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Takes down one more that waits; `None` if there are too many.
    pub fn hold(self: &Arc<Self>) -> Option<Held> {
        let more = |held| (held < MAX_HELD).then_some(held + 1);
        let taken = self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.ok()?;
        self.metrics.held.fetch_add(1, Ordering::Relaxed);
        Some(Held(self.clone()))
    }
}

/// One that waits, until this is dropped.
#[derive(Debug)]
pub struct Held(Arc<Gate>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Service {
    /// The target that is to take the next request, if one can. Not `avoid`, if there is another.
    pub fn pick(&self, avoid: Option<&Arc<Target>>) -> Option<Lease> {
        let turn = self.gate.turn.fetch_add(1, Ordering::Relaxed);
        let well =
            |target: &Arc<Target>, state| state == TargetState::Active && target.health().is_well();
        // Those that are taken out are better than nobody.
        let leave_out = self.targets.iter().any(|(target, _)| target.is_out()) && {
            let mut targets = self.targets.iter();
            targets.any(|(target, state)| well(target, *state) && !target.is_out())
        };
        let free = |target: &Arc<Target>, state: TargetState, avoid: Option<&Arc<Target>>| {
            let avoided = avoid.is_some_and(|avoid| Arc::ptr_eq(avoid, target));
            let fit = well(target, state) && !avoided && !(leave_out && target.is_out());
            fit.then(|| target.outstanding())
        };
        let place = |avoid| {
            let targets = self.targets.iter();
            least(
                targets.map(move |(target, state)| free(target, *state, avoid)),
                turn,
            )
        };
        // Whose turn it is, where some get a share; if none of them can, all others are as good.
        let of_group = || {
            if self.spec.shares.is_empty() {
                return None;
            }
            let group = group(&self.spec.shares, turn);
            let targets = self.targets.iter().zip(&self.spec.targets);
            let own = targets.map(|((target, state), spec)| {
                // A group without a share gets what is left, with those that are in none.
                let of = spec.group.as_deref();
                let of = of.filter(|of| self.spec.shares.contains_key(*of));
                (of == group).then(|| free(target, *state, avoid)).flatten()
            });
            least(own, turn)
        };
        let place = of_group()
            .or_else(|| place(avoid))
            .or_else(|| avoid.and_then(|_| place(None)))?;
        Some(Lease::new(self.targets[place].0.clone()))
    }

    /// How long something may wait for a target.
    pub fn hold(&self) -> Duration {
        self.spec.hold
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::health::Seen;
    use crate::edge::routes::Protocol;

    fn service(targets: &[(&str, TargetState)]) -> Service {
        let targets = targets.iter().map(|(address, state)| {
            let address = address.parse().expect("an address");
            (Target::new(address, Protocol::Http1, None), *state)
        });
        Service {
            name: "web".to_owned(),
            spec: routes::Service::default(),
            targets: targets.collect(),
            gate: Arc::default(),
        }
    }

    fn name(lease: Option<&Lease>) -> Option<String> {
        lease.map(|lease| lease.target().address.to_string())
    }

    #[test]
    fn only_active_targets_that_are_well_are_picked() {
        let service = service(&[
            ("old:1", TargetState::Draining),
            ("new:1", TargetState::Active),
            ("sick:1", TargetState::Active),
        ]);
        service.targets[2].0.saw(Seen::Refused);
        let leases: Vec<_> = (0..4).map(|_| service.pick(None)).collect();
        for lease in &leases {
            assert_eq!(name(lease.as_ref()).as_deref(), Some("new:1"));
        }
        assert_eq!(service.targets[1].0.outstanding(), 4);
        drop(leases);
        assert_eq!(service.targets[1].0.outstanding(), 0);
        service.targets[1].0.saw(Seen::Refused);
        assert!(service.pick(None).is_none());
    }

    #[test]
    fn one_that_just_failed_is_the_last_choice() {
        let service = service(&[("a:1", TargetState::Active), ("b:1", TargetState::Active)]);
        let a = service.targets[0].0.clone();
        let _busy: Vec<_> = (0..5)
            .map(|_| Lease::new(service.targets[1].0.clone()))
            .collect();
        let picked = service.pick(Some(&a));
        assert_eq!(name(picked.as_ref()).as_deref(), Some("b:1"));
        service.targets[1].0.saw(Seen::Refused);
        let picked = service.pick(Some(&a));
        assert_eq!(name(picked.as_ref()).as_deref(), Some("a:1"));
    }

    #[test]
    fn who_is_taken_out_is_asked_if_nobody_else_can() {
        let service = service(&[("a:1", TargetState::Active), ("b:1", TargetState::Active)]);
        let (a, b) = (service.targets[0].0.clone(), service.targets[1].0.clone());
        let minute = Some(Duration::from_secs(60));
        let picked = || -> Vec<String> {
            let leases: Vec<_> = (0..4).map(|_| service.pick(None)).collect();
            let names = leases.iter().filter_map(|lease| name(lease.as_ref()));
            let mut names: Vec<String> = names.collect();
            names.sort();
            names.dedup();
            names
        };
        a.take_out(minute);
        assert_eq!(picked(), ["b:1"]);
        b.take_out(minute);
        assert_eq!(picked(), ["a:1", "b:1"], "all of them are out, so none is");
        a.take_out(None);
        assert_eq!(picked(), ["a:1"]);
        b.take_out(Some(Duration::ZERO));
        assert_eq!(picked(), ["a:1", "b:1"], "its time is over");
        b.take_out(minute);
        a.saw(Seen::Refused);
        assert_eq!(picked(), ["b:1"], "out, but it takes connections");
        assert_eq!(
            name(service.pick(Some(&b)).as_ref()).as_deref(),
            Some("b:1")
        );
    }

    #[test]
    fn a_group_gets_its_share_and_others_what_is_left() {
        let mut service = service(&[
            ("old:1", TargetState::Active),
            ("old:2", TargetState::Active),
            ("new:1", TargetState::Active),
        ]);
        let spec = |target: &(Arc<Target>, TargetState), group: Option<&str>| routes::Target {
            address: target.0.address.clone(),
            state: target.1,
            group: group.map(str::to_owned),
        };
        service.spec.targets = vec![
            spec(&service.targets[0], None),
            spec(&service.targets[1], Some("of no share")),
            spec(&service.targets[2], Some("new")),
        ];
        service.spec.shares = [("new".to_owned(), 1_000)].into();
        let mut picked = std::collections::BTreeMap::new();
        for _ in 0..1_000 {
            let lease = service.pick(None);
            *picked.entry(name(lease.as_ref())).or_insert(0) += 1;
        }
        let of = |target: &str| -> usize { picked[&Some(target.to_owned())] };
        assert_eq!(of("new:1"), 100, "{picked:?}");
        assert!(of("old:1").abs_diff(of("old:2")) < 100, "{picked:?}");
        // Whoever can takes what the others can't.
        service.targets[2].0.saw(Seen::Refused);
        assert!((0..100).all(|_| name(service.pick(None).as_ref()) != Some("new:1".into())));
        service.targets[2].0.saw(Seen::Connected);
        service.targets[0].0.saw(Seen::Refused);
        service.targets[1].0.saw(Seen::Refused);
        assert_eq!(name(service.pick(None).as_ref()).as_deref(), Some("new:1"));
    }

    #[test]
    fn not_everybody_can_wait() {
        let gate = Arc::new(Gate::default());
        let mut held: Vec<_> = (0..MAX_HELD).map(|_| gate.hold()).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(gate.hold().is_none());
        held.pop();
        assert!(gate.hold().is_some());
        assert_eq!(gate.held(), MAX_HELD - 1);
    }
}

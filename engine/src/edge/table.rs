//! The table of routes as it is now. It is replaced as a whole; what lives on are its targets.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use super::defaults::{CONNECT_TIMEOUT, PROBE_FIRST, PROBE_MOST};
use super::health::Seen;
use super::routes::{Address, Check, Routes, TargetState};
use super::service::{Gate, Service};
use super::target::{Lease, Target};

/// What holds at one time.
#[derive(Debug, Default)]
pub struct Table {
    /// Counts the changes.
    pub generation: u64,
    /// What was asked for.
    pub routes: Routes,
    /// The services by name.
    pub services: BTreeMap<String, Arc<Service>>,
    ports: HashMap<u16, Arc<Service>>,
}

impl Table {
    /// The service that answers on a port.
    pub fn service_of(&self, port: u16) -> Option<&Arc<Service>> {
        self.ports.get(&port)
    }

    /// The table that follows this one. Targets and services that are in both stay what they are.
    pub fn next(&self, generation: u64, routes: Routes) -> Self {
        let services: BTreeMap<String, Arc<Service>> = routes
            .services
            .iter()
            .map(|(name, spec)| {
                let before = self.services.get(name);
                let targets = spec.targets.iter().map(|target| {
                    let same = before.filter(|before| {
                        before.spec.protocol == spec.protocol && before.spec.check == spec.check
                    });
                    let known = before.and_then(|before| before.target(&target.address));
                    let target_now = match (known, same) {
                        (Some(known), Some(_)) => known.clone(),
                        (Some(known), None) => known.successor(spec.protocol, spec.check.clone()),
                        (None, _) => {
                            let address = target.address.clone();
                            Target::new(address, spec.protocol, spec.check.clone())
                        }
                    };
                    (target_now, target.state)
                });
                let service = Service {
                    name: name.clone(),
                    spec: spec.clone(),
                    targets: targets.collect(),
                    gate: before.map(|before| before.gate.clone()).unwrap_or_default(),
                };
                (name.clone(), Arc::new(service))
            })
            .collect();
        let ports = routes.listeners.iter().filter_map(|listener| {
            let service = services.get(&listener.service)?;
            Some((listener.port, service.clone()))
        });
        let ports = ports.collect();
        Self {
            generation,
            routes,
            services,
            ports,
        }
    }

    fn targets(&self) -> impl Iterator<Item = (&Arc<Service>, &Arc<Target>, TargetState)> {
        self.services.values().flat_map(|service| {
            let targets = service.targets.iter();
            targets.map(move |(target, state)| (service, target, *state))
        })
    }
}

impl Service {
    fn target(&self, address: &Address) -> Option<&Arc<Target>> {
        let mut targets = self.targets.iter().map(|(target, _)| target);
        targets.find(|target| target.address == *address)
    }
}

/// The table that holds now, for those who follow it, and the tasks that watch its targets.
#[derive(Debug, Clone)]
pub struct Tables {
    now: watch::Sender<Arc<Table>>,
    tasks: TaskTracker,
}

/// Why nobody takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No service is for this port.
    NoService,
    /// No target became well in time.
    NoTarget,
    /// Too many wait already.
    ManyWait,
}

impl Tables {
    /// With an empty table.
    pub fn new(tasks: TaskTracker) -> Self {
        let (now, _) = watch::channel(Arc::default());
        Self { now, tasks }
    }

    /// The table that holds now.
    pub fn now(&self) -> Arc<Table> {
        self.now.borrow().clone()
    }

    /// Puts another table in place: from here on nothing new goes by the one before.
    pub fn put(&self, table: Table) {
        let before = self.now.send_replace(Arc::new(table));
        let after = self.now();
        let known = |table: &Table, wanted: &Arc<Target>| {
            table
                .targets()
                .any(|(_, target, _)| Arc::ptr_eq(target, wanted))
        };
        for (_, target, _) in before.targets() {
            if !known(&after, target) {
                target.gone.cancel();
                target.pool.close();
            }
        }
        for (service, target, state) in after.targets() {
            // What is idle is of no use there any more, and would keep it from ending.
            target.pool.keep_idle(state == TargetState::Active);
            if let (Some(check), false) = (&target.check, known(&before, target)) {
                let watching = watch_by_check(target.clone(), check.clone(), service.gate.clone());
                self.spawn_for(target, watching);
            }
        }
    }

    /// A target that can take a request now or in time. Not `avoid`, if there is another. `waiting`
    /// is since when the request has waited for a target, once it has: what it did before, such as
    /// to try one that did not answer, is not taken from its time.
    pub async fn acquire(
        &self,
        port: u16,
        avoid: Option<&Arc<Target>>,
        waiting: &mut Option<Instant>,
    ) -> Result<(Arc<Service>, Lease), Refused> {
        // The way of nearly all requests.
        let service = self.now.borrow().service_of(port).cloned();
        let service = service.ok_or(Refused::NoService)?;
        if let Some(lease) = service.pick(avoid) {
            return Ok((service, lease));
        }
        let since = *waiting.get_or_insert_with(Instant::now);
        self.wait(port, avoid, since).await
    }

    async fn wait(
        &self,
        port: u16,
        avoid: Option<&Arc<Target>>,
        since: Instant,
    ) -> Result<(Arc<Service>, Lease), Refused> {
        let mut tables = self.now.subscribe();
        let mut held = None;
        loop {
            let service = tables.borrow_and_update().service_of(port).cloned();
            let service = service.ok_or(Refused::NoService)?;
            // Listened to before it is looked, so that nothing is missed in between.
            let gate = service.gate.clone();
            let rung = gate.changed.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            if let Some(lease) = service.pick(avoid) {
                return Ok((service, lease));
            }
            if held.is_none() {
                held = Some(service.gate.hold().ok_or(Refused::ManyWait)?);
            }
            tokio::select! {
                () = rung => {}
                changed = tables.changed() => changed.map_err(|_| Refused::NoService)?,
                () = tokio::time::sleep_until(since + service.hold()) => return Err(Refused::NoTarget),
            }
        }
    }

    /// Takes down that a target took no connection: it is out until it does.
    pub fn refused(&self, service: &Service, target: &Arc<Target>) {
        target
            .counts
            .refused
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (before, _) = target.saw(Seen::Refused);
        if before.is_reachable() {
            let watching = watch_by_connections(target.clone(), service.gate.clone());
            self.spawn_for(target, watching);
        }
    }

    fn spawn_for(&self, target: &Arc<Target>, watching: impl Future<Output = ()> + Send + 'static) {
        let gone = target.gone.clone();
        self.tasks.spawn(async move {
            gone.run_until_cancelled(watching).await;
        });
    }
}

/// Tries to connect until that works.
async fn watch_by_connections(target: Arc<Target>, gate: Arc<Gate>) {
    let mut delay = PROBE_FIRST;
    loop {
        sleep(delay).await;
        // A check or a request may have found out.
        let reached = target.health().is_reachable() || target.pool.probe().await;
        if reached {
            target.saw(Seen::Connected);
            gate.changed.notify_waiters();
            return;
        }
        delay = (delay * 2).min(PROBE_MOST);
    }
}

/// Asks again and again whether it is well.
async fn watch_by_check(target: Arc<Target>, check: Check, gate: Arc<Gate>) {
    loop {
        sleep(check.interval).await;
        let passed = timeout(check.timeout, ask(&target, &check)).await;
        let seen = match passed.ok().flatten() {
            Some(status) if status.is_success() || status.is_redirection() => Seen::Passed,
            _ => Seen::Failed,
        };
        let (before, after) = target.saw(seen);
        if after.is_well() && !before.is_well() {
            gate.changed.notify_waiters();
        }
    }
}

async fn ask(target: &Target, check: &Check) -> Option<http::StatusCode> {
    let connecting = timeout(CONNECT_TIMEOUT, connect(&target.address)).await;
    let stream = TokioIo::new(connecting.ok()?.ok()?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.ok()?;
    let request = http::Request::get(&check.path)
        .header(http::header::HOST, target.address.to_string())
        .header(http::header::USER_AGENT, "rengine-edge")
        .body(Empty::<bytes::Bytes>::new());
    let mut answer = pin!(sender.send_request(request.ok()?));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // One that closes with its answer has answered.
        _ = connection => answer.await,
    };
    answer.ok().map(|answer| answer.status())
}

/// A connection of its own.
async fn connect(address: &Address) -> std::io::Result<TcpStream> {
    TcpStream::connect((address.host(), address.port())).await
}

/// Waits until none of these targets has anything to do, at most so long; true if it came to that.
pub async fn drained(targets: &[Arc<Target>], limit: Duration) -> bool {
    let idle = async {
        while targets.iter().any(|target| target.outstanding() > 0) {
            sleep(super::defaults::DRAIN_INTERVAL).await;
        }
    };
    timeout(limit, idle).await.is_ok()
}

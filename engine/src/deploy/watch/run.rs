//! The watch itself: what is seen goes to the core, and what that decides is carried out.

mod look;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::act::{Hands, Reread, holder};
use super::checkup::Looked;
use super::core::{Act, Core, Failure, Now, Seen};
use super::edge::{RENEW, RunningEdge, keep_out};
use super::news::{News, WatchEvent};
use super::picture::Picture;
use super::slot::Verdict;
use super::spec::Spec;
use crate::deploy::{DeployError, Event, Hooks, Reporter};
use crate::docker::{DaemonEvent, Docker, DockerError};
use crate::manifest::{Manifest, WatchSection};

/// How often all is looked at anew, whatever the daemon's events say.
const REFRESH: Duration = Duration::from_secs(5);
/// How often a daemon is asked that does not answer, and a lock is looked at that is held.
const AGAIN: Duration = Duration::from_secs(1);

/// What is asked of a watch.
#[derive(Debug, Clone)]
pub struct WatchOptions {
    /// What is done when.
    pub settings: WatchSection,
    /// True if nothing is to be done, and no plugin to be called.
    pub look_only: bool,
}

/// A watch of an app.
pub struct Watch {
    /// What the project says when it begins.
    pub manifest: Arc<Manifest>,
    /// Reads what it says later.
    pub reread: Reread,
    /// The daemon.
    pub docker: Docker,
    /// The plugins.
    pub hooks: Hooks,
    /// Who is told.
    pub reporter: Arc<dyn Reporter>,
    /// What is asked of it.
    pub options: WatchOptions,
    /// Where what is seen goes, for who shows it.
    pub pictures: watch::Sender<Picture>,
}

type Events = Pin<Box<dyn Stream<Item = Result<DaemonEvent, DockerError>> + Send>>;

/// A watch that goes on.
struct Going {
    watch: Watch,
    core: Core,
    begun: Instant,
    spec: Spec,
    /// The releases of the containers that were there when that was read; `None` if it is old.
    spec_of: Option<BTreeSet<String>>,
    /// The app's containers, by their ids, in the daemon's words.
    status: BTreeMap<String, String>,
    edges: Vec<RunningEdge>,
    checkups: JoinSet<()>,
    looked_at: HashMap<String, AbortHandle>,
    work: JoinSet<Result<(), Failure>>,
    to: mpsc::UnboundedSender<Looked>,
    /// When the daemon told last that a container is not well.
    told: HashMap<String, Instant>,
    /// Containers that reached their memory limit, and have not ended since.
    out_of_memory: BTreeSet<String>,
    /// True if the edge was asked without success, as told.
    edge_told: bool,
    stop_work: CancellationToken,
}

impl Watch {
    /// Watches until `stop`; what was begun by then is brought to its end.
    ///
    /// # Errors
    ///
    /// If the daemon can't be asked at the start. From then on it is waited for.
    pub async fn run(self, stop: &CancellationToken) -> Result<(), DeployError> {
        let (to, mut from) = mpsc::unbounded_channel();
        let core = Core::new(self.options.settings.clone(), seed());
        let core = match self.options.look_only {
            true => core.looking_on(),
            false => core,
        };
        let mut going = Going {
            core,
            begun: Instant::now(),
            spec: Spec::default(),
            spec_of: None,
            status: BTreeMap::new(),
            edges: Vec::new(),
            checkups: JoinSet::new(),
            looked_at: HashMap::new(),
            work: JoinSet::new(),
            to,
            told: HashMap::new(),
            out_of_memory: BTreeSet::new(),
            edge_told: false,
            stop_work: CancellationToken::new(),
            watch: self,
        };
        let result = going.go_on(&mut from, stop).await;
        going.end().await;
        result
    }
}

impl Going {
    fn now(&self) -> Now {
        self.begun.elapsed()
    }

    async fn go_on(
        &mut self,
        from: &mut mpsc::UnboundedReceiver<Looked>,
        stop: &CancellationToken,
    ) -> Result<(), DeployError> {
        // Listened to before it is looked, so that nothing is missed in between.
        let mut events = Some(self.events(None));
        self.refresh().await?;
        let mut last_event = Timestamp::now();
        let mut refresh = Instant::now() + REFRESH;
        let mut renew = Instant::now() + RENEW;
        loop {
            self.show();
            let next = self.core.next(self.now()).map(|at| self.begun + at);
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                event = next_event(&mut events) => match event {
                    Some(Ok(event)) => {
                        last_event = event.time.unwrap_or(last_event);
                        if self.event(&event).await {
                            refresh = Instant::now();
                        }
                    }
                    ended => {
                        events = None;
                        let why = match ended {
                            Some(Err(error)) => error.to_string(),
                            _ => "it ended the connection".to_owned(),
                        };
                        self.see(Seen::Lost(why)).await;
                        refresh = Instant::now() + AGAIN;
                    }
                },
                Some(done) = self.work.join_next() => {
                    let done = match done {
                        Ok(done) => done,
                        Err(error) => Err(Failure::Other(error.to_string())),
                    };
                    self.see(Seen::Done(done)).await;
                    // Before the next event: of what is gone now none counts any more.
                    self.look_again().await;
                }
                Some(looked) = from.recv() => self.looked(looked).await,
                () = sleep_until(refresh) => {
                    refresh = Instant::now() + if self.core.is_locked() { AGAIN } else { REFRESH };
                    match self.look_again().await {
                        true if events.is_none() => events = Some(self.events(Some(last_event))),
                        true => {}
                        false => refresh = Instant::now() + AGAIN,
                    }
                }
                () = sleep_until(renew) => {
                    renew = Instant::now() + RENEW;
                    if !self.core.out().is_empty() {
                        self.keep_out(&self.core.out().clone()).await;
                    }
                }
                () = at(next) => {
                    let acts = self.core.tick(self.now());
                    self.act(acts).await;
                }
            }
        }
    }

    /// Takes in what came of a look, but for one that found a container well before the daemon told that it is not.
    async fn looked(&mut self, looked: Looked) {
        let before = |id| self.told.get(id).is_some_and(|told| looked.began < *told);
        match &looked.seen {
            Seen::Checked(id, Verdict::Healthy) if before(id) => {}
            _ => self.see(looked.seen).await,
        }
    }

    fn events(&self, since: Option<Timestamp>) -> Events {
        let app = &self.watch.manifest.app.name;
        Box::pin(self.watch.docker.events(app, since))
    }

    /// Takes in an event of the daemon; true if all is to be looked at anew.
    async fn event(&mut self, event: &DaemonEvent) -> bool {
        if event.kind != "container" {
            return false;
        }
        if let Some(own) = &event.lock {
            match event.action.as_str() {
                // One of its own, of which it hears late.
                _ if own.is_this_process() => {}
                "create" => self.see(Seen::Locked(holder(Some(own)))).await,
                "destroy" => {
                    self.see(Seen::Unlocked).await;
                    self.spec_of = None;
                    self.look_again().await;
                }
                _ => {}
            }
            return false;
        }
        let id = event.id.clone();
        match event.action.as_str() {
            "die" => {
                let service = event.service.as_deref().unwrap_or_default();
                let code = event.exit_code.unwrap_or_default();
                let fine = code == 0 && self.spec.service(service).may_end;
                let why = match (self.out_of_memory.remove(&id), code) {
                    (true, _) => "it was killed because it reached its memory limit".to_owned(),
                    (_, 137) => "it was killed (exit status 137)".to_owned(),
                    (_, code) => format!("exit status {code}"),
                };
                self.see(Seen::Ended { id, why, fine }).await;
                true
            }
            "stop" => {
                self.see(Seen::Stopped(id)).await;
                true
            }
            "destroy" => {
                self.told.remove(&id);
                self.see(Seen::Removed(id)).await;
                true
            }
            "oom" => {
                self.out_of_memory.insert(id);
                false
            }
            "start" => {
                self.see(Seen::Began(id, None)).await;
                true
            }
            "rename" | "create" => true,
            "health_status: unhealthy" if self.is_daemons(event) => {
                let why = "its check fails".to_owned();
                let failing = Verdict::Failing { why, certain: true };
                self.told.insert(id.clone(), Instant::now());
                self.see(Seen::Checked(id, failing)).await;
                false
            }
            _ => false,
        }
    }

    /// True if the daemon's own check of a container is what counts.
    fn is_daemons(&self, event: &DaemonEvent) -> bool {
        use crate::app::Probe;
        let service = event.service.as_deref().unwrap_or_default();
        match self.spec.service(service).check {
            None => true,
            Some(check) => matches!(check.probe, Probe::Shell(_) | Probe::Exec(_)),
        }
    }

    /// Looks at all that there is; false if the daemon does not answer.
    async fn look_again(&mut self) -> bool {
        match self.refresh().await {
            Ok(()) => true,
            Err(error) => {
                self.see(Seen::Lost(error.to_string())).await;
                false
            }
        }
    }

    async fn see(&mut self, seen: Seen) {
        if matches!(seen, Seen::Done(_) | Seen::Lost(_)) {
            self.spec_of = None;
        }
        let acts = self.core.see(seen, self.now());
        self.act(acts).await;
    }

    async fn act(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Tell(service, container, news) => self.tell(service, container, news),
                Act::KeepOut(out) => self.keep_out(&out).await,
                Act::Restart(container) => {
                    let slots = self.core.slots();
                    let mut own = slots.filter(|slot| slot.facts.id == container.id);
                    let began = own.next().and_then(|slot| slot.began);
                    let work = self.hands().restart(container, began);
                    self.work.spawn(work);
                }
                Act::Replace(container) => {
                    let slots = self.core.slots();
                    let mut own = slots.filter(|slot| slot.facts.id == container.id);
                    let why = own.next().map(|slot| slot.why.clone()).unwrap_or_default();
                    let work = self.hands().replace(container, self.release(), why);
                    self.work.spawn(work);
                }
                Act::RollBack { to, why } => {
                    let work = self.hands().roll_back(self.release(), to, why);
                    self.work.spawn(work);
                }
            }
        }
    }

    /// The release that runs, as far as it was seen.
    fn release(&self) -> String {
        self.spec.id().unwrap_or_default().to_owned()
    }

    fn hands(&self) -> Hands {
        let watch = &self.watch;
        Hands {
            manifest: watch.manifest.clone(),
            reread: watch.reread.clone(),
            docker: watch.docker.clone(),
            hooks: watch.hooks.clone(),
            reporter: watch.reporter.clone(),
            edges: self.edges.clone(),
            cancel: self.stop_work.clone(),
        }
    }

    fn tell(&self, service: Option<String>, container: Option<String>, news: News) {
        self.watch.reporter.report(Event::Watch(WatchEvent {
            time: Timestamp::now(),
            service,
            container,
            news,
        }));
    }

    async fn keep_out(&mut self, out: &BTreeSet<String>) {
        let kept = keep_out(&self.watch.docker, &self.edges, out).await;
        match kept {
            Ok(()) => self.edge_told = false,
            Err(error) if !self.edge_told => {
                self.edge_told = true;
                let help =
                    "an edge of an older rengine can't: the next deploy brings it up to date";
                self.watch.reporter.report(Event::Warning {
                    message: format!("the edge does not leave out what it is asked to: {error}"),
                    help: Some(help.to_owned()),
                });
            }
            Err(_) => {}
        }
    }

    fn show(&self) {
        let mut picture = Picture::of(&self.core, &self.status, self.now());
        picture.edges.clone_from(&self.edges);
        self.watch.pictures.send_if_modified(|shown| {
            let other = *shown != picture;
            if other {
                *shown = picture;
            }
            other
        });
    }

    /// Brings what was begun to its end: a container that is being restarted, a rollback.
    async fn end(mut self) {
        self.checkups.shutdown().await;
        while let Some(done) = self.work.join_next().await {
            let done = done.unwrap_or_else(|error| Err(Failure::Other(error.to_string())));
            let acts = self.core.see(Seen::Done(done), self.now());
            for act in acts {
                if let Act::Tell(service, container, news) = act {
                    self.tell(service, container, news);
                }
            }
        }
        self.tell(None, None, News::Stopped);
    }
}

async fn next_event(events: &mut Option<Events>) -> Option<Result<DaemonEvent, DockerError>> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => sleep(Duration::MAX).await,
    }
}

/// A number that differs from that of other watchers.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

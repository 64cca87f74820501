//! The first process of an edge's container: it keeps a worker running, and replaces it by another
//! without a lost connection.
//!
//! A container ends with its first process, and a published port goes to one container. So for an
//! edge to outlive its own upgrade, the first process has to stay: it starts a worker from the new
//! program, which takes the sockets from the old one, and then becomes the new program itself
//! (execve(2)), with the same children.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

use super::defaults::{DRAIN, RESTART_DELAY, TAKE_OVER};
use super::{ControlClient, EdgeError, tidy};

/// The number of the keeper's process.
const KEEPER: &str = "keeper.pid";
/// The words that start the program that was upgraded to, for when the container starts again.
const PROGRAM: &str = "program.json";
/// The same of the one that is to be tried.
const NEXT: &str = "program.next.json";
/// Tells a keeper which words started it.
const PROGRAM_VARIABLE: &str = "RENGINE_EDGE_PROGRAM";

/// Keeps a worker running.
#[derive(Debug)]
pub struct Keeper {
    /// The edge's folder.
    pub folder: PathBuf,
    /// What workers and later keepers are started with beside their own words.
    pub arguments: Vec<String>,
    /// Workers of the keeper that this one follows, in the same process; the last is the one that accepts.
    pub adopted: Vec<u32>,
}

/// What a keeper wakes up for.
enum Event {
    Child,
    Upgrade,
    Stop,
}

impl Keeper {
    /// Runs until it is told to stop, by SIGTERM or SIGINT. SIGHUP is to upgrade.
    pub async fn run(self) -> Result<(), EdgeError> {
        let own = own_program();
        let path = self.folder.join(PROGRAM);
        if self.adopted.is_empty()
            && let Some(kept) = read_words(&path)
            && kept != own
        {
            // The container was started again, from its image: what was upgraded to is still here.
            // If it can't be started, what the image has goes on.
            let _ = self.become_program(&kept, &[]);
        }
        tidy::programs(&self.folder, &own);
        let mut children = signals(SignalKind::child())?;
        let mut upgrade = signals(SignalKind::hangup())?;
        let mut term = signals(SignalKind::terminate())?;
        let mut int = signals(SignalKind::interrupt())?;
        let keeper = self.folder.join(KEEPER);
        std::fs::write(&keeper, std::process::id().to_string())
            .map_err(EdgeError::file("writing", keeper.clone()))?;

        let mut workers = self.adopted.clone();
        if workers.is_empty() {
            workers.push(self.spawn(&own, false)?);
        }
        loop {
            let ended = reap();
            let current = workers.last().copied();
            workers.retain(|worker| !ended.contains(worker));
            if current != workers.last().copied() || workers.is_empty() {
                sleep(RESTART_DELAY).await;
                workers.push(self.spawn(&own, false)?);
            }
            let event = tokio::select! {
                _ = children.recv() => Event::Child,
                _ = upgrade.recv() => Event::Upgrade,
                _ = term.recv() => Event::Stop,
                _ = int.recv() => Event::Stop,
            };
            match event {
                Event::Child => {}
                Event::Stop => return stop(&workers, &mut children).await,
                Event::Upgrade => {
                    let next = self.folder.join(NEXT);
                    let words = read_words(&next).unwrap_or_else(|| own.clone());
                    let Ok(worker) = self.spawn(&words, true) else {
                        continue;
                    };
                    if !self.has_taken_over(worker).await {
                        signal_to(worker, Signal::KILL);
                        continue;
                    }
                    workers.push(worker);
                    if words != own && std::fs::rename(&next, &path).is_ok() {
                        // If this fails the worker is new all the same.
                        let _ = self.become_program(&words, &workers);
                    }
                }
            }
        }
    }

    fn spawn(&self, program: &[String], take_over: bool) -> Result<u32, EdgeError> {
        let mut command = self.command(program, "worker");
        if take_over {
            command.arg("--take-over");
        }
        match command.spawn() {
            Ok(child) => Ok(child.id()),
            Err(source) => Err(EdgeError::Start {
                program: program.join(" "),
                source,
            }),
        }
    }

    fn command(&self, program: &[String], role: &str) -> Command {
        let (first, rest) = program
            .split_first()
            .map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let mut command = Command::new(first);
        command
            .args(rest)
            .args(["edge", role, "--folder"])
            .arg(&self.folder);
        command.args(&self.arguments);
        command.env(
            PROGRAM_VARIABLE,
            serde_json::to_string(program).unwrap_or_default(),
        );
        command
    }

    /// Does not return if it works.
    fn become_program(&self, program: &[String], workers: &[u32]) -> io::Error {
        let mut command = self.command(program, "serve");
        for worker in workers {
            command.arg("--adopt").arg(worker.to_string());
        }
        command.exec()
    }

    async fn has_taken_over(&self, worker: u32) -> bool {
        let client = ControlClient::new(&self.folder);
        let begun = Instant::now();
        while begun.elapsed() < TAKE_OVER {
            if client
                .version()
                .await
                .is_ok_and(|release| release.pid == worker)
            {
                return true;
            }
            sleep(Duration::from_millis(20)).await;
        }
        false
    }
}

/// Asks the keeper of an edge to replace its worker, by one from `program` or from its own, and
/// waits until it has. Gives the new worker's process.
pub async fn ask_for_upgrade(
    folder: &Path,
    program: Option<Vec<String>>,
) -> Result<u32, EdgeError> {
    let keeper = folder.join(KEEPER);
    let pid = std::fs::read_to_string(&keeper).map_err(EdgeError::file("reading", keeper))?;
    let failed = |reason: &str| EdgeError::TakeOver {
        reason: reason.to_owned(),
    };
    let pid = pid
        .trim()
        .parse()
        .map_err(|_| failed("the keeper's number can't be read"))?;
    let client = ControlClient::new(folder);
    let before = client
        .version()
        .await
        .map_err(|error| failed(&error.to_string()))?
        .pid;
    if let Some(words) = program {
        let next = folder.join(NEXT);
        let json = serde_json::to_vec(&words).unwrap_or_default();
        std::fs::write(&next, json).map_err(EdgeError::file("writing", next))?;
    }
    signal_to(pid, Signal::HUP);
    let replaced = async {
        loop {
            match client.version().await {
                Ok(release) if release.pid != before => return release.pid,
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let replaced = timeout(TAKE_OVER, replaced).await;
    replaced.map_err(|_| failed("no new worker answered in time; the old one goes on"))
}

/// The words that started this program.
pub fn own_program() -> Vec<String> {
    let told = std::env::var(PROGRAM_VARIABLE).ok();
    let told = told.and_then(|json| serde_json::from_str(&json).ok());
    told.unwrap_or_else(|| {
        let path = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("rengine"));
        vec![path.to_string_lossy().into_owned()]
    })
}

fn read_words(path: &Path) -> Option<Vec<String>> {
    let words: Vec<String> = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    (!words.is_empty()).then_some(words)
}

fn signals(kind: SignalKind) -> Result<Signals, EdgeError> {
    signal(kind).map_err(|source| EdgeError::Start {
        program: "the keeper".to_owned(),
        source,
    })
}

/// The children that have ended. The first process of a container gets those of others, too.
fn reap() -> Vec<u32> {
    let mut ended = Vec::new();
    while let Ok(Some((pid, _))) = waitpid(None, WaitOptions::NOHANG) {
        ended.push(pid.as_raw_nonzero().get().cast_unsigned());
    }
    ended
}

/// One that is not there any more needs no signal.
fn signal_to(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

async fn stop(workers: &[u32], children: &mut Signals) -> Result<(), EdgeError> {
    let mut left = workers.to_vec();
    left.iter()
        .for_each(|worker| signal_to(*worker, Signal::TERM));
    let gone = async {
        loop {
            let ended = reap();
            left.retain(|worker| !ended.contains(worker));
            if left.is_empty() {
                return;
            }
            children.recv().await;
        }
    };
    if timeout(DRAIN + Duration::from_secs(5), gone).await.is_err() {
        workers
            .iter()
            .for_each(|worker| signal_to(*worker, Signal::KILL));
    }
    Ok(())
}

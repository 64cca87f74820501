//! What a watcher asks of the app's edges.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::deploy::DeployError;
use crate::deploy::edge::edge_command;
use crate::docker::Docker;
use crate::edge::State;
use crate::plan::observed::ObservedEdge;

/// How long the edge leaves out what it is asked to; then it has to be asked again.
pub const OUT: Duration = Duration::from_secs(30);
/// How often it is asked.
pub const RENEW: Duration = Duration::from_secs(10);
/// Time for one command to it.
const COMMAND: Duration = Duration::from_secs(10);
/// Time between two looks at what a target still has to do.
const LOOK: Duration = Duration::from_millis(200);

/// An edge that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningEdge {
    /// Its container.
    pub id: String,
    /// The container's name.
    pub name: String,
    /// Which of the container's programs it is.
    pub program: Vec<String>,
}

impl RunningEdge {
    async fn tell(&self, docker: &Docker, words: &[&str]) -> Result<String, DeployError> {
        edge_command(docker, &self.id, &self.name, &self.program, words, COMMAND).await
    }
}

/// The edges of the app that run.
pub fn running(edges: &[ObservedEdge]) -> Vec<RunningEdge> {
    let running = edges.iter().filter(|edge| edge.is_running());
    let running = running.map(|edge| RunningEdge {
        id: edge.id.clone(),
        name: edge.name.clone(),
        program: edge.program.program.clone(),
    });
    running.collect()
}

/// Has all edges leave these out, and no others.
pub async fn keep_out(
    docker: &Docker,
    edges: &[RunningEdge],
    out: &BTreeSet<String>,
) -> Result<(), DeployError> {
    let time = format!("{}s", OUT.as_secs());
    let words = ["out", "--time", time.as_str(), "--"];
    let words = words.into_iter().chain(out.iter().map(String::as_str));
    let words: Vec<&str> = words.collect();
    for edge in edges {
        edge.tell(docker, &words).await?;
    }
    Ok(())
}

/// What an edge says of itself.
pub async fn state(docker: &Docker, edge: &RunningEdge) -> Result<State, DeployError> {
    let json = edge.tell(docker, &["state"]).await?;
    serde_json::from_str(&json).map_err(|error| DeployError::Edge {
        container: edge.name.clone(),
        reason: format!("what it says of itself can't be read: {error}"),
        away: false,
    })
}

/// What Prometheus would read from an edge.
pub async fn metrics(docker: &Docker, edge: &RunningEdge) -> Result<String, DeployError> {
    edge.tell(docker, &["metrics"]).await
}

/// Waits until a target that is left out has nothing to do, at most so long. An edge that can't say
/// is not waited for.
pub async fn drained(docker: &Docker, edges: &[RunningEdge], target: &str, limit: Duration) {
    let begun = Instant::now();
    for edge in edges {
        while let Ok(state) = state(docker, edge).await {
            let targets = state.services.values().flat_map(|one| &one.targets);
            let own = targets.filter(|one| one.address.host() == target);
            let busy: usize = own
                .map(|one| if one.out { one.outstanding } else { 0 })
                .sum();
            if busy == 0 || begun.elapsed() >= limit {
                break;
            }
            sleep(LOOK).await;
        }
    }
}

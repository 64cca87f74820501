//! What a watcher asks of the app's edges.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::deploy::DeployError;
use crate::deploy::edge::edge_command;
use crate::docker::Docker;
use crate::edge::{EDGE_PROGRAM, State};
use crate::plan::observed::ObservedEdge;

/// How long the edge leaves out what it is asked to; then it has to be asked again.
pub const OUT: Duration = Duration::from_secs(30);
/// How often it is asked.
pub const RENEW: Duration = Duration::from_secs(10);
/// Time for one command to it.
const COMMAND: Duration = Duration::from_secs(10);
/// Time between two looks at what a target still has to do.
const LOOK: Duration = Duration::from_millis(200);

/// The edges of the app that run: id and name.
pub fn running(edges: &[ObservedEdge]) -> Vec<(String, String)> {
    let running = edges.iter().filter(|edge| edge.is_running());
    running
        .map(|edge| (edge.id.clone(), edge.name.clone()))
        .collect()
}

async fn ask(docker: &Docker, id: &str, name: &str, words: &[&str]) -> Result<String, DeployError> {
    // The image's: one that was upgraded may know more.
    let program = [EDGE_PROGRAM.to_owned()];
    edge_command(docker, id, name, &program, words, COMMAND).await
}

/// Has all edges leave these out, and no others.
pub async fn keep_out(
    docker: &Docker,
    edges: &[(String, String)],
    out: &BTreeSet<String>,
) -> Result<(), DeployError> {
    let time = format!("{}s", OUT.as_secs());
    let words = ["out", "--time", time.as_str(), "--"];
    let words = words.into_iter().chain(out.iter().map(String::as_str));
    let words: Vec<&str> = words.collect();
    for (id, name) in edges {
        ask(docker, id, name, &words).await?;
    }
    Ok(())
}

/// What an edge says of itself.
pub async fn state(docker: &Docker, id: &str, name: &str) -> Result<State, DeployError> {
    let json = ask(docker, id, name, &["state"]).await?;
    serde_json::from_str(&json).map_err(|error| DeployError::Edge {
        container: name.to_owned(),
        reason: format!("what it says of itself can't be read: {error}"),
        away: false,
    })
}

/// What Prometheus would read from an edge.
pub async fn metrics(docker: &Docker, id: &str, name: &str) -> Result<String, DeployError> {
    ask(docker, id, name, &["metrics"]).await
}

/// Waits until a target that is left out has nothing to do, at most so long. An edge that can't say
/// is not waited for.
pub async fn drained(docker: &Docker, edges: &[(String, String)], target: &str, limit: Duration) {
    let begun = Instant::now();
    for (id, name) in edges {
        while let Ok(state) = state(docker, id, name).await {
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

//! What a container uses.

use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::StatsOptions;
use futures_util::StreamExt;

use super::{Docker, DockerError};
use crate::plan::observed::ContainerStats;

impl Docker {
    /// What a running container uses at this moment; `None` if it does not run.
    pub async fn stats(&self, id: &str) -> Result<Option<ContainerStats>, DockerError> {
        let options = StatsOptions {
            stream: false,
            // The daemon would wait a second for a second sample, for a rate that nobody asked for.
            one_shot: true,
        };
        let mut samples = Box::pin(self.client().stats(id, Some(options)));
        match samples.next().await {
            Some(Ok(sample)) => Ok(stats(sample)),
            Some(Err(error)) => {
                Err(self.error(format!("tell what the container {id} uses"), error))
            }
            None => Ok(None),
        }
    }
}

fn stats(sample: ContainerStatsResponse) -> Option<ContainerStats> {
    let memory = sample.memory_stats.unwrap_or_default();
    let details = memory.stats.unwrap_or_default();
    // As `docker stats` does: the file cache that the kernel gives back when memory is short is
    // no use of the container's. Its name differs between the versions of cgroups.
    let cache = details
        .get("total_inactive_file")
        .or_else(|| details.get("inactive_file"));
    let networks = sample.networks.unwrap_or_default();
    let sum = |bytes: fn(&bollard::models::ContainerNetworkStats) -> Option<u64>| {
        networks.values().filter_map(bytes).sum()
    };
    Some(ContainerStats {
        cpu_ns: sample.cpu_stats?.cpu_usage?.total_usage?,
        memory: memory
            .usage?
            .saturating_sub(cache.copied().unwrap_or_default()),
        memory_limit: memory.limit.unwrap_or_default(),
        processes: sample
            .pids_stats
            .and_then(|pids| pids.current)
            .unwrap_or_default(),
        received: sum(|network| network.rx_bytes),
        sent: sum(|network| network.tx_bytes),
    })
}

//! Connections that are proxied as such: bytes both ways until both ends are done.

use std::sync::atomic::Ordering;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::connection::Peer;
use super::defaults::FILES_INTERVAL;
use super::log::Entry;
use super::pool::files_are_short;
use super::target::Lease;
use super::worker::Shared;

/// Proxies what two connections have become after an upgrade.
pub async fn upgraded(
    client: hyper::upgrade::OnUpgrade,
    target: hyper::upgrade::OnUpgrade,
    lease: Lease,
    mut entry: Entry,
) {
    let joined = async {
        let (client, target) = tokio::try_join!(client, target)?;
        let io = |upgraded: Upgraded| TokioIo::new(upgraded);
        let copied = copy_bidirectional(&mut io(client), &mut io(target)).await;
        Ok::<_, hyper::Error>(copied)
    };
    end(joined.await.ok(), &mut entry);
    drop(lease);
}

/// Proxies a connection to a target of the service that answers on the port.
pub async fn tcp(mut client: TcpStream, peer: Peer, shared: &Shared) {
    let begun = Instant::now();
    let mut entry = shared.entry(begun, peer.client().address, peer.port);
    let mut avoid = None;
    let mut waiting = None;
    loop {
        let acquired = shared
            .tables
            .acquire(peer.port, avoid.as_ref(), &mut waiting)
            .await;
        // What can be answered to a connection that nobody takes is to end it.
        let Ok((service, lease)) = acquired else {
            return end(None, &mut entry);
        };
        let target = lease.target().clone();
        entry.service = Some(service.name.clone());
        entry.target = Some(target.address.to_string());
        entry.sent += 1;
        match target.pool.connect_tcp().await {
            Ok(mut stream) => {
                entry.waited = begun.elapsed();
                service.gate.metrics.tunnels.fetch_add(1, Ordering::Relaxed);
                target.counts.connections.fetch_add(1, Ordering::Relaxed);
                let copied = copy_bidirectional(&mut client, &mut stream).await;
                return end(Some(copied), &mut entry);
            }
            // Without a file for it nobody has refused anything.
            Err(error) if files_are_short(&error) => {
                if begun.elapsed() > service.hold() {
                    return end(None, &mut entry);
                }
                sleep(FILES_INTERVAL).await;
            }
            Err(_) => {
                shared.tables.refused(&service, &target);
                avoid = Some(target);
            }
        }
    }
}

fn end(copied: Option<std::io::Result<(u64, u64)>>, entry: &mut Entry) {
    match copied {
        Some(Ok((received, sent))) => {
            entry.bytes = sent;
            entry.received = Some(received);
        }
        _ => entry.complete = false,
    }
    entry.write(Instant::now());
}

//! The life of a container.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use bollard::query_parameters::{
    CreateContainerOptions, KillContainerOptions, RemoveContainerOptions, RenameContainerOptions,
    RestartContainerOptions, StartContainerOptions, StopContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt;
use regex::Regex;
use tokio::time::{Instant, sleep};

use super::error::status;
use super::spec::{Joined, create_body};
use super::{Docker, DockerError, podman};
use crate::app::ContainerSpec;

/// How long a removal is tried: those that share a container's namespaces are being removed, too, and one that has
/// just ended is being cleared up after.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two tries.
const REMOVAL_INTERVAL: Duration = Duration::from_millis(100);

/// A container that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewContainer<'a> {
    /// Its name.
    pub name: &'a str,
    /// The id of its image, or a name of it.
    pub image: &'a str,
    /// What it is like.
    pub spec: &'a ContainerSpec,
    /// Labels that come on top of the specification's own.
    pub labels: &'a BTreeMap<String, String>,
    /// The networks that it joins, where the specification has no network mode; it is made in the
    /// first of them.
    pub networks: &'a [Joined],
    /// True if its process sees the end of its input when the first who is connected leaves.
    pub stdin_once: bool,
}

impl Docker {
    /// Creates a container without starting it, with its files, and gives its id.
    ///
    pub async fn create_container(&self, new: NewContainer<'_>) -> Result<String, DockerError> {
        let NewContainer {
            name,
            image,
            spec,
            labels,
            networks,
            stdin_once,
        } = new;
        let (first, others) = match networks.split_first() {
            Some((first, others)) => (Some(first), others),
            None => (None, networks),
        };
        let mut body = create_body(image, spec, labels, first);
        if self.facts().is_podman() {
            podman::leave_out(&mut body, spec);
        }
        body.stdin_once = (stdin_once && spec.stdin_open).then_some(true);
        let id = self
            .create_for(name, body, spec.platform.as_deref())
            .await?;
        let rest = async {
            // Before version 25 the daemon takes one network when it makes a container.
            if spec.network_mode.is_none() {
                for network in others {
                    self.join(&id, network).await?;
                }
            }
            self.put_own_files(&id, spec).await
        };
        match rest.await {
            Ok(()) => Ok(id),
            Err(error) => {
                // Nobody knows of it yet; what it can't be removed for is told by the next deploy.
                let _ = self.remove(&id, true).await;
                Err(error)
            }
        }
    }

    pub(super) async fn create(
        &self,
        name: &str,
        body: bollard::models::ContainerCreateBody,
    ) -> Result<String, DockerError> {
        self.create_for(name, body, None).await
    }

    async fn create_for(
        &self,
        name: &str,
        body: bollard::models::ContainerCreateBody,
        platform: Option<&str>,
    ) -> Result<String, DockerError> {
        let image = body.image.clone().unwrap_or_default();
        let options = CreateContainerOptions {
            name: Some(name.to_owned()),
            platform: platform.unwrap_or_default().to_owned(),
        };
        match self.client().create_container(Some(options), body).await {
            Ok(created) => Ok(created.id),
            Err(error) => Err(
                match (
                    status(&error),
                    self.error(format!("create the container {name}"), error),
                ) {
                    (Some(409), _) => DockerError::NameTaken {
                        name: name.to_owned(),
                    },
                    (Some(404), DockerError::Daemon { message, .. })
                        if message.contains("mage") =>
                    {
                        DockerError::NoSuchImage {
                            reference: image,
                            message,
                        }
                    }
                    (_, DockerError::Daemon { message, .. })
                        if message.contains("container-init binary not found") =>
                    {
                        DockerError::NoInit {
                            container: name.to_owned(),
                        }
                    }
                    // Podman's status for a name in use.
                    (_, DockerError::Daemon { message, .. })
                        if message.contains("name is already in use") =>
                    {
                        DockerError::NameTaken {
                            name: name.to_owned(),
                        }
                    }
                    (_, error) => error,
                },
            ),
        }
    }

    /// Starts a container; one that runs stays as it is.
    pub async fn start(&self, id: &str) -> Result<(), DockerError> {
        let started = self
            .client()
            .start_container(id, None::<StartContainerOptions>)
            .await;
        let Err(error) = started else { return Ok(()) };
        let error = self.error(format!("start the container {id}"), error);
        let DockerError::Daemon { message, .. } = &error else {
            return Err(error);
        };
        match taken_port(message) {
            Some(port) => Err(DockerError::PortTaken {
                port,
                holder: self.port_holder(port, id).await,
                container: self.name_of(id).await,
            }),
            None => Err(error),
        }
    }

    /// Asks a container to end, and kills it when `timeout` (or the container's own, if `None`)
    /// is over. One that does not run, or is not there, is left alone.
    pub async fn stop(&self, id: &str, timeout: Option<Duration>) -> Result<(), DockerError> {
        let options = StopContainerOptions {
            t: timeout.map(whole_seconds),
            ..Default::default()
        };
        let stopping = self.patient().stop_container(id, Some(options));
        let stopped = self.attended(stopping).await.flatten();
        self.unless(stopped, &[404], || format!("stop the container {id}"))
    }

    /// Stops a container and starts it again.
    pub async fn restart(&self, id: &str, timeout: Option<Duration>) -> Result<(), DockerError> {
        let options = RestartContainerOptions {
            t: timeout.map(whole_seconds),
            ..Default::default()
        };
        let restarting = self.patient().restart_container(id, Some(options));
        let restarted = self.attended(restarting).await.flatten();
        restarted.map_err(|error| self.error(format!("restart the container {id}"), error))
    }

    /// Waits until a container has ended, and gives its exit code.
    pub async fn wait(&self, id: &str) -> Result<i64, DockerError> {
        let mut ended = self
            .patient()
            .wait_container(id, None::<WaitContainerOptions>);
        let ended = self.attended(ended.next()).await;
        match ended.unwrap_or_else(|error| Some(Err(error))) {
            Some(Ok(ended)) => Ok(ended.status_code),
            // So bollard tells of an exit code other than 0.
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(self.error(format!("wait for the container {id}"), error)),
            None => Err(DockerError::Daemon {
                action: format!("wait for the container {id}"),
                status: None,
                message: "the daemon ended the connection".to_owned(),
            }),
        }
    }

    /// Sends a container a signal, such as `SIGKILL`. One that does not run, or is not there, is
    /// left alone.
    pub async fn kill(&self, id: &str, signal: &str) -> Result<(), DockerError> {
        let options = KillContainerOptions {
            signal: signal.to_owned(),
        };
        let killed = self.client().kill_container(id, Some(options)).await;
        self.unless(killed, &[404, 409], || format!("kill the container {id}"))
    }

    /// Removes a container and its anonymous volumes; with `force` a running one too. One that is
    /// not there, or is being removed, is left alone. Those that share its namespaces, which Podman
    /// wants to be removed before it, are waited for.
    pub async fn remove(&self, id: &str, force: bool) -> Result<(), DockerError> {
        let deadline = Instant::now() + REMOVAL_TIMEOUT;
        loop {
            match self.remove_at_once(id, force).await {
                Err(DockerError::Shared { .. }) if Instant::now() < deadline => {
                    sleep(REMOVAL_INTERVAL).await;
                }
                removed => return removed,
            }
        }
    }

    /// As [`Self::remove`], and does not wait for those that share its namespaces.
    pub async fn remove_at_once(&self, id: &str, force: bool) -> Result<(), DockerError> {
        let deadline = Instant::now() + REMOVAL_TIMEOUT;
        loop {
            match self.try_to_remove(id, force).await {
                Err(DockerError::Daemon { message, .. })
                    if podman::ended_meanwhile(&message) && Instant::now() < deadline =>
                {
                    sleep(REMOVAL_INTERVAL).await;
                }
                removed => return removed,
            }
        }
    }

    async fn try_to_remove(&self, id: &str, force: bool) -> Result<(), DockerError> {
        let options = RemoveContainerOptions {
            v: true,
            force,
            link: false,
        };
        let removing = self.patient().remove_container(id, Some(options));
        let removed = self.attended(removing).await.flatten();
        let removed = self.unless(removed, &[404], || format!("remove the container {id}"));
        match removed {
            Err(DockerError::Daemon { message, .. }) if message.contains("already in progress") => {
                Ok(())
            }
            Err(DockerError::Daemon { message, .. })
                if message.contains("dependent containers") =>
            {
                Err(DockerError::Shared {
                    container: self.name_of(id).await,
                    message,
                })
            }
            removed => removed,
        }
    }

    /// Gives a container another name; one that has it already keeps it.
    pub async fn rename(&self, id: &str, name: &str) -> Result<(), DockerError> {
        let options = RenameContainerOptions {
            name: name.to_owned(),
        };
        let Err(error) = self.client().rename_container(id, options).await else {
            return Ok(());
        };
        let status = status(&error);
        if self.name_of(id).await == name {
            return Ok(());
        }
        match status {
            Some(409) => Err(DockerError::NameTaken {
                name: name.to_owned(),
            }),
            _ => Err(self.error(format!("rename the container {id} to {name}"), error)),
        }
    }

    fn unless(
        &self,
        result: Result<(), bollard::errors::Error>,
        fine: &[u16],
        action: impl Fn() -> String,
    ) -> Result<(), DockerError> {
        match result {
            Err(error) if status(&error).is_some_and(|status| fine.contains(&status)) => Ok(()),
            result => result.map_err(|error| self.error(action(), error)),
        }
    }

    /// A container's name for a message: its id where the name can't be had.
    async fn name_of(&self, id: &str) -> String {
        match self.inspect(id).await {
            Ok(Some(detail)) => detail.name,
            _ => id.to_owned(),
        }
    }
}

fn whole_seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs_f64().ceil() as i64).unwrap_or(i32::MAX)
}

/// The host's port that was in use, where that is what the daemon says: as Docker does if it
/// gave the port away itself, if another program has it, and the latter as of version 28.
fn taken_port(message: &str) -> Option<u16> {
    static TAKEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?x) Bind\ for\ \S*?:(\d+)\ failed:\ port\ is\ already\ allocated
            | listen\ (?:tcp|udp)[46]?\ \S*?:(\d+):\ bind:\ address\ already\ in\ use
            | bind\ host\ port\ (?:for\ )?(?:\[\S*?\]|[\d.]*):(\d+)[:/]\S*\ address\ already\ in\ use",
        )
        .ok()
    });
    let captures = TAKEN.as_ref()?.captures(message)?;
    captures
        .iter()
        .skip(1)
        .flatten()
        .next()?
        .as_str()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_read_from_what_daemons_say() {
        for message in [
            "driver failed programming external connectivity on endpoint web (0a1b): Bind for 0.0.0.0:8080 failed: port is already allocated",
            "driver failed programming external connectivity on endpoint web (0a1b): Error starting userland proxy: listen tcp4 0.0.0.0:8080: bind: address already in use",
            "Error starting userland proxy: listen udp [::]:8080: bind: address already in use",
            "failed to set up container networking: failed to bind host port for 0.0.0.0:8080:172.17.0.2:80/tcp: address already in use",
            "failed to bind host port 127.0.0.1:8080/tcp: address already in use",
            "Bind for [::1]:8080 failed: port is already allocated",
            "rootlessport listen tcp 0.0.0.0:8080: bind: address already in use",
        ] {
            assert_eq!(taken_port(message), Some(8080), "{message}");
        }
        assert_eq!(
            taken_port("exec: \"x\": executable file not found in $PATH"),
            None
        );
    }
}

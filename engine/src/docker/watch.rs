//! What goes on in a daemon: processes and events.

use std::collections::HashMap;

use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptions, TopOptions};
use futures_util::{Stream, StreamExt};
use jiff::Timestamp;

use super::{Docker, DockerError, LockHolder};
use crate::app::Name;
use crate::plan::observed::label;

/// The processes of a container, as `ps` lists them on its host.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Processes {
    /// What the columns are called.
    pub titles: Vec<String>,
    /// A row for each process.
    pub rows: Vec<Vec<String>>,
}

/// Something that happened to a container, image, network or volume.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DaemonEvent {
    /// When.
    pub time: Option<Timestamp>,
    /// To what kind of thing: `container`, `network`, …
    pub kind: String,
    /// What: `start`, `die`, `health_status: healthy`, …
    pub action: String,
    /// The thing's name.
    pub name: String,
    /// The daemon's id of it.
    #[serde(skip)]
    pub id: String,
    /// Who holds the app's lock, if the thing is that.
    #[serde(skip)]
    pub lock: Option<LockHolder>,
    /// The service that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The exit code of a process that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
}

impl Docker {
    /// The processes of a running container.
    pub async fn top(&self, id: &str) -> Result<Processes, DockerError> {
        let top = self.client().top_processes(id, None::<TopOptions>).await;
        let top = top.map_err(|error| self.error(format!("list the processes of {id}"), error))?;
        Ok(Processes {
            titles: top.titles.unwrap_or_default(),
            rows: top.processes.unwrap_or_default(),
        })
    }

    /// What happens to an app's containers, networks and volumes from now on.
    pub fn events(
        &self,
        app: &Name,
        since: Option<Timestamp>,
    ) -> impl Stream<Item = Result<DaemonEvent, DockerError>> + use<> {
        let labels = vec![format!("{}={app}", label::APP)];
        let options = EventsOptions {
            since: since.map(|time| time.as_second().to_string()),
            filters: Some(HashMap::from([("label".to_owned(), labels)])),
            ..EventsOptions::default()
        };
        let docker = self.clone();
        let events = self.patient().events(Some(options));
        events.map(move |message| {
            let message = message.map_err(|error| docker.error("tell of events", error))?;
            Ok(event(message))
        })
    }
}

fn event(message: EventMessage) -> DaemonEvent {
    let actor = message.actor.unwrap_or_default();
    let attributes = actor.attributes.unwrap_or_default();
    let attribute = |name: &str| attributes.get(name).cloned();
    DaemonEvent {
        time: message
            .time
            .and_then(|time| Timestamp::from_second(time).ok()),
        kind: message.typ.map(|kind| kind.to_string()).unwrap_or_default(),
        action: message.action.unwrap_or_default(),
        id: actor.id.clone().unwrap_or_default(),
        lock: attribute(label::LOCK).and_then(|json| serde_json::from_str(&json).ok()),
        name: attribute("name").or(actor.id).unwrap_or_default(),
        service: attribute(label::SERVICE),
        exit_code: attribute("exitCode").and_then(|code| code.parse().ok()),
    }
}

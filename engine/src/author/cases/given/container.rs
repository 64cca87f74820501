//! The running container that a case gives.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde::Deserialize;
use toml::{Spanned, Value};

use crate::app::Protocol;
use crate::manifest::{ManifestError, Reader};
use crate::plan::observed::{ContainerStats, PublishedPort};
use crate::plugin::{ContainerAccess, ExecOutcome, HttpRequest, HttpResponse, RunningState};

/// `running`: a container, and what it answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawRunning {
    id: Option<String>,
    name: Option<String>,
    image: Option<String>,
    address: Option<IpAddr>,
    ports: Option<Vec<Spanned<Value>>>,
    labels: BTreeMap<String, String>,
    state: State,
    stats: Stats,
    logs: Vec<String>,
    http: Vec<Answer>,
    tcp: Vec<u16>,
    exec: Vec<Command>,
}

/// What it is doing: it runs, if nothing is said.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct State {
    exited: Option<i64>,
    restarts: u32,
    health: Option<String>,
}

/// What it uses.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Stats {
    cpu: Option<Spanned<String>>,
    memory: Option<Spanned<String>>,
    memory_limit: Option<Spanned<String>>,
    processes: u64,
    received: Option<Spanned<String>>,
    sent: Option<Spanned<String>>,
}

/// What it answers to one request, or to one after another of the same.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    #[serde(default = "get")]
    method: String,
    path: String,
    port: Option<u16>,
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    /// The exchange fails so, in the place of an answer.
    error: Option<String>,
}

/// What comes of one command that is run in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Command {
    command: Vec<String>,
    #[serde(default)]
    exit_code: i64,
    #[serde(default)]
    output: String,
    /// It can't be run, and this is why.
    error: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// The port that is published where the case does not say.
const PORT: u16 = 8080;

#[derive(Debug)]
struct Container {
    id: String,
    name: String,
    image: String,
    address: Option<IpAddr>,
    ports: Vec<PublishedPort>,
    labels: BTreeMap<String, String>,
    state: RunningState,
    stats: ContainerStats,
    logs: Vec<String>,
    tcp: Vec<u16>,
    /// What is left of the answers: of several to the same request, the last one stays.
    answers: Mutex<Vec<Answer>>,
    commands: Vec<Command>,
    /// True if something listens where HTTP goes.
    listens: bool,
}

pub fn convert(
    reader: &Reader<'_>,
    raw: &RawRunning,
) -> Result<Arc<dyn ContainerAccess>, ManifestError> {
    let mut ports = Vec::new();
    for text in raw.ports.iter().flatten() {
        for mapping in reader.ports(text)? {
            let address = mapping.host_address;
            ports.push(PublishedPort {
                container_port: mapping.container_port,
                protocol: mapping.protocol,
                host_address: address.map_or("0.0.0.0".to_owned(), |address| address.to_string()),
                host_port: mapping.host_port.unwrap_or(mapping.container_port),
            });
        }
    }
    if raw.ports.is_none() {
        ports.push(PublishedPort {
            container_port: PORT,
            protocol: Protocol::Tcp,
            host_address: "0.0.0.0".to_owned(),
            host_port: PORT,
        });
    }
    let or =
        |text: &Option<String>, default: &str| text.clone().unwrap_or_else(|| default.to_owned());
    Ok(Arc::new(Container {
        id: or(&raw.id, &"0123456789abcdef".repeat(4)),
        name: or(&raw.name, "app-web"),
        image: or(&raw.image, &format!("sha256:{}", "0".repeat(64))),
        address: raw.address,
        ports,
        labels: raw.labels.clone(),
        state: RunningState {
            running: raw.state.exited.is_none(),
            // Not told, so that cases mean the same at all times.
            started_ms: None,
            exit_code: raw.state.exited.unwrap_or(0),
            restarts: raw.state.restarts,
            health: raw.state.health.clone(),
        },
        stats: stats(reader, &raw.stats)?,
        logs: raw.logs.clone(),
        tcp: raw.tcp.clone(),
        commands: raw.exec.clone(),
        listens: !raw.http.is_empty(),
        answers: Mutex::new(raw.http.clone()),
    }))
}

fn stats(reader: &Reader<'_>, raw: &Stats) -> Result<ContainerStats, ManifestError> {
    let size = |text: &Option<Spanned<String>>| {
        let size = reader.size(text.as_ref())?;
        Ok::<_, ManifestError>(size.map_or(0, |size| size.0))
    };
    let cpu = reader.duration(raw.cpu.as_ref())?.unwrap_or_default();
    Ok(ContainerStats {
        cpu_ns: u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX),
        memory: size(&raw.memory)?,
        memory_limit: size(&raw.memory_limit)?,
        processes: raw.processes,
        received: size(&raw.received)?,
        sent: size(&raw.sent)?,
    })
}

impl Container {
    fn default_port(&self) -> Option<u16> {
        let mut ports = self.ports.iter();
        let tcp = ports.find(|port| port.protocol == Protocol::Tcp);
        tcp.map(|port| port.container_port)
    }

    fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, String> {
        let Some(port) = request.port.or(self.default_port()) else {
            return Err("it publishes no TCP port, and none was named".to_owned());
        };
        if !self.listens {
            return Err(format!("no connection to port {port}: connection refused"));
        }
        let fits = |answer: &Answer| {
            answer.method.eq_ignore_ascii_case(&request.method)
                && answer.path == request.path
                && answer.port.or(self.default_port()) == Some(port)
        };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = answers.iter().position(fits) else {
            return Err(format!(
                "the case gives no answer to {} {} on port {port}",
                request.method, request.path
            ));
        };
        let more = answers[first + 1..].iter().any(fits);
        let answer = match more {
            true => answers.remove(first),
            false => answers[first].clone(),
        };
        if let Some(error) = answer.error {
            return Err(error);
        }
        Ok(HttpResponse {
            status: answer.status.unwrap_or(200),
            headers: answer.headers.into_iter().collect(),
            body: answer.body.into_bytes(),
        })
    }
}

impl ContainerAccess for Container {
    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn image(&self) -> &str {
        &self.image
    }

    fn address(&self) -> Option<IpAddr> {
        self.address
    }

    fn ports(&self) -> &[PublishedPort] {
        &self.ports
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    fn state(&self) -> BoxFuture<'_, Result<RunningState, String>> {
        ready(Ok(self.state.clone())).boxed()
    }

    fn stats(&self) -> BoxFuture<'_, Result<ContainerStats, String>> {
        ready(Ok(self.stats)).boxed()
    }

    fn logs(&self, lines: u32) -> BoxFuture<'_, Result<Vec<String>, String>> {
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        let start = self.logs.len().saturating_sub(lines);
        ready(Ok(self.logs[start..].to_vec())).boxed()
    }

    fn http(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, String>> {
        ready(self.exchange(&request)).boxed()
    }

    fn tcp_connect(&self, port: u16, _: Duration) -> BoxFuture<'_, Result<(), String>> {
        let default = self.listens && self.default_port() == Some(port);
        let open = default || self.tcp.contains(&port);
        ready(match open {
            true => Ok(()),
            false => Err(format!("no connection to port {port}: connection refused")),
        })
        .boxed()
    }

    fn exec(
        &self,
        command: Vec<String>,
        _: Duration,
    ) -> BoxFuture<'_, Result<ExecOutcome, String>> {
        let given = self.commands.iter().find(|given| given.command == command);
        ready(match given {
            None => Err(format!("the case says nothing of the command {command:?}")),
            Some(Command {
                error: Some(error), ..
            }) => Err(error.clone()),
            Some(given) => Ok(ExecOutcome {
                exit_code: given.exit_code,
                output: given.output.clone(),
            }),
        })
        .boxed()
    }
}

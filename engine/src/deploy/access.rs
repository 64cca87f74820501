//! What hooks reach through: a build context, and a running container.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::reach::plain;
use crate::app::{ImageBuild, Protocol};
use crate::context::Context;
use crate::docker::{ContainerDetail, Docker, HealthStatus, LogOptions};
use crate::plan::edge::EdgePort;
use crate::plan::observed::{ContainerStats, HistoryEntry, ImageFacts, PublishedPort, label};
use crate::plugin::{
    ContainerAccess, ContextAccess, ExecOutcome, HttpRequest, HttpResponse, ImageAccess,
    MAX_HTTP_BODY, RunningState,
};

/// A build context that is walked when a plugin first asks for it: most plugins never do.
pub struct LazyContext {
    build: ImageBuild,
    context: OnceLock<Result<Context, String>>,
}

impl LazyContext {
    pub fn new(build: &ImageBuild) -> Self {
        Self {
            build: build.clone(),
            context: OnceLock::new(),
        }
    }

    fn get(&self) -> Result<&Context, String> {
        self.context
            .get_or_init(|| Context::load(&self.build).map_err(|error| error.to_string()))
            .as_ref()
            .map_err(Clone::clone)
    }
}

impl ContextAccess for LazyContext {
    fn files(&self) -> Result<Vec<String>, String> {
        Ok(self.get()?.files().map(str::to_owned).collect())
    }

    fn has_file(&self, path: &str) -> bool {
        self.get().is_ok_and(|context| context.has_file(path))
    }

    fn read_file(&self, path: &str, limit: usize) -> Result<Vec<u8>, String> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        self.get()?
            .read_file(path, limit)
            .map_err(|error| error.to_string())
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.build.context)
    }

    fn sends(&self, file: &std::fs::File) -> bool {
        self.get().is_ok_and(|context| context.sends(file))
    }
}

/// A started container, as hooks and health checks reach it.
pub struct RunningContainer {
    pub(super) docker: Docker,
    pub(super) detail: ContainerDetail,
    /// True once it has taken a connection itself, without a proxy in between.
    pub(super) answered: AtomicBool,
}

impl RunningContainer {
    pub fn new(docker: Docker, detail: ContainerDetail) -> Arc<Self> {
        Arc::new(Self {
            docker,
            detail,
            answered: AtomicBool::new(false),
        })
    }

    /// The port that is meant where none is named.
    pub fn default_port(&self) -> Result<u16, String> {
        let tcp = |port: &&PublishedPort| port.protocol == Protocol::Tcp;
        let own = self.detail.ports.iter().find(tcp);
        // The edge publishes those of a container behind it.
        let edge = self.detail.labels.get(label::EDGE_PORTS);
        let edge: Vec<EdgePort> = edge
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        let edge = edge.first().map(|port| port.container_port);
        edge.or(own.map(|port| port.container_port))
            .ok_or_else(|| "it publishes no TCP port, and none was named".to_owned())
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, String> {
        let port = match request.port {
            Some(port) => port,
            None => self.default_port()?,
        };
        let stream = self.connect(port).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let mut head = http::Request::builder()
            .method(request.method.as_str())
            .uri(&request.path);
        let named = |name: &str| {
            let same = |(key, _): &(String, String)| key.eq_ignore_ascii_case(name);
            request.headers.iter().any(same)
        };
        if !named("host") {
            head = head.header("host", format!("localhost:{port}"));
        }
        if !named("user-agent") {
            head = head.header("user-agent", concat!("rengine/", env!("CARGO_PKG_VERSION")));
        }
        for (name, value) in &request.headers {
            head = head.header(name, value);
        }
        let message = head
            .body(Full::new(Bytes::from(request.body)))
            .map_err(|error| format!("the request can't be sent: {error}"))?;
        // The connection's own task in hyper's sense; here it lives and ends with the exchange.
        let exchange = async {
            let response = sender.send_request(message).await.map_err(plain)?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_HTTP_BODY)
                .collect()
                .await
                .map_err(|error| match error.downcast_ref::<hyper::Error>() {
                    Some(error) => format!("its answer broke off: {error}"),
                    None => format!("its answer has more than {MAX_HTTP_BODY} bytes"),
                })?
                .to_bytes();
            let headers = head.headers.iter().map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            });
            Ok(HttpResponse {
                status: head.status.as_u16(),
                headers: headers.collect(),
                body: body.to_vec(),
            })
        };
        tokio::pin!(exchange);
        tokio::pin!(connection);
        tokio::select! {
            response = &mut exchange => response,
            ended = &mut connection => match ended {
                // The other side closed after it answered.
                Ok(()) => exchange.await,
                Err(error) => Err(plain(error)),
            }
        }
    }
}

impl ContainerAccess for RunningContainer {
    fn id(&self) -> &str {
        &self.detail.id
    }

    fn name(&self) -> &str {
        &self.detail.name
    }

    fn image(&self) -> &str {
        &self.detail.image_id
    }

    fn address(&self) -> Option<IpAddr> {
        self.detail.address
    }

    fn ports(&self) -> &[PublishedPort] {
        &self.detail.ports
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        &self.detail.labels
    }

    fn state(&self) -> BoxFuture<'_, Result<RunningState, String>> {
        async move {
            match self.docker.inspect(&self.detail.id).await {
                Ok(Some(detail)) => Ok(running_state(detail)),
                Ok(None) => Err("it was removed".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        }
        .boxed()
    }

    fn stats(&self) -> BoxFuture<'_, Result<ContainerStats, String>> {
        async move {
            match self.docker.stats(&self.detail.id).await {
                Ok(Some(stats)) => Ok(stats),
                Ok(None) => Err("it does not run".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        }
        .boxed()
    }

    fn logs(&self, lines: u32) -> BoxFuture<'_, Result<Vec<String>, String>> {
        last_lines(&self.docker, &self.detail.id, lines)
            .map(|lines| lines.map_err(|error| error.to_string()))
            .boxed()
    }

    fn http(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, String>> {
        let limit = request.timeout;
        async move {
            timeout(limit, self.exchange(request))
                .await
                .unwrap_or_else(|_| Err(format!("no answer within {}", time(limit))))
        }
        .boxed()
    }

    fn tcp_connect(&self, port: u16, limit: Duration) -> BoxFuture<'_, Result<(), String>> {
        async move {
            match timeout(limit, self.connect(port)).await {
                Ok(connected) => connected.map(drop),
                Err(_) => Err(format!(
                    "no connection to port {port} within {}",
                    time(limit)
                )),
            }
        }
        .boxed()
    }

    fn exec(
        &self,
        command: Vec<String>,
        limit: Duration,
    ) -> BoxFuture<'_, Result<ExecOutcome, String>> {
        async move {
            let ended = self.docker.exec(&self.detail.id, &command, limit).await;
            ended
                .map(|ended| ExecOutcome {
                    exit_code: ended.exit_code,
                    output: ended.output,
                })
                .map_err(|error| error.to_string())
        }
        .boxed()
    }
}

fn running_state(detail: ContainerDetail) -> RunningState {
    RunningState {
        running: detail.running,
        started_ms: detail
            .started_at
            .and_then(|time| u64::try_from(time.as_millisecond()).ok()),
        exit_code: detail.exit_code,
        restarts: u32::try_from(detail.restart_count).unwrap_or(u32::MAX),
        health: detail.health.map(|health| {
            let status = match health.status {
                HealthStatus::Starting => "starting",
                HealthStatus::Healthy => "healthy",
                HealthStatus::Unhealthy => "unhealthy",
            };
            status.to_owned()
        }),
    }
}

/// An image that was built for a service, as hooks reach it.
pub struct BuiltImage {
    docker: Docker,
    facts: ImageFacts,
}

impl BuiltImage {
    pub fn new(docker: Docker, facts: ImageFacts) -> Arc<Self> {
        Arc::new(Self { docker, facts })
    }
}

impl ImageAccess for BuiltImage {
    fn facts(&self) -> &ImageFacts {
        &self.facts
    }

    fn history(&self) -> BoxFuture<'_, Result<Vec<HistoryEntry>, String>> {
        let history = self.docker.history(&self.facts.id);
        history
            .map(|history| history.map_err(|error| error.to_string()))
            .boxed()
    }

    fn may_tag<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let holder = self.docker.image(reference).await;
            let Some(holder) = holder.map_err(|error| error.to_string())? else {
                return Ok(());
            };
            let same = |name: &str| {
                let own = self.facts.labels.get(name);
                own.is_some() && holder.labels.get(name) == own
            };
            if same(label::APP) && same(label::SERVICE) {
                return Ok(());
            }
            Err(format!(
                "`{reference}` is the name of an image that is not this service's"
            ))
        }
        .boxed()
    }
}

fn time(time: Duration) -> impl std::fmt::Display {
    humantime::format_duration(time)
}

/// The last lines of a container's output.
pub async fn last_lines(
    docker: &Docker,
    id: &str,
    lines: u32,
) -> Result<Vec<String>, crate::docker::DockerError> {
    let options = LogOptions {
        tail: Some(lines),
        ..Default::default()
    };
    docker
        .logs(id, options)
        .map_ok(|line| line.text)
        .try_collect()
        .await
}

/// What would help in a folder that has no Dockerfile.
pub fn without_dockerfile(folder: &Path) -> String {
    let other = ["compose.yaml", "compose.yml", "docker-compose.yml"];
    if folder.join("go.mod").is_file() {
        "write a Dockerfile, or use the plugin go-static, which writes one for Go programs".into()
    } else if other.iter().any(|name| folder.join(name).is_file()) {
        "write a Dockerfile where the Compose file says that it is, or name an `image` there".into()
    } else {
        "write a Dockerfile, name another with `build = { dockerfile = \"…\" }`, or an image with \
         `image = \"…\"` under [app] in plugins.toml"
            .into()
    }
}

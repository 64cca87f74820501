//! The resource `running-container`.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Resource;

use super::convert::to_wit;
use crate::plugin::bindings::rengine::plugin::running::{
    ContainerState, Host, HostRunningContainer, HttpRequest, HttpResponse, PublishedPort, Stats,
};
use crate::plugin::call::State;
use crate::plugin::limits::MAX_HTTP_HEAD_BYTES;
use crate::plugin::{ContainerAccess, MAX_HTTP_BODY, access};

/// Time for an exchange with a container, where the plugin does not say.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Lines of output that a plugin gets at most.
const MAX_LOG_LINES: u32 = 1000;

/// A container in the hands of a plugin.
pub struct RunningResource(pub Arc<dyn ContainerAccess>);

type Handle = Resource<RunningResource>;

impl State {
    fn container(&self, handle: &Handle) -> wasmtime::Result<Arc<dyn ContainerAccess>> {
        Ok(self.table.get(handle)?.0.clone())
    }
}

fn timeout(millis: Option<u32>) -> Duration {
    millis.map_or(EXCHANGE_TIMEOUT, |millis| {
        Duration::from_millis(millis.into())
    })
}

impl Host for State {}

impl HostRunningContainer for State {
    fn id(&mut self, this: Handle) -> wasmtime::Result<String> {
        Ok(self.container(&this)?.id().to_owned())
    }

    fn name(&mut self, this: Handle) -> wasmtime::Result<String> {
        Ok(self.container(&this)?.name().to_owned())
    }

    fn image(&mut self, this: Handle) -> wasmtime::Result<String> {
        Ok(self.container(&this)?.image().to_owned())
    }

    fn address(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self
            .container(&this)?
            .address()
            .map(|address| address.to_string()))
    }

    fn ports(&mut self, this: Handle) -> wasmtime::Result<Vec<PublishedPort>> {
        let container = self.container(&this)?;
        let ports = container.ports().iter().filter_map(|port| {
            Some(PublishedPort {
                container_port: port.container_port,
                protocol: to_wit::protocol(port.protocol)?,
                host_address: port.host_address.clone(),
                host_port: port.host_port,
            })
        });
        Ok(ports.collect())
    }

    fn labels(&mut self, this: Handle) -> wasmtime::Result<Vec<(String, String)>> {
        let labels = self.container(&this)?.labels().clone();
        Ok(labels.into_iter().collect())
    }

    async fn state(&mut self, this: Handle) -> wasmtime::Result<Result<ContainerState, String>> {
        let container = self.container(&this)?;
        Ok(container.state().await.map(|state| ContainerState {
            running: state.running,
            started_ms: state.started_ms,
            exit_code: state.exit_code,
            restarts: state.restarts,
            health: state.health,
        }))
    }

    async fn stats(&mut self, this: Handle) -> wasmtime::Result<Result<Stats, String>> {
        let container = self.container(&this)?;
        Ok(container.stats().await.map(|stats| Stats {
            cpu_ns: stats.cpu_ns,
            memory: stats.memory,
            memory_limit: stats.memory_limit,
            processes: stats.processes,
            received: stats.received,
            sent: stats.sent,
        }))
    }

    async fn logs(
        &mut self,
        this: Handle,
        lines: u32,
    ) -> wasmtime::Result<Result<Vec<String>, String>> {
        let container = self.container(&this)?;
        Ok(container.logs(lines.min(MAX_LOG_LINES)).await)
    }

    async fn http(
        &mut self,
        this: Handle,
        request: HttpRequest,
    ) -> wasmtime::Result<Result<HttpResponse, String>> {
        let container = self.container(&this)?;
        if request.body.len() > MAX_HTTP_BODY {
            return Ok(Err(format!("the body has more than {MAX_HTTP_BODY} bytes")));
        }
        let fields = request.headers.iter();
        let head = fields.map(|(name, value)| name.len() + value.len() + 4);
        if head.sum::<usize>() + request.method.len() + request.path.len() > MAX_HTTP_HEAD_BYTES {
            return Ok(Err(format!(
                "method, path and header fields have more than {MAX_HTTP_HEAD_BYTES} bytes"
            )));
        }
        let request = access::HttpRequest {
            method: request.method,
            path: request.path,
            headers: request.headers,
            body: request.body,
            port: request.port,
            timeout: timeout(request.timeout_ms),
        };
        Ok(container.http(request).await.map(|response| HttpResponse {
            status: response.status,
            headers: response.headers,
            body: response.body,
        }))
    }

    async fn tcp_connect(
        &mut self,
        this: Handle,
        port: u16,
        millis: Option<u32>,
    ) -> wasmtime::Result<Result<(), String>> {
        let container = self.container(&this)?;
        Ok(container.tcp_connect(port, timeout(millis)).await)
    }

    fn drop(&mut self, this: Handle) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

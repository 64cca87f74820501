//! What BuildKit asks for while it builds, over a connection that rengine makes and the daemon
//! calls back on: files, secrets, and the agents that hold keys for ssh.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use bollard::grpc::build::health::health_check_response::ServingStatus;
use bollard::grpc::build::health::health_server::{Health, HealthServer};
use bollard::grpc::build::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use bollard::grpc::build::moby::buildkit::secrets::v1::secrets_server::{Secrets, SecretsServer};
use bollard::grpc::build::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use bollard::grpc::build::moby::filesync::v1::auth_server::{Auth, AuthServer};
use bollard::grpc::build::moby::filesync::v1::file_sync_server::FileSyncServer;
use bollard::grpc::build::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse,
    GetTokenAuthorityRequest, GetTokenAuthorityResponse, VerifyTokenAuthorityRequest,
    VerifyTokenAuthorityResponse,
};
use bollard::grpc::build::moby::sshforward::v1::ssh_server::{Ssh, SshServer};
use bollard::grpc::build::moby::sshforward::v1::{
    BytesMessage, CheckAgentRequest, CheckAgentResponse,
};
use futures_util::stream::{self, BoxStream, StreamExt};
use http::header;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

use super::super::wire;
use super::super::{Docker, DockerError};
use super::agent::Agent;
use super::files::Files;
use crate::app::{BuildRun, BuildSecret, SshSource};
use crate::credentials::{HUB_KEY, Login};
use crate::docker::transport::Stream;

/// The id of an agent that a step asks for without a name.
const DEFAULT_AGENT: &str = "default";
/// What is handed on at once.
const PIECE: usize = 32 * 1024;
/// Bytes that the daemon may send in one call before they are taken, and in all calls together.
///
/// The second is far more than it ever sends: a connection with too many small messages that nobody took
/// yet is ended, and it is by this size that the HTTP library says how many are too many. Each is
/// counted as [`SMALL`] bytes, and half of these may be waiting. The daemon asks for each file in a message
/// of at least [`SMALLEST`] bytes, as fast as it can.
const CALL_WINDOW: u32 = 64 * 1024;
const WINDOW: u32 = 4 * 1024 * 1024;
const SMALL: u32 = 256;
const SMALLEST: u32 = 9;
const _: () = assert!(CALL_WINDOW / SMALLEST * (SMALL - SMALLEST) <= WINDOW / 2);
/// What the daemon may call, as it wants to have it said.
const METHODS: [&str; 6] = [
    "/grpc.health.v1.Health/Check",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.filesync.v1.FileSync/DiffCopy",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    "/moby.sshforward.v1.SSH/CheckAgent",
    "/moby.sshforward.v1.SSH/ForwardAgent",
];

/// A session; it ends when this is dropped.
pub struct Session {
    /// Once this is dropped the daemon is told to ask for nothing more, and the connection ends with
    /// what it is asking for, which ends with the build.
    _open: oneshot::Sender<()>,
    _agents: Vec<Agent>,
}

impl Session {
    /// Opens a session of this name for a build. What the daemon got in a session with the same
    /// `shared_key` it does not ask for again.
    /// `credentials` are those for registries, by the names that builders know them by.
    pub async fn open(
        docker: &Docker,
        id: &str,
        shared_key: &str,
        run: &BuildRun,
        credentials: HashMap<String, Login>,
        files: Files,
    ) -> Result<Self, DockerError> {
        let mut agents = Vec::new();
        let mut sockets = BTreeMap::new();
        for (name, source) in &run.ssh {
            let socket = match source {
                SshSource::Agent(socket) => socket.clone(),
                SshSource::Key(key) => {
                    let agent = Agent::start(key).await?;
                    let socket = agent.socket().to_owned();
                    agents.push(agent);
                    socket
                }
            };
            sockets.insert(name.clone(), socket);
        }
        let mut request = wire::post("/session")
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "h2c")
            .header("X-Docker-Expose-Session-Uuid", id)
            .header("X-Docker-Expose-Session-Sharedkey", shared_key);
        for method in METHODS {
            request = request.header("X-Docker-Expose-Session-Grpc-Method", method);
        }
        const ACTION: &str = "open a session for the build";
        let invalid = |error: &dyn std::fmt::Display| DockerError::Daemon {
            action: ACTION.to_owned(),
            status: None,
            message: error.to_string(),
        };
        let request = request
            .body(wire::nothing())
            .map_err(|error| invalid(&error))?;
        let answer = docker.request(ACTION, request).await?;
        let stream = answer.upgraded().await.map_err(|error| invalid(&error))?;
        let router = tonic::transport::Server::builder()
            .initial_stream_window_size(CALL_WINDOW)
            .initial_connection_window_size(WINDOW)
            .add_service(HealthServer::new(Serving))
            .add_service(AuthServer::new(LoggedIn(credentials)))
            .add_service(FileSyncServer::new(files))
            .add_service(SecretsServer::new(Kept(run.secrets.clone())))
            .add_service(SshServer::new(Agents(sockets)));
        let (open, closed) = oneshot::channel();
        tokio::spawn(async move {
            let one = stream::iter([Ok::<_, std::io::Error>(stream)]).chain(stream::pending());
            let closed = async { drop(closed.await) };
            // The build says what it could not get.
            drop(router.serve_with_incoming_shutdown(one, closed).await);
        });
        Ok(Self {
            _open: open,
            _agents: agents,
        })
    }
}

impl Connected for Stream {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

/// Says that the session is there, which the daemon asks every few seconds.
struct Serving;

#[tonic::async_trait]
impl Health for Serving {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse {
            status: ServingStatus::Serving.into(),
        }))
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented("the daemon only checks"))
    }

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("the daemon only checks"))
    }
}

/// Who one is to registries.
struct LoggedIn(HashMap<String, Login>);

/// Docker Hub, as BuildKit asks for it.
const HUB_HOST: &str = "registry-1.docker.io";

#[tonic::async_trait]
impl Auth for LoggedIn {
    async fn credentials(
        &self,
        request: Request<CredentialsRequest>,
    ) -> Result<Response<CredentialsResponse>, Status> {
        let host = request.into_inner().host;
        let key = match host.as_str() {
            HUB_HOST => HUB_KEY,
            host => host,
        };
        let Some(known) = self.0.get(key).cloned() else {
            return Ok(Response::new(CredentialsResponse::default()));
        };
        // A token takes the place of the password, and has no name with it.
        let (username, secret) = match known.identity_token {
            Some(token) => (String::new(), token),
            None => (
                known.username.unwrap_or_default(),
                known.password.unwrap_or_default(),
            ),
        };
        Ok(Response::new(CredentialsResponse { username, secret }))
    }

    async fn fetch_token(
        &self,
        _: Request<FetchTokenRequest>,
    ) -> Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unimplemented("the daemon fetches tokens"))
    }

    async fn get_token_authority(
        &self,
        _: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("the daemon fetches tokens"))
    }

    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("the daemon fetches tokens"))
    }
}

/// The secrets of a build, by id.
struct Kept(BTreeMap<String, BuildSecret>);

#[tonic::async_trait]
impl Secrets for Kept {
    async fn get_secret(
        &self,
        request: Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        let id = request.into_inner().id;
        match self.0.get(&id) {
            Some(BuildSecret(contents)) => Ok(Response::new(GetSecretResponse {
                data: contents.clone(),
            })),
            None => Err(Status::not_found(format!("the build has no secret `{id}`"))),
        }
    }
}

/// The sockets of agents, by id.
struct Agents(BTreeMap<String, PathBuf>);

impl Agents {
    fn socket(&self, id: &str) -> Result<&PathBuf, Status> {
        let id = match id {
            "" => DEFAULT_AGENT,
            id => id,
        };
        let none = || Status::not_found(format!("the build has no `ssh` with the id `{id}`"));
        self.0.get(id).ok_or_else(none)
    }
}

#[tonic::async_trait]
impl Ssh for Agents {
    type ForwardAgentStream = BoxStream<'static, Result<BytesMessage, Status>>;

    async fn check_agent(
        &self,
        request: Request<CheckAgentRequest>,
    ) -> Result<Response<CheckAgentResponse>, Status> {
        self.socket(&request.into_inner().id)?;
        Ok(Response::new(CheckAgentResponse {}))
    }

    async fn forward_agent(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::ForwardAgentStream>, Status> {
        let id = request.metadata().get("buildkit.ssh.id");
        let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
        let agent = UnixStream::connect(self.socket(id)?).await;
        let agent = agent.map_err(|error| {
            Status::unavailable(format!("the ssh agent can't be reached: {error}"))
        })?;
        let (mut read, mut write) = agent.into_split();
        let mut asked = request.into_inner();
        let (answers, receiver) = tokio::sync::mpsc::channel(1);
        // Ends with its stream: when the step ends, or the session does.
        tokio::spawn(async move {
            while let Ok(Some(message)) = asked.message().await {
                if write.write_all(&message.data).await.is_err() {
                    break;
                }
            }
            // The agent sees the end, and ends its own answers.
            drop(write.shutdown().await);
        });
        tokio::spawn(async move {
            let mut buffer = vec![0; PIECE];
            while let Ok(length @ 1..) = read.read(&mut buffer).await {
                let data = buffer[..length].to_vec();
                if answers.send(Ok(BytesMessage { data })).await.is_err() {
                    break;
                }
            }
        });
        let next = async |mut receiver: tokio::sync::mpsc::Receiver<_>| {
            let item = receiver.recv().await?;
            Some((item, receiver))
        };
        Ok(Response::new(stream::unfold(receiver, next).boxed()))
    }
}

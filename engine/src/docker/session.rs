//! A process in a container that a person or a pipe is connected to.

use std::pin::Pin;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::exec::{CreateExecOptions, ResizeExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::{AttachContainerOptions, ResizeContainerTTYOptions};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::io::AsyncWrite;

use super::logs::LogStream;
use super::{Docker, DockerError};
use crate::app::Command;

/// What a process writes, in pieces as they come.
pub type SessionOutput = BoxStream<'static, Result<(LogStream, Bytes), DockerError>>;
/// What it reads; it sees the end when this is dropped.
pub type SessionInput = Pin<Box<dyn AsyncWrite + Send>>;

/// A process with its standard streams connected.
pub struct Session {
    docker: Docker,
    of: Of,
    /// What it writes; ends when it does.
    pub output: SessionOutput,
    /// What it reads.
    pub input: SessionInput,
}

enum Of {
    Exec(String),
    Container(String),
}

/// How a process is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wiring {
    /// True if it has a terminal, which makes one stream of its two.
    pub tty: bool,
    /// True if it reads what the caller writes.
    pub stdin: bool,
}

impl Docker {
    /// Runs a command in a running container, connected.
    pub async fn exec_session(
        &self,
        container: &str,
        command: &Command,
        wiring: Wiring,
    ) -> Result<Session, DockerError> {
        let id = self.create_exec(container, command, wiring).await?;
        let options = StartExecOptions {
            detach: false,
            tty: wiring.tty,
            output_capacity: None,
        };
        let started = self.patient().start_exec(&id, Some(options)).await;
        let action = format!("run `{}` in {container}", command.command.join(" "));
        match started.map_err(|error| self.error(&action, error))? {
            StartExecResults::Attached { output, input } => Ok(Session {
                output: self.pieces(output.boxed(), action),
                docker: self.clone(),
                of: Of::Exec(id),
                input,
            }),
            StartExecResults::Detached => Ok(Session {
                output: stream::empty().boxed(),
                docker: self.clone(),
                of: Of::Exec(id),
                input: Box::pin(tokio::io::sink()),
            }),
        }
    }

    /// Runs a command in a running container, and does not wait for it.
    pub async fn exec_detached(
        &self,
        container: &str,
        command: &Command,
    ) -> Result<(), DockerError> {
        let wiring = Wiring {
            tty: false,
            stdin: false,
        };
        let id = self.create_exec(container, command, wiring).await?;
        let options = StartExecOptions {
            detach: true,
            ..StartExecOptions::default()
        };
        let started = self.client().start_exec(&id, Some(options)).await;
        let action = || format!("run `{}` in {container}", command.command.join(" "));
        started
            .map(drop)
            .map_err(|error| self.error(action(), error))
    }

    async fn create_exec(
        &self,
        container: &str,
        command: &Command,
        wiring: Wiring,
    ) -> Result<String, DockerError> {
        let env = command.env.iter();
        let env: Vec<_> = env.map(|(name, value)| format!("{name}={value}")).collect();
        let options = CreateExecOptions {
            attach_stdin: Some(wiring.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(wiring.tty),
            cmd: Some(command.command.clone()),
            user: command.user.clone(),
            privileged: command.privileged.then_some(true),
            working_dir: command.working_dir.clone(),
            env: (!env.is_empty()).then_some(env),
            ..CreateExecOptions::default()
        };
        let created = self.client().create_exec(container, options).await;
        let action = || format!("run `{}` in {container}", command.command.join(" "));
        Ok(created.map_err(|error| self.error(action(), error))?.id)
    }

    /// Connects to the process of a container, before it is started so that nothing is missed.
    pub async fn attach(&self, container: &str, wiring: Wiring) -> Result<Session, DockerError> {
        let options = AttachContainerOptions {
            stdin: wiring.stdin,
            stdout: true,
            stderr: true,
            stream: true,
            ..AttachContainerOptions::default()
        };
        let action = format!("connect to {container}");
        let attached = self
            .patient()
            .attach_container(container, Some(options))
            .await;
        let AttachContainerResults { output, input } =
            attached.map_err(|error| self.error(&action, error))?;
        Ok(Session {
            output: self.pieces(output.boxed(), action),
            docker: self.clone(),
            of: Of::Container(container.to_owned()),
            input,
        })
    }

    fn pieces(
        &self,
        chunks: BoxStream<'static, Result<LogOutput, bollard::errors::Error>>,
        action: String,
    ) -> SessionOutput {
        let docker = self.clone();
        let piece = move |chunk| match chunk {
            Ok(chunk) => {
                let stream = match chunk {
                    LogOutput::StdErr { .. } => LogStream::Stderr,
                    _ => LogStream::Stdout,
                };
                Ok((stream, chunk.into_bytes()))
            }
            Err(error) => Err(docker.error(&action, error)),
        };
        chunks.map(piece).boxed()
    }
}

impl Session {
    /// What a terminal's size is from now on.
    pub fn resizer(
        &self,
    ) -> impl Fn(u16, u16) -> futures_util::future::BoxFuture<'static, ()> + use<> {
        let docker = self.docker.clone();
        let (exec, id) = match &self.of {
            Of::Exec(id) => (true, id.clone()),
            Of::Container(id) => (false, id.clone()),
        };
        move |width, height| {
            let (docker, id) = (docker.clone(), id.clone());
            Box::pin(async move {
                // A size that can't be told is no reason to end a session.
                let _ = match exec {
                    true => {
                        let size = ResizeExecOptions { height, width };
                        docker.client().resize_exec(&id, size).await
                    }
                    false => {
                        let size = ResizeContainerTTYOptions {
                            h: i32::from(height),
                            w: i32::from(width),
                        };
                        docker.client().resize_container_tty(&id, size).await
                    }
                };
            })
        }
    }

    /// The exit status of the process, once its output has ended.
    pub async fn exit_code(&self) -> Result<i64, DockerError> {
        match &self.of {
            Of::Exec(id) => {
                let inspected = self.docker.client().inspect_exec(id).await;
                let inspected =
                    inspected.map_err(|error| self.docker.error("ask how a command ended", error));
                Ok(inspected?.exit_code.unwrap_or(-1))
            }
            Of::Container(id) => self.docker.wait(id).await,
        }
    }
}

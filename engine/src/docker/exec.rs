//! Commands in running containers.

use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecResults};
use futures_util::StreamExt;

use super::{Docker, DockerError};
use crate::app::Command;

/// What is kept of a command's output.
const MAX_OUTPUT: usize = 64 * 1024;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutcome {
    /// Its exit status.
    pub exit_code: i64,
    /// What it printed, both streams together: the first 64 KiB.
    pub output: String,
}

impl Docker {
    /// Runs a command in a running container and waits for it, at most `timeout`.
    pub async fn exec(
        &self,
        id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<ExecOutcome, DockerError> {
        let command = Command {
            command: command.to_vec(),
            ..Command::default()
        };
        self.exec_as(id, &command, timeout).await
    }

    /// The same, with all that can be said of a command.
    pub async fn exec_as(
        &self,
        id: &str,
        command: &Command,
        timeout: Duration,
    ) -> Result<ExecOutcome, DockerError> {
        let mut output = Vec::new();
        match tokio::time::timeout(timeout, self.run(id, command, &mut output)).await {
            Ok(exit_code) => Ok(ExecOutcome {
                exit_code: exit_code?,
                output: String::from_utf8_lossy(&output).into_owned(),
            }),
            Err(_) => Err(DockerError::ExecTimeout {
                container: id.to_owned(),
                command: command.command.join(" "),
                timeout,
                output: String::from_utf8_lossy(&output).into_owned(),
            }),
        }
    }

    async fn run(
        &self,
        id: &str,
        command: &Command,
        output: &mut Vec<u8>,
    ) -> Result<i64, DockerError> {
        let words = command.command.join(" ");
        let error = |error| self.error(format!("run `{words}` in {id}"), error);
        let env = command.env.iter();
        let env: Vec<_> = env.map(|(name, value)| format!("{name}={value}")).collect();
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.command.clone()),
            user: command.user.clone(),
            privileged: command.privileged.then_some(true),
            working_dir: command.working_dir.clone(),
            env: (!env.is_empty()).then_some(env),
            ..CreateExecOptions::default()
        };
        let exec = self
            .client()
            .create_exec(id, options)
            .await
            .map_err(error)?
            .id;
        if let StartExecResults::Attached {
            output: mut chunks, ..
        } = self
            .patient()
            .start_exec(&exec, None)
            .await
            .map_err(error)?
        {
            // All of it is read, so that the command never waits for somebody to do so.
            while let Some(chunk) = chunks.next().await {
                let bytes = chunk.map_err(error)?.into_bytes();
                let room = MAX_OUTPUT - output.len();
                output.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
        let outcome = self.client().inspect_exec(&exec).await.map_err(error)?;
        // Without a status it could not be started, which the daemon has told by then.
        Ok(outcome.exit_code.unwrap_or(-1))
    }
}

//! Commands in running containers.

use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecResults};
use futures_util::StreamExt;

use super::{Docker, DockerError};

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
        let mut output = Vec::new();
        match tokio::time::timeout(timeout, self.run(id, command, &mut output)).await {
            Ok(exit_code) => Ok(ExecOutcome {
                exit_code: exit_code?,
                output: String::from_utf8_lossy(&output).into_owned(),
            }),
            Err(_) => Err(DockerError::ExecTimeout {
                container: id.to_owned(),
                command: command.join(" "),
                timeout,
                output: String::from_utf8_lossy(&output).into_owned(),
            }),
        }
    }

    async fn run(
        &self,
        id: &str,
        command: &[String],
        output: &mut Vec<u8>,
    ) -> Result<i64, DockerError> {
        let error = |error| self.error(format!("run `{}` in {id}", command.join(" ")), error);
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
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

//! Commands in running containers.

use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecResults};
use futures_util::StreamExt;

use super::{Docker, DockerError};
use crate::app::Command;

/// What is kept of a command's output.
const MAX_OUTPUT: usize = 64 * 1024;
/// What is kept of what a program of rengine's own says, which is read as a whole.
const MAX_OWN_OUTPUT: usize = 16 * 1024 * 1024;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutcome {
    /// Its exit status.
    pub exit_code: i64,
    /// What it printed, both streams together: the first 64 KiB, but for [`Docker::exec_own`].
    pub output: String,
}

/// A command of which nothing more is said than its words.
fn plain(words: &[String]) -> Command {
    Command {
        command: words.to_vec(),
        ..Command::default()
    }
}

impl Docker {
    /// Runs a command in a running container and waits for it, at most `timeout`.
    pub async fn exec(
        &self,
        id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<ExecOutcome, DockerError> {
        self.exec_as(id, &plain(command), timeout).await
    }

    /// The same for a program of rengine's own, of which up to 16 MiB are kept. Fails if it printed more, with
    /// [`DockerError::ExecOutput`].
    pub async fn exec_own(
        &self,
        id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<ExecOutcome, DockerError> {
        let own = plain(command);
        let outcome = self.exec_up_to(id, &own, timeout, MAX_OWN_OUTPUT).await?;
        match outcome.output.len() < MAX_OWN_OUTPUT {
            true => Ok(outcome),
            false => Err(DockerError::ExecOutput {
                container: id.to_owned(),
                command: command.join(" "),
                limit: MAX_OWN_OUTPUT,
            }),
        }
    }

    /// The same, with all that can be said of a command.
    pub async fn exec_as(
        &self,
        id: &str,
        command: &Command,
        timeout: Duration,
    ) -> Result<ExecOutcome, DockerError> {
        self.exec_up_to(id, command, timeout, MAX_OUTPUT).await
    }

    async fn exec_up_to(
        &self,
        id: &str,
        command: &Command,
        timeout: Duration,
        most: usize,
    ) -> Result<ExecOutcome, DockerError> {
        let mut output = Vec::new();
        match tokio::time::timeout(timeout, self.run(id, command, most, &mut output)).await {
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
        most: usize,
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
                let room = most - output.len();
                output.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
        let outcome = self.client().inspect_exec(&exec).await.map_err(error)?;
        // Without a status it could not be started, which the daemon has told by then.
        Ok(outcome.exit_code.unwrap_or(-1))
    }
}

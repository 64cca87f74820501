//! Programs that keep credentials: `docker-credential-NAME`, by the protocol of
//! <https://github.com/docker/docker-credential-helpers>.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::{CredentialsError, Login};

/// Time for an answer. Some ask a cloud, and some a person.
const HELPER_TIMEOUT: Duration = Duration::from_secs(60);
/// What stands for the user's name where the secret is an identity token.
const TOKEN_USER: &str = "<token>";
/// What a program says that has none for a registry; it fails with it, as with all else.
const NOT_FOUND: &str = "credentials not found";

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username")]
    username: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// What the program of this name has for a registry.
pub(super) async fn get(
    suffix: &str,
    key: &str,
    config: &Path,
) -> Result<Option<Login>, CredentialsError> {
    let program = format!("docker-credential-{suffix}");
    let failed = |reason: String| CredentialsError::Helper {
        program: program.clone(),
        reason,
    };
    if suffix.contains('/') {
        return Err(failed("that is no name of a program".to_owned()));
    }
    let output = match timeout(HELPER_TIMEOUT, ask(&program, key)).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
            return Err(CredentialsError::NoHelper {
                program,
                config: config.to_owned(),
            });
        }
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => {
            let time = humantime::format_duration(HELPER_TIMEOUT);
            return Err(failed(format!("no answer within {time}")));
        }
    };
    if !output.status.success() {
        // Both streams are in use for it.
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        return match said.contains(NOT_FOUND) {
            true => Ok(None),
            false => Err(failed(said)),
        };
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("its answer is not as expected".to_owned()))?;
    let token = answer.username == TOKEN_USER;
    Ok(Some(Login {
        username: (!token).then_some(answer.username),
        password: (!token).then(|| answer.secret.clone()),
        identity_token: token.then_some(answer.secret),
        server: Some(key.to_owned()),
        registry_token: None,
    }))
}

async fn ask(program: &str, key: &str) -> io::Result<std::process::Output> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read it has its own opinion on what is asked.
        let _ = input.write_all(key.as_bytes()).await;
    }
    child.wait_with_output().await
}

//! Images that are there, and those that are pulled.

use bollard::auth::DockerCredentials;
use bollard::models::ImageInspect;
use bollard::query_parameters::{
    CreateImageOptions, ImportImageOptions, PushImageOptions, RemoveImageOptions, TagImageOptions,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use super::error::status;
use super::inspect::{image_id, port_key};
use super::observe::{IMAGE_TRIES, is_image_gone};
use super::{Docker, DockerError, reference};
use crate::credentials::{CredentialsError, Login, registry};
use crate::plan::observed::{HistoryEntry, ImageFacts};

/// What happens while an image goes from a registry to the daemon, or the other way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferEvent {
    /// The layer, by the start of its digest; `None` where it is about the whole image.
    pub layer: Option<String>,
    /// The daemon's words, such as `Downloading`.
    pub status: String,
    /// Bytes done, where the daemon counts them.
    pub current: Option<u64>,
    /// Bytes to do, where the daemon knows.
    pub total: Option<u64>,
}

impl Docker {
    /// What an image says of itself, by reference or id; `None` if the daemon does not have it.
    pub async fn image(&self, reference: &str) -> Result<Option<ImageFacts>, DockerError> {
        let reference = reference::check(reference)?;
        let mut tries = 1;
        loop {
            match self.client().inspect_image(reference).await {
                Ok(image) => return Ok(Some(image_facts(image))),
                Err(error) if status(&error) == Some(404) => return Ok(None),
                // Podman looks at all images to find out what this one was made from.
                Err(error) if tries < IMAGE_TRIES && is_image_gone(&error) => tries += 1,
                Err(error) => {
                    return Err(self.error(format!("inspect the image {reference}"), error));
                }
            }
        }
    }

    /// Where an image may be in registries, by its id: `name@sha256:…` for each that it was pushed to or pulled
    /// from, and with some daemons for each of its names; empty, too, if the daemon does not have it.
    pub async fn places(&self, id: &str) -> Result<Vec<String>, DockerError> {
        let image = self.inspect_if_there(id).await?;
        Ok(image
            .and_then(|image| image.repo_digests)
            .unwrap_or_default())
    }

    /// The names of an image with their tags, by its id: `name:tag` for each; empty, too, if the daemon does not have it.
    pub async fn tags(&self, id: &str) -> Result<Vec<String>, DockerError> {
        let image = self.inspect_if_there(id).await?;
        Ok(image.and_then(|image| image.repo_tags).unwrap_or_default())
    }

    async fn inspect_if_there(&self, id: &str) -> Result<Option<ImageInspect>, DockerError> {
        match self.client().inspect_image(reference::check(id)?).await {
            Ok(image) => Ok(Some(image)),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.error(format!("inspect the image {id}"), error)),
        }
    }

    /// How an image came to be, the newest step first.
    pub async fn history(&self, id: &str) -> Result<Vec<HistoryEntry>, DockerError> {
        let history = self.client().image_history(reference::check(id)?).await;
        let history = history
            .map_err(|error| self.error(format!("tell the history of the image {id}"), error))?;
        let positive = |number: i64| u64::try_from(number).ok();
        let entries = history.into_iter().map(|item| HistoryEntry {
            created_by: item.created_by,
            size: positive(item.size).unwrap_or(0),
            // Builds that can be reproduced have no time, or that of 1970.
            created_ms: positive(item.created)
                .filter(|&seconds| seconds > 0)
                .and_then(|seconds| seconds.checked_mul(1000)),
        });
        Ok(entries.collect())
    }

    /// Has the daemon fetch an image from its registry, and gives what it says of itself.
    pub async fn pull(
        &self,
        reference: &str,
        events: mpsc::Sender<TransferEvent>,
    ) -> Result<ImageFacts, DockerError> {
        let (name, tag) = reference::split(reference::check(reference)?);
        let options = CreateImageOptions {
            from_image: Some(name.to_owned()),
            tag: Some(tag.to_owned()),
            ..Default::default()
        };
        let (credentials, trouble) = self.credentials_of(reference).await;
        let user = credentials.as_ref().map(Login::user);
        let missing = |message: String| DockerError::NoSuchImage {
            reference: reference.to_owned(),
            message,
        };
        let mut progress = self
            .patient()
            .create_image(Some(options), None, credentials.map(shown));
        loop {
            let item = self.attended(progress.next()).await;
            let Some(item) = item.unwrap_or_else(|error| Some(Err(error))) else {
                break;
            };
            let item = match item {
                Ok(item) => item,
                Err(error) => {
                    return Err(match self.error(format!("pull {reference}"), error) {
                        DockerError::Daemon {
                            status: Some(404),
                            message,
                            ..
                        } => missing(message),
                        error => denied("pull", reference, user, trouble, error),
                    });
                }
            };
            let bytes = item.progress_detail.unwrap_or_default();
            let event = TransferEvent {
                layer: item.id,
                status: item.status.unwrap_or_default(),
                current: bytes.current.and_then(|bytes| u64::try_from(bytes).ok()),
                total: bytes.total.and_then(|bytes| u64::try_from(bytes).ok()),
            };
            // Who does not listen wants no events; the pull goes on.
            let _ = events.send(event).await;
        }
        let image = self.image(reference).await?;
        image.ok_or_else(|| missing("it isn't there after the pull".to_owned()))
    }

    /// Has the daemon send an image to its registry.
    pub async fn push(
        &self,
        reference: &str,
        events: mpsc::Sender<TransferEvent>,
    ) -> Result<(), DockerError> {
        let (name, tag) = reference::split(reference::check(reference)?);
        let options = PushImageOptions {
            tag: Some(tag.to_owned()),
            ..Default::default()
        };
        let (credentials, trouble) = self.credentials_of(reference).await;
        let user = credentials.as_ref().map(Login::user);
        let mut progress = self
            .patient()
            .push_image(name, Some(options), credentials.map(shown))
            .boxed();
        loop {
            let item = self.attended(progress.next()).await;
            let Some(item) = item.unwrap_or_else(|error| Some(Err(error))) else {
                break;
            };
            let item = item.map_err(|error| {
                let error = self.error(format!("push {reference}"), error);
                denied("push", reference, user.clone(), trouble.clone(), error)
            })?;
            let bytes = item.progress_detail.unwrap_or_default();
            let event = TransferEvent {
                // The client does not pass on which layer it is.
                layer: None,
                status: item.status.unwrap_or_default(),
                current: bytes.current.and_then(|bytes| u64::try_from(bytes).ok()),
                total: bytes.total.and_then(|bytes| u64::try_from(bytes).ok()),
            };
            let _ = events.send(event).await;
        }
        Ok(())
    }

    /// Takes the image of this name from an archive as `docker save` writes it, given in pieces. Several may
    /// do so at once with the same image.
    pub async fn load_image(
        &self,
        reference: &str,
        archive: Vec<Bytes>,
    ) -> Result<(), DockerError> {
        let body = bollard::body_stream(stream::iter(archive));
        let options = ImportImageOptions::default();
        let mut lines = self.patient().import_image(options, body, None);
        loop {
            let line = self.attended(lines.next()).await;
            let Some(line) = line.unwrap_or_else(|error| Some(Err(error))) else {
                break;
            };
            if let Err(error) = line {
                // Docker that keeps its images in containerd lets one of them do it, and fails the others.
                return match self.image(reference).await {
                    Ok(Some(_)) => Ok(()),
                    _ => Err(self.error(format!("load the image {reference}"), error)),
                };
            }
        }
        Ok(())
    }

    /// What to show to the registry of an image. That there is something wrong with it matters
    /// only where the registry wants it.
    async fn credentials_of(&self, reference: &str) -> (Option<Login>, Option<CredentialsError>) {
        match self.credentials.of(reference).await {
            Ok(credentials) => (credentials, None),
            Err(error) => (None, Some(error)),
        }
    }

    /// Gives an image another name; whatever had that name loses it.
    pub async fn tag(&self, id: &str, reference: &str) -> Result<(), DockerError> {
        let (name, tag) = reference::split(reference::check(reference)?);
        let options = TagImageOptions {
            repo: Some(name.to_owned()),
            tag: Some(tag.to_owned()),
        };
        let tagged = self
            .client()
            .tag_image(reference::check(id)?, Some(options))
            .await;
        tagged.map_err(|error| self.error(format!("tag the image {id} as {reference}"), error))
    }

    /// Removes an image, by reference or id, with all its names; one that is not there is no
    /// trouble. One that a container uses stays, and that is an error.
    pub async fn remove_image(&self, reference: &str) -> Result<(), DockerError> {
        let options = RemoveImageOptions {
            force: false,
            ..Default::default()
        };
        let removed = self
            .client()
            .remove_image(reference::check(reference)?, Some(options), None)
            .await;
        match removed {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            Err(error) => Err(self.error(format!("remove the image {reference}"), error)),
        }
    }
}

/// What is shown to a registry, as the client wants it.
fn shown(login: Login) -> DockerCredentials {
    DockerCredentials {
        username: login.username,
        password: login.password,
        identitytoken: login.identity_token,
        registrytoken: login.registry_token,
        serveraddress: login.server,
        ..DockerCredentials::default()
    }
}

/// Tells a registry that says no from all else that can go wrong. There is no code for it: what
/// daemons pass on are the words of theirs, of Docker Hub, and of Podman.
fn denied(
    what: &'static str,
    reference: &str,
    user: Option<String>,
    trouble: Option<CredentialsError>,
    error: DockerError,
) -> DockerError {
    const WORDS: [&str; 7] = [
        "unauthorized",
        "authentication required",
        "no basic auth credentials",
        "incorrect username or password",
        "access to the resource is denied",
        "denied:",
        "401",
    ];
    match error {
        DockerError::Daemon { message, .. } if WORDS.iter().any(|word| message.contains(word)) => {
            DockerError::Denied {
                what,
                reference: reference.to_owned(),
                registry: registry(reference).to_owned(),
                user,
                trouble: trouble.map(Box::new),
                message,
            }
        }
        error => error,
    }
}

fn image_facts(image: ImageInspect) -> ImageFacts {
    let config = image.config.unwrap_or_default();
    let mut exposed: Vec<_> = config
        .exposed_ports
        .unwrap_or_default()
        .iter()
        .filter_map(|key| port_key(key))
        .collect();
    exposed.sort_unstable();
    let test = config
        .healthcheck
        .and_then(|check| check.test)
        .unwrap_or_default();
    ImageFacts {
        id: image_id(&image.id.unwrap_or_default()),
        exposed,
        user: config.user.unwrap_or_default(),
        has_health_check: test.first().is_some_and(|kind| kind != "NONE"),
        size: image
            .size
            .and_then(|size| u64::try_from(size).ok())
            .unwrap_or(0),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        tags: image.repo_tags.unwrap_or_default(),
        tagged: image
            .metadata
            .and_then(|metadata| metadata.last_tag_time)
            .map(|time| time.unix_timestamp())
            // The daemon's word for never is the year 1.
            .filter(|&time| time > 0),
        digest: image.repo_digests.and_then(|mut digests| digests.pop()),
        layers: image
            .root_fs
            .and_then(|root| root.layers)
            .unwrap_or_default(),
        os: image.os.unwrap_or_default(),
        architecture: image.architecture.unwrap_or_default(),
        command: config.cmd.filter(|words| !words.is_empty()),
        entrypoint: config.entrypoint.filter(|words| !words.is_empty()),
        working_dir: config.working_dir.filter(|path| !path.is_empty()),
        env: config
            .env
            .unwrap_or_default()
            .iter()
            .map(|variable| {
                let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
                (name.to_owned(), value.to_owned())
            })
            .collect(),
    }
}

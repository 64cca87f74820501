//! Building images, with either of the builders.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use bollard::errors::Error as ClientError;
use bollard::models::{BuildInfo, BuildInfoAux};
use futures_util::{StreamExt, TryStreamExt};
use http::header;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Builder, Docker, DockerError, reference, wire};
use crate::app::ImageBuild;
use crate::context::Context;
use crate::credentials::Login;

mod agent;
mod classic;
mod failure;
mod files;
mod import;
mod label;
mod request;
mod session;
mod shared;
mod trace;

use files::Files;
use session::Session;

/// What is done, for errors.
const ACTION: &str = "build the image";

/// How often a build is begun that Podman has killed.
const MAX_TRIES: usize = 3;

/// How often the bytes that were sent are told, while they are sent.
const SENT_INTERVAL: Duration = Duration::from_millis(250);

/// What happens during a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    /// So much of the context has been sent.
    ContextSent {
        /// Bytes of the files that the builder asked for, or of the archive that it is sent.
        bytes: u64,
    },
    /// A step goes on to another state.
    Step {
        /// What tells it from the build's other steps.
        id: String,
        /// The instruction, in the builder's words: `[2/3] RUN make`.
        name: String,
        /// What became of it.
        state: StepState,
    },
    /// A step printed a line.
    Log {
        /// The step's id, where the builder says it.
        step: Option<String>,
        /// The line.
        line: String,
    },
}

/// What became of a step of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// It runs.
    Started,
    /// Its result was there already.
    Cached,
    /// It took so long.
    Done(Duration),
    /// Why it failed, in the builder's words.
    Failed(String),
}

/// An image that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltImage {
    /// Its id, `sha256:…`.
    pub id: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Turns what a builder says into events, and remembers what a failure's message needs.
trait Progress: Send {
    /// Takes what the daemon sent.
    fn update(&mut self, info: BuildInfo) -> Vec<BuildEvent>;
    /// Takes the end of the build; `error` is why it failed.
    fn end(&mut self, error: Option<&str>) -> Vec<BuildEvent>;
    /// The image's id, as far as the builder has said it.
    fn image(&self) -> Option<&str>;
    /// The name of the step that failed, without its number, and the last lines it printed.
    fn failed_step(&self) -> Option<(String, Vec<String>)>;
}

impl Docker {
    /// Builds an image, gives it these tags, and `labels` on top of the build's own.
    ///
    /// Dropping the future ends the build on the daemon too. Events that nobody takes hold the
    /// build up; if their receiver is dropped, it goes on without them.
    pub async fn build(
        &self,
        build: &ImageBuild,
        context: &Context,
        tags: &[String],
        labels: &BTreeMap<String, String>,
        events: mpsc::Sender<BuildEvent>,
    ) -> Result<BuiltImage, DockerError> {
        let mut tries = 1;
        loop {
            let built = self.try_build(build, context, tags, labels, &events).await;
            let own = match &built {
                Err(DockerError::BuildFailed(failure)) if tries < MAX_TRIES => {
                    self.own_failure(failure)
                }
                _ => None,
            };
            let Some(why) = own else { return built };
            tries += 1;
            let line = format!("{why}: try {tries} of {MAX_TRIES}");
            let _ = events.send(BuildEvent::Log { step: None, line }).await;
        }
    }

    async fn try_build(
        &self,
        build: &ImageBuild,
        context: &Context,
        tags: &[String],
        labels: &BTreeMap<String, String>,
        events: &mpsc::Sender<BuildEvent>,
    ) -> Result<BuiltImage, DockerError> {
        if !context.has_dockerfile() {
            let path = context
                .root()
                .join(&build.dockerfile_path)
                .display()
                .to_string();
            return Err(DockerError::NoDockerfile { path });
        }
        for tag in tags {
            reference::check(tag)?;
        }
        self.check(build)?;
        let mut named = build.dockerfile.clone().unwrap_or_default();
        // A base may come from an argument.
        named.extend(build.args.values().map(|value| format!("\n{value}")));
        let (credentials, wrong) = self.credentials.named_in(&named).await;
        for error in wrong {
            let line = format!("no credentials: {error}");
            let _ = events.send(BuildEvent::Log { step: None, line }).await;
        }
        let mut all_labels = build.labels.clone();
        all_labels.extend(labels.clone());
        let in_one = self.labels_in_one(build, &all_labels);
        if in_one.is_some() {
            all_labels.clear();
        }
        let query = self.query(build, &all_labels);
        let mut progress: Box<dyn Progress> = match self.facts().builder {
            Builder::BuildKit => Box::new(trace::Trace::default()),
            Builder::Classic => Box::new(classic::Classic::default()),
        };
        let (body, report, session) = match self.facts().builder {
            Builder::BuildKit => {
                let id = session_id();
                let key = shared::key(build, context.root());
                let files = Files::new(context.clone());
                let report = files.report();
                let logins = credentials.clone();
                let session = Session::open(self, &id, &key, &build.run, logins, files).await?;
                (wire::nothing(), report, Some((session, id)))
            }
            Builder::Classic => {
                let tar = context.tar();
                let report = tar.report();
                let body = StreamBody::new(tar.map_ok(Frame::data)).boxed_unsync();
                (body, report, None)
            }
        };
        let id = session.as_ref().map(|(_, id)| id.as_str());
        let request = wire::post(&query.path("/build", id))
            .header(header::CONTENT_TYPE, "application/x-tar")
            .header("X-Registry-Config", header_of(&credentials))
            .body(body);
        let request = request.map_err(|error| DockerError::Daemon {
            action: ACTION.to_owned(),
            status: None,
            message: error.to_string(),
        })?;
        let (head, mut stream) = match self.request(ACTION, request).await {
            Ok(answer) => (Ok(()), answer.lines::<BuildInfo>()),
            Err(error) => (Err(error), futures_util::stream::empty().boxed()),
        };

        // Whoever does not listen wants no events; the build goes on.
        let send = async |event| drop(events.send(event).await);
        let mut ticks = interval_at(Instant::now() + SENT_INTERVAL, SENT_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = 0;
        let result = loop {
            let item = tokio::select! {
                item = stream.next() => item,
                _ = ticks.tick() => {
                    if report.bytes_sent() > told {
                        told = report.bytes_sent();
                        send(BuildEvent::ContextSent { bytes: told }).await;
                    }
                    continue;
                }
            };
            match item {
                Some(Ok(info)) => {
                    if let Some(error) = info.error_detail.as_ref().and_then(|e| e.message.clone())
                    {
                        break Err(ClientError::DockerStreamError { error });
                    }
                    for event in progress.update(info) {
                        send(event).await;
                    }
                }
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            }
        };
        drop(stream);
        if report.bytes_sent() > told {
            send(BuildEvent::ContextSent {
                bytes: report.bytes_sent(),
            })
            .await;
        }
        // The transport's error for a context that broke off says nothing; this one does.
        if let Some(error) = report.take_error() {
            return Err(error.into());
        }
        drop(session);
        let failure = match (head, result) {
            (Err(error), _) => Some(error),
            (Ok(()), result) => result.err().map(|error| self.error(ACTION, error)),
        };
        let message = match &failure {
            Some(DockerError::Daemon { message, .. } | DockerError::DiskFull { message, .. }) => {
                Some(message.as_str())
            }
            Some(_) => Some("the connection broke off"),
            None => None,
        };
        for event in progress.end(message) {
            send(event).await;
        }
        match failure {
            Some(DockerError::Daemon { message, .. } | DockerError::DiskFull { message, .. }) => {
                Err(failure::explain(build, message, progress.failed_step()))
            }
            Some(error) => Err(error),
            None => match (progress.image(), in_one) {
                (Some(image), Some(labels)) => {
                    let labelled = self.label(image, &labels, build.no_cache).await?;
                    self.built(build, tags, labelled.as_deref()).await
                }
                (image, _) => self.built(build, tags, image).await,
            },
        }
    }

    /// Tags what was built: only what was built successfully, and all tags alike.
    async fn built(
        &self,
        build: &ImageBuild,
        tags: &[String],
        id: Option<&str>,
    ) -> Result<BuiltImage, DockerError> {
        let nothing = || failure::explain(build, "the builder made no image".to_owned(), None);
        let image = self
            .image(id.ok_or_else(nothing)?)
            .await?
            .ok_or_else(nothing)?;
        for tag in tags {
            self.tag(&image.id, tag).await?;
        }
        Ok(BuiltImage {
            id: image.id,
            size: image.size,
        })
    }
}

/// A name for the connection over which BuildKit asks for what it needs. It has to be unique on
/// the daemon, not secret: the seed of a hash map is random enough.
fn session_id() -> String {
    let random = || RandomState::new().hash_one(std::process::id());
    format!("rengine-{:016x}{:016x}", random(), random())
}

/// The image's id in what a daemon sent.
fn image_id(info: &BuildInfo) -> Option<String> {
    match &info.aux {
        Some(BuildInfoAux::Default(image)) => image.id.clone(),
        _ => None,
    }
}

/// Credentials as a request for a build hands them over: JSON in the Base64 of URLs (Docker Engine API,
/// `X-Registry-Config`).
fn header_of(credentials: &HashMap<String, Login>) -> String {
    // A map of texts can't fail to be written.
    URL_SAFE.encode(serde_json::to_vec(credentials).unwrap_or_default())
}

//! A folder as an image of one layer: what builders take where a Dockerfile names a folder.

use std::collections::BTreeMap;

use bollard::errors::Error as ClientError;
use bollard::models::BuildInfo;
use futures_util::{StreamExt, TryStreamExt};
use http::header;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::request::Query;
use crate::context::Context;
use crate::docker::{Docker, DockerError, reference, wire};

impl Docker {
    /// Makes an image that has what is in a context, and nothing else, with these labels.
    pub async fn import(
        &self,
        name: &str,
        context: &Context,
        platform: Option<&str>,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), DockerError> {
        let action = format!("make an image of {}", context.root().display());
        let (repository, tag) = reference::split(reference::check(name)?);
        let query = Query::of_import(repository, tag, platform, labels);
        let tar = context.tar();
        let report = tar.report();
        let body = StreamBody::new(tar.map_ok(Frame::data)).boxed_unsync();
        let request = wire::post(&query.path("/images/create", None))
            .header(header::CONTENT_TYPE, "application/x-tar")
            .body(body);
        let request = request.map_err(|error| DockerError::Daemon {
            action: action.clone(),
            status: None,
            message: error.to_string(),
        })?;
        let done = async {
            let mut lines = self.request(&action, request).await?.lines::<BuildInfo>();
            while let Some(line) = lines.next().await {
                let line = line.map_err(|error| self.error(&action, error))?;
                if let Some(error) = line.error_detail.and_then(|detail| detail.message) {
                    return Err(self.error(&action, ClientError::DockerStreamError { error }));
                }
            }
            Ok(())
        };
        let done = done.await;
        // The transport's error for a context that broke off says nothing; this one does.
        match report.take_error() {
            Some(error) => Err(error.into()),
            None => done,
        }
    }
}

//! Labels for what Docker's classic builder made, in one step.

use std::collections::BTreeMap;

use bollard::errors::Error as ClientError;
use bollard::models::BuildInfo;
use futures_util::StreamExt;
use http::header;
use http_body_util::{BodyExt, Full};

use super::classic::Classic;
use super::request::Query;
use super::{ACTION, Builder, Progress};
use crate::app::ImageBuild;
use crate::docker::{Docker, DockerError, wire};

/// The longest line of a Dockerfile that is written: daemons read none of 64 KiB.
const MAX_LINE: usize = 60_000;

impl Docker {
    /// The instruction that gives these labels, if they are to be given to an image once it is built.
    ///
    /// Labels in a request are a step each for Docker's classic builder, with a container that is made
    /// and removed. `None` where that is not so, or where an instruction can't say them or would have others
    /// run.
    pub(super) fn labels_in_one(
        &self,
        build: &ImageBuild,
        labels: &BTreeMap<String, String>,
    ) -> Option<String> {
        let facts = self.facts();
        if facts.builder != Builder::Classic || facts.is_podman() {
            return None;
        }
        let text = build.dockerfile.as_deref().unwrap_or_default();
        // They would be triggered.
        let has_triggers = text.to_ascii_uppercase().contains("ONBUILD");
        instruction(labels).filter(|_| !has_triggers)
    }

    /// Gives labels to an image; returns the id of the one that has them.
    pub(super) async fn label(
        &self,
        image: &str,
        instruction: &str,
        no_cache: bool,
    ) -> Result<Option<String>, DockerError> {
        let failed = |err| self.error(ACTION, ClientError::IOError { err });
        let text = format!("FROM {image}\n{instruction}\n");
        let mut archive = tar::Builder::new(Vec::new());
        let mut entry = tar::Header::new_gnu();
        entry.set_mode(0o644);
        entry.set_size(text.len() as u64);
        let appended = archive.append_data(&mut entry, "Dockerfile", text.as_bytes());
        let archive = appended.and_then(|()| archive.into_inner());
        let body = Full::from(archive.map_err(failed)?).map_err(|never| match never {});
        let request = wire::post(&Query::of_label(no_cache).path("/build", None))
            .header(header::CONTENT_TYPE, "application/x-tar")
            .body(body.boxed_unsync());
        let request = request.map_err(|error| failed(std::io::Error::other(error)))?;
        let mut lines = self.request(ACTION, request).await?.lines::<BuildInfo>();
        let mut progress = Classic::default();
        while let Some(line) = lines.next().await {
            let line = line.map_err(|error| self.error(ACTION, error))?;
            if let Some(error) = line
                .error_detail
                .as_ref()
                .and_then(|one| one.message.clone())
            {
                return Err(self.error(ACTION, ClientError::DockerStreamError { error }));
            }
            progress.update(line);
        }
        progress.end(None);
        Ok(progress.image().map(str::to_owned))
    }
}

/// One instruction for several labels. `None` for one label or none, and for texts that it can't have.
fn instruction(labels: &BTreeMap<String, String>) -> Option<String> {
    if labels.len() < 2 {
        return None;
    }
    let mut line = String::from("LABEL");
    for (name, value) in labels {
        let (name, value) = (quoted(name)?, quoted(value)?);
        line.push_str(&format!(" {name}={value}"));
    }
    (line.len() <= MAX_LINE).then_some(line)
}

/// A text as an instruction has it, in which nothing is replaced.
fn quoted(text: &str) -> Option<String> {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            c if c.is_control() => return None,
            '"' | '\\' | '$' => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    Some(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Option<String> {
        let pair = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        instruction(&pairs.iter().map(pair).collect())
    }

    #[test]
    fn several_labels_are_one_instruction() {
        let line = labels(&[("a", "$x \"y\" \\z"), ("b c", "")]);
        assert_eq!(
            line.as_deref(),
            Some(r#"LABEL "a"="\$x \"y\" \\z" "b c"="""#)
        );
        assert_eq!(labels(&[("a", "b")]), None, "it is one step anyway");
        assert_eq!(labels(&[("a", "b\nc"), ("d", "e")]), None);
        assert_eq!(labels(&[("a", &"b".repeat(MAX_LINE)), ("d", "e")]), None);
    }
}

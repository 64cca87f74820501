//! Speaking to one registry: the OCI distribution specification 1.1
//! (<https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md>) over HTTP. What comes is
//! bounded, and whoever asks is told what kind of failure it was.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LINK, LOCATION, RANGE};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::time::error::Elapsed;

use super::Digest;
use super::answer::retry_after;
use super::error::{Failure, causes, has_bad_certificate};
use super::manifest::{DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST};
use super::token::{Pass, Passes, challenges};
use crate::app::ByteSize;
use crate::credentials::Login;

/// How many tags are asked for at a time.
const PAGE: usize = 1000;
/// How many tags are looked at.
const MAX_NAMES: usize = 100_000;
/// The largest list of tags that is read at a time, in bytes.
const MAX_LIST_BYTES: usize = 16 << 20;
/// The largest manifest, in bytes: what the specification has registries take.
const MAX_MANIFEST_BYTES: usize = 4 << 20;
/// The largest answer that tells of an error, in bytes.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// What is sent may be as slow as this, in bytes a second.
const SLOWEST: u64 = 16 << 10;
/// Where Docker Hub answers.
const HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// What is asked for: which part of a registry, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Scope(String);

impl Scope {
    /// To read from a repository.
    pub fn pull(path: &str) -> Self {
        Self(format!("repository:{path}:pull"))
    }

    /// To write to one.
    pub fn push(path: &str) -> Self {
        Self(format!("repository:{path}:pull,push"))
    }

    /// To list repositories.
    fn catalog() -> Self {
        Self("registry:catalog:*".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if whoever has this has that, too.
    pub fn covers(&self, other: &str) -> bool {
        self.0 == other || self.0.strip_suffix(",push") == Some(other)
    }
}

/// One registry, or a mirror of one.
pub(super) struct Host {
    base: Url,
    client: reqwest::Client,
    timeout: Duration,
    passes: Passes,
}

/// What becomes of a blob while it comes.
pub(super) struct Blob<'a> {
    host: &'a Host,
    response: Response,
    /// Where in the blob it begins.
    pub from: u64,
}

impl Blob<'_> {
    /// The next bytes.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        self.host.chunk(&mut self.response).await
    }
}

impl Host {
    /// The registry with a name, asked with `client`. It may say nothing for `timeout`.
    pub fn new(
        name: &str,
        tls: bool,
        client: reqwest::Client,
        timeout: Duration,
        login: Option<Login>,
    ) -> Result<Self, String> {
        let scheme = if tls { "https" } else { "http" };
        let name = if name == HUB.0 { HUB.1 } else { name };
        let base = format!("{scheme}://{name}/v2/");
        Ok(Self {
            base: Url::parse(&base).map_err(|error| error.to_string())?,
            client,
            timeout,
            passes: Passes::new(login),
        })
    }

    /// Whom the registry is told it is, where it is told.
    pub fn user(&self) -> Option<String> {
        self.passes.user()
    }

    /// The manifest that a tag or a digest names.
    pub async fn manifest(&self, path: &str, which: &str) -> Result<Bytes, Failure> {
        let accept = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX].join(", ");
        let url = self.url(&format!("{path}/manifests/{which}"))?;
        let request = self.client.get(url).header(ACCEPT, accept);
        let response = self.get(&Scope::pull(path), request).await?;
        let said = digest_of(response.headers());
        let bytes = self
            .body(response, MAX_MANIFEST_BYTES, "the manifest")
            .await?;
        let actual = Digest::of(&bytes);
        // Of a tag nobody knows the digest but the registry itself.
        let expected = which.parse().ok().or(said);
        match expected.filter(|expected| *expected != actual) {
            None => Ok(bytes),
            Some(expected) => Err(Failure::Digest {
                expected: expected.to_string(),
                actual: actual.to_string(),
            }),
        }
    }

    /// The tags of a repository, in the registry's order.
    pub async fn tags(&self, path: &str) -> Result<Vec<String>, Failure> {
        let url = self.url(&format!("{path}/tags/list"))?;
        self.list(&Scope::pull(path), url).await
    }

    /// The repositories, where the registry tells.
    pub async fn catalog(&self) -> Result<Vec<String>, Failure> {
        let url = self.url("_catalog")?;
        self.list(&Scope::catalog(), url).await
    }

    async fn list(&self, scope: &Scope, first: Url) -> Result<Vec<String>, Failure> {
        #[derive(Deserialize)]
        struct Page {
            // Some give `null` for none.
            #[serde(alias = "repositories")]
            tags: Option<Vec<String>>,
        }
        let mut names: Vec<String> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let size = PAGE.to_string();
        let mut url = first.clone();
        url.query_pairs_mut().append_pair("n", &size);
        loop {
            let response = self.get(scope, self.client.get(url.clone())).await?;
            let link = self.next_page(&response, &url);
            let bytes = self.body(response, MAX_LIST_BYTES, "the list").await?;
            let page: Page = serde_json::from_slice(&bytes)
                .map_err(|error| Failure::Other(format!("its list can't be read: {error}")))?;
            let page = page.tags.unwrap_or_default();
            let (count, before) = (page.len(), names.len());
            names.extend(page.into_iter().filter(|name| seen.insert(name.clone())));
            // Some give all of them whatever was asked, and some do not say how to go on.
            if names.len() == before || names.len() >= MAX_NAMES {
                return Ok(names);
            }
            url = match (link, names.last()) {
                (Some(next), _) => next,
                (None, Some(last)) if count == PAGE => {
                    let mut next = first.clone();
                    next.query_pairs_mut()
                        .append_pair("n", &size)
                        .append_pair("last", last);
                    next
                }
                _ => return Ok(names),
            };
        }
    }

    /// What the header `Link` names, if that is of this registry (RFC 5988).
    fn next_page(&self, response: &Response, here: &Url) -> Option<Url> {
        let text = response.headers().get(LINK)?.to_str().ok()?;
        let (target, rest) = text.trim_start().strip_prefix('<')?.split_once('>')?;
        let next = here.join(target).ok()?;
        (rest.contains("next") && self.is_own(&next)).then_some(next)
    }

    /// A blob, from a place in it on, or from its beginning if the registry gives no parts.
    pub async fn blob(&self, path: &str, digest: &Digest, from: u64) -> Result<Blob<'_>, Failure> {
        let url = self.url(&format!("{path}/blobs/{digest}"))?;
        let scope = Scope::pull(path);
        let whole = self.client.get(url.clone());
        if from > 0 {
            let part = self.client.get(url).header(RANGE, format!("bytes={from}-"));
            let response = self.send(&scope, part).await?;
            match response.status() {
                StatusCode::PARTIAL_CONTENT => return Ok(self.coming(response, from)),
                StatusCode::OK => return Ok(self.coming(response, 0)),
                StatusCode::RANGE_NOT_SATISFIABLE => {}
                _ => return Err(self.refused(response).await),
            }
        }
        let response = self.get(&scope, whole).await?;
        Ok(self.coming(response, 0))
    }

    fn coming(&self, response: Response, from: u64) -> Blob<'_> {
        Blob {
            host: self,
            response,
            from,
        }
    }

    /// A blob that is small.
    pub async fn small(&self, path: &str, digest: &Digest, limit: usize) -> Result<Bytes, Failure> {
        let blob = self.blob(path, digest, 0).await?;
        let bytes = self.body(blob.response, limit, "the blob").await?;
        let actual = Digest::of(&bytes);
        match actual == *digest {
            true => Ok(bytes),
            false => Err(Failure::Digest {
                expected: digest.to_string(),
                actual: actual.to_string(),
            }),
        }
    }

    /// Sends a blob, unless it is there.
    pub async fn put_blob(&self, path: &str, bytes: Bytes) -> Result<(), Failure> {
        let digest = Digest::of(&bytes);
        let scope = Scope::push(path);
        let url = self.url(&format!("{path}/blobs/{digest}"))?;
        let response = self.send(&scope, self.client.head(url)).await?;
        match response.status() {
            StatusCode::OK => return Ok(()),
            StatusCode::NOT_FOUND => {}
            _ => return Err(self.refused(response).await),
        }
        let url = self.url(&format!("{path}/blobs/uploads/"))?;
        let response = self.send(&scope, self.client.post(url.clone())).await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(self.refused(response).await);
        }
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|location| url.join(location.to_str().ok()?).ok());
        let no_place = || Failure::Other("it does not say where to send to".to_owned());
        let mut place = location.ok_or_else(no_place)?;
        place
            .query_pairs_mut()
            .append_pair("digest", digest.as_str());
        let own = self.is_own(&place);
        let time = self.timeout + Duration::from_secs(bytes.len() as u64 / SLOWEST);
        let request = self
            .client
            .put(place)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(bytes);
        let response = match own {
            true => self.send_within(&scope, request, time).await?,
            // Another host is not shown who this is.
            false => self.once(request, &Pass::Nobody, time).await?,
        };
        self.created(response).await
    }

    /// Sends a manifest, under a tag.
    pub async fn put_manifest(&self, path: &str, tag: &str, bytes: Bytes) -> Result<(), Failure> {
        let url = self.url(&format!("{path}/manifests/{tag}"))?;
        let request = self.client.put(url).header(CONTENT_TYPE, MANIFEST);
        let response = self.send(&Scope::push(path), request.body(bytes)).await?;
        self.created(response).await
    }

    async fn created(&self, response: Response) -> Result<(), Failure> {
        match response.status().is_success() {
            true => Ok(()),
            false => Err(self.refused(response).await),
        }
    }

    fn url(&self, rest: &str) -> Result<Url, Failure> {
        let url = self.base.join(rest);
        url.map_err(|error| Failure::Other(format!("its name can't be asked for: {error}")))
    }

    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// Asks, and takes nothing but what was asked for.
    async fn get(&self, scope: &Scope, request: RequestBuilder) -> Result<Response, Failure> {
        let response = self.send(scope, request).await?;
        match response.status() {
            StatusCode::OK => Ok(response),
            _ => Err(self.refused(response).await),
        }
    }

    /// Asks, and says who this is if the registry wants that.
    async fn send(&self, scope: &Scope, request: RequestBuilder) -> Result<Response, Failure> {
        self.send_within(scope, request, self.timeout).await
    }

    /// The same; until an answer begins, it may take so long.
    async fn send_within(
        &self,
        scope: &Scope,
        request: RequestBuilder,
        time: Duration,
    ) -> Result<Response, Failure> {
        let again = request.try_clone();
        let pass = self.passes.known(scope);
        let response = self.once(request, &pass, time).await?;
        let Some(again) = again.filter(|_| response.status() == StatusCode::UNAUTHORIZED) else {
            return Ok(response);
        };
        let challenges = challenges(response.headers());
        let pass = self.passes.get(self, scope, &challenges).await?;
        self.once(again, &pass, time).await
    }

    async fn once(
        &self,
        request: RequestBuilder,
        pass: &Pass,
        time: Duration,
    ) -> Result<Response, Failure> {
        // Of the client's own limits none leaves time for what is sent.
        let sent = tokio::time::timeout(time, pass.show(request).send());
        self.in_time(sent.await)
    }

    /// Asks a token server, which is another than the registry.
    pub async fn ask_token(
        &self,
        request: impl FnOnce(&reqwest::Client) -> RequestBuilder + Send,
    ) -> Result<Response, Failure> {
        let request = request(&self.client);
        self.once(request, &Pass::Nobody, self.timeout).await
    }

    /// What comes, up to a limit.
    pub async fn body(
        &self,
        mut response: Response,
        limit: usize,
        what: &str,
    ) -> Result<Bytes, Failure> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            if bytes.len() + chunk.len() > limit {
                let limit = ByteSize(limit as u64);
                return Err(Failure::Other(format!("{what} is larger than {limit}")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, Failure> {
        let chunk = tokio::time::timeout(self.timeout, response.chunk());
        self.in_time(chunk.await)
    }

    fn in_time<T>(&self, outcome: Result<reqwest::Result<T>, Elapsed>) -> Result<T, Failure> {
        match outcome {
            Ok(outcome) => outcome.map_err(|error| {
                let error = error.without_url();
                let reason = causes(&error);
                match has_bad_certificate(&error) {
                    true => Failure::Certificate(reason),
                    false => Failure::Unreachable(reason),
                }
            }),
            Err(_) => {
                let time = humantime::format_duration(self.timeout);
                Err(Failure::Unreachable(format!("it said nothing for {time}")))
            }
        }
    }

    /// What an answer means that is not the one that was wanted.
    pub async fn refused(&self, response: Response) -> Failure {
        let status = response.status();
        let wait = retry_after(response.headers(), jiff::Timestamp::now());
        let body = self.body(response, MAX_ERROR_BYTES, "the error").await;
        Failure::of_answer(status.as_u16(), &body.unwrap_or_default(), wait)
    }
}

fn digest_of(headers: &HeaderMap) -> Option<Digest> {
    let text = headers.get("docker-content-digest")?.to_str().ok()?;
    text.parse().ok()
}

//! What a builder is asked for, as a request's query.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Builder, Docker, DockerError, wire};
use crate::app::{ImageBuild, Ulimit};
use crate::docker::podman;

/// The first API whose BuildKit sets limits of `RUN` steps; before it they are left out silently.
const BUILDKIT_LIMITS_API: (u32, u32) = (1, 42);
/// The build argument that has BuildKit keep in the image what a cache needs to know.
const INLINE_CACHE: &str = "BUILDKIT_INLINE_CACHE";

/// The query of a request for an image.
#[derive(Debug, Default)]
pub struct Query(Vec<(&'static str, String)>);

impl Query {
    fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.push((name, value.into()));
    }

    fn extend(&mut self, parameters: impl IntoIterator<Item = (&'static str, String)>) {
        self.0.extend(parameters);
    }

    fn set_some(&mut self, name: &'static str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// For an image that is made of a tar archive, the request's body.
    pub fn of_import(
        repository: &str,
        tag: &str,
        platform: Option<&str>,
        labels: &BTreeMap<String, String>,
    ) -> Self {
        let mut query = Self::default();
        query.set("fromSrc", "-");
        query.set("repo", repository);
        query.set("tag", tag);
        query.set_some("platform", platform);
        for (name, value) in labels {
            // As a Dockerfile has it, where JSON's quotes are good for every value.
            query.set("changes", format!("LABEL {name}={}", json!(value)));
        }
        query
    }

    /// For an image on top of another, by a Dockerfile that is sent.
    pub fn of_label(no_cache: bool) -> Self {
        let mut query = Self::default();
        query.set("version", "1");
        query.set("rm", "1");
        query.set("forcerm", "1");
        query.set_some("nocache", no_cache.then_some("1"));
        query
    }

    /// The path and query of the request.
    pub fn path(&self, endpoint: &str, session: Option<&str>) -> String {
        let session = session.map(|id| ("session", id));
        let own = self.0.iter().map(|(name, value)| (*name, value.as_str()));
        let mut path = endpoint.to_owned();
        for (index, (name, value)) in own.chain(session).enumerate() {
            path.push(if index == 0 { '?' } else { '&' });
            path.push_str(name);
            path.push('=');
            wire::encode(value, &mut path);
        }
        path
    }
}

impl Docker {
    /// Refuses what the daemon's builder would leave out or not understand.
    pub(super) fn check(&self, build: &ImageBuild) -> Result<(), DockerError> {
        let facts = self.facts();
        let run = &build.run;
        let limits = match (run.shm_size, run.ulimits.is_empty()) {
            (Some(_), _) => Some("shm_size"),
            (None, false) => Some("ulimits"),
            (None, true) => None,
        };
        let can_not = |builder: &str, key, help| {
            Err(DockerError::BuilderCanNot {
                builder: builder.to_owned(),
                key,
                help,
            })
        };
        match facts.builder {
            Builder::BuildKit => match limits {
                Some(key) if !facts.has_api(BUILDKIT_LIMITS_API) => can_not(
                    &format!("BuildKit of {} {}", facts.product, facts.version),
                    key,
                    "Docker 23 can; the classic builder, with DOCKER_BUILDKIT=0, can as well",
                ),
                _ => Ok(()),
            },
            Builder::Classic => {
                let secrets = (!run.secrets.is_empty()).then_some("secrets");
                match secrets.or((!run.ssh.is_empty()).then_some("ssh")) {
                    Some(key) => can_not(
                        &format!("the classic builder of {}", facts.product),
                        key,
                        "BuildKit can: it is in Docker, unless DOCKER_BUILDKIT=0 turns it off",
                    ),
                    None => Ok(()),
                }
            }
        }
    }

    /// What is asked for, with all labels of the image that the builder is to give.
    pub(super) fn query(&self, build: &ImageBuild, labels: &BTreeMap<String, String>) -> Query {
        let buildkit = self.facts().builder == Builder::BuildKit;
        let mut args = build.args.clone();
        if build.inline_cache && buildkit {
            args.insert(INLINE_CACHE.to_owned(), "1".to_owned());
        }
        let run = &build.run;
        let mut query = Query::default();
        query.set("version", if buildkit { "2" } else { "1" });
        // The daemon asks for files over the build's session.
        query.set_some("remote", buildkit.then_some("client-session"));
        query.set("dockerfile", &build.dockerfile_path);
        query.set_some("target", build.target.as_deref());
        query.set_some("platform", build.platform.as_deref());
        query.set("buildargs", json!(args).to_string());
        query.set("labels", json!(labels).to_string());
        // Containers of steps that failed are of no use to anybody either.
        query.set("rm", "1");
        query.set("forcerm", "1");
        query.set_some("nocache", build.no_cache.then_some("1"));
        query.set_some("pull", build.pull.then_some("1"));
        if !build.cache_from.is_empty() {
            query.set("cachefrom", json!(build.cache_from).to_string());
        }
        let network = run.network.as_deref();
        if self.facts().is_podman() {
            query.extend(podman::build_network(network));
        } else {
            query.set_some("networkmode", network);
        }
        query.set_some("shmsize", run.shm_size.map(|size| size.0.to_string()));
        if self.facts().is_podman() && !run.extra_hosts.is_empty() {
            query.set("extrahosts", json!(run.extra_hosts).to_string());
        } else {
            for host in &run.extra_hosts {
                query.set("extrahosts", host);
            }
        }
        if !run.ulimits.is_empty() {
            let limits = run.ulimits.iter();
            let podman = self.facts().is_podman();
            let limit = |(name, limit): (&String, &Ulimit)| match podman {
                true => json!(format!("{name}={limit}")),
                false => json!({"Name": name, "Soft": limit.soft, "Hard": limit.hard}),
            };
            let limits: Vec<_> = limits.map(limit).collect();
            query.set("ulimits", json!(limits).to_string());
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_can_not_leave_their_place_in_the_query() {
        let mut query = Query::default();
        query.set("dockerfile", "a b&c=d/é");
        query.set_some("target", None::<String>);
        let path = "/build?dockerfile=a%20b%26c%3Dd%2F%C3%A9&session=s-1";
        assert_eq!(query.path("/build", Some("s-1")), path);
        assert_eq!(Query::default().path("/build", None), "/build");
    }
}

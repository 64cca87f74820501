//! Docker contexts: daemons that the `docker` command knows by name.

use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Endpoint, EndpointError, EndpointSource, address::Address};

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints")]
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: DockerEndpoint,
}

#[derive(Deserialize)]
struct DockerEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

/// What `docker context use` chose. A config file that can't be read chooses nothing: it is the
/// `docker` command's, which says so itself.
pub(super) fn current(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_str(&text).ok()?;
    let name = config.get("currentContext")?.as_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Reads a context from where the `docker` command stores it, by the digest of its name.
pub(super) fn read(folder: &Path, name: String) -> Result<Endpoint, EndpointError> {
    let error = |reason: String| EndpointError::Context {
        name: name.clone(),
        reason,
    };
    let id: String = Sha256::digest(name.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let path = folder.join("contexts/meta").join(&id).join("meta.json");
    let text = std::fs::read_to_string(&path)
        .map_err(|io| error(format!("can't read {}: {io}", path.display())))?;
    let meta: Meta = serde_json::from_str(&text)
        .map_err(|json| error(format!("{} is not as expected: {json}", path.display())))?;
    let docker = meta.endpoints.docker;
    if docker.skip_tls_verify {
        let reason =
            "it says SkipTLSVerify, and rengine talks to no daemon that has not shown who it is";
        return Err(error(reason.to_owned()));
    }
    let material = folder.join("contexts/tls").join(&id).join("docker");
    let certificates = material.is_dir().then_some(material);
    Ok(Endpoint {
        address: Address::parse(&docker.host, certificates.is_some())?,
        certificates,
        source: EndpointSource::Context(name),
    })
}

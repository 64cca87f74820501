//! The edge's image: whether a daemon can run it, and how it gets there.

use miette::Diagnostic;

use crate::app::familiar;
use crate::deploy::DeployError;
use crate::docker::Docker;
use crate::edge::EdgeImage;

/// Why there can be no edge on a daemon, and what to do about it; `None` if there can be one.
pub async fn why_none(docker: &Docker) -> Result<Option<(String, String)>, DeployError> {
    if let Err(error) = EdgeImage::check_architecture(&docker.facts().arch) {
        let help = error.help().map(|help| help.to_string());
        return Ok(Some((error.to_string(), help.unwrap_or_default())));
    }
    let none = (
        "Podman's networks have no names for containers here, by which an edge finds them".to_owned(),
        "install netavark and aardvark-dns, and set `network_backend` in containers.conf to `netavark`".to_owned(),
    );
    Ok((!docker.has_names().await?).then_some(none))
}

/// Makes the edge's image on the daemon, unless it is there, and gives its name. Those of other
/// releases that no container uses go then.
pub async fn edge_image(docker: &Docker) -> Result<String, DeployError> {
    let image = own_image(docker).await?;
    if docker.image(&image.reference).await?.is_none() {
        docker.load_image(image.archive()).await?;
        for other in docker.tags_of(EdgeImage::NAME).await? {
            // Podman writes them with a registry.
            if familiar(&other) != image.reference {
                // The daemon keeps what a container uses.
                let _ = docker.remove_image(&other).await;
            }
        }
    }
    Ok(image.reference)
}

/// This program as an image. It is read and digested as a whole: not a task for the threads that
/// everything else runs on.
pub(super) async fn own_image(docker: &Docker) -> Result<EdgeImage, DeployError> {
    EdgeImage::check_architecture(&docker.facts().arch)?;
    let image = tokio::task::spawn_blocking(EdgeImage::of_this_program).await;
    match image {
        Ok(image) => Ok(image?),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

//! The edge on the daemon.

use super::DeployError;
use crate::docker::Docker;
use crate::edge::EdgeImage;

/// Makes the edge's image on the daemon, unless it is there, and gives its name.
pub async fn edge_image(docker: &Docker) -> Result<String, DeployError> {
    EdgeImage::check_architecture(&docker.facts().arch)?;
    let image = EdgeImage::of_this_program()?;
    if docker.image(&image.reference).await?.is_none() {
        docker.load_image(image.archive()).await?;
    }
    Ok(image.reference)
}

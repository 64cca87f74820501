//! Images: built, judged by plugins, named.

use std::collections::BTreeMap;

use super::Execution;
use crate::app::{Fields, ImageSource, Name, Service};
use crate::deploy::DeployError;
use crate::deploy::access::BuiltImage;
use crate::deploy::contexts::built_tag;
use crate::deploy::hooks::{log_sink, or_warn};
use crate::deploy::output::{self, channel, with_output};
use crate::plugin::Hook;

impl Execution<'_> {
    pub(super) async fn build(
        &self,
        step: usize,
        service: &Service,
        inputs: &Fields,
        bases: &BTreeMap<String, String>,
    ) -> Result<crate::docker::BuiltImage, DeployError> {
        let (ImageSource::Build(build), Some(context)) =
            (&service.image, self.prepared.contexts.get(&service.name))
        else {
            return Err(DeployError::NoDockerfile {
                service: service.name.to_string(),
                path: "Dockerfile".into(),
                help: "its build context was not read".to_owned(),
            });
        };
        let fingerprint = inputs.fingerprint();
        // `latest` is given to what has proven healthy, see `tag_latest`.
        let tags = [built_tag(&self.prepared.app, &service.name, &fingerprint)];
        let folders = self.prepared.folders.get(&service.name);
        for folder in folders.into_iter().flatten() {
            if self.docker.image(&folder.reference).await?.is_some() {
                continue;
            }
            let (reference, context) = (&folder.reference, &folder.context);
            let labels = self.labels.context();
            let platform = build.platform.as_deref();
            let import = self.docker.import(reference, context, platform, &labels);
            self.interruptible(import).await??;
        }
        let labels = self.labels.image(&service.name, inputs, bases);
        let (events, output) = channel(self.reporter, step, output::build);
        let build = self.docker.build(build, context, &tags, &labels, events);
        Ok(self.interruptible(with_output(build, output)).await??)
    }

    /// Lets plugins judge the image, one after the other; then gives it the names that they want.
    pub(super) async fn post_build(
        &self,
        name: &Name,
        image: Option<&str>,
    ) -> Result<Option<String>, DeployError> {
        let built = self.lock_images().get(name).cloned();
        let Some(id) = image.map(str::to_owned).or(built) else {
            return Ok(None);
        };
        let Some(facts) = self.docker.image(&id).await? else {
            // Creating the container will say that it is gone.
            return Ok(None);
        };
        let image = BuiltImage::new(self.docker.clone(), facts);
        let context = self.context(name);
        let mut tags = Vec::new();
        for (plugin, on_error) in self.prepared.hooks.having(Hook::PostBuild, name) {
            let sink = log_sink(self.reporter);
            let call = plugin.post_build(&context, image.clone(), sink);
            let result = self.interruptible(call).await?;
            tags.extend(or_warn(result, on_error, Vec::new(), &**self.reporter)?);
        }
        for tag in &tags {
            self.docker.tag(&id, tag).await?;
        }
        Ok((!tags.is_empty()).then(|| format!("tagged {}", tags.join(", "))))
    }

    /// The service's image is the one that this container was made from, whenever it was built.
    pub(super) async fn tag_latest(&self, name: &Name, container: &str) {
        let tag = self.latest(name);
        let tagged = async {
            match self.docker.inspect(container).await? {
                Some(detail) => self.docker.tag(&detail.image_id, &tag).await,
                None => Ok(()),
            }
        };
        if let Err(error) = tagged.await {
            self.warn(format!("the image could not be tagged {tag}: {error}"));
        }
    }

    fn repository(&self, service: &Name) -> String {
        self.prepared.app.repository(service)
    }

    /// The name of the service's image that was proven last.
    pub(in crate::deploy) fn latest(&self, service: &Name) -> String {
        format!("{}:latest", self.repository(service))
    }

    /// The image that was made for a service in this run, which another may have built.
    pub(in crate::deploy) fn image(&self, service: &Name) -> Option<String> {
        let app = &self.prepared.app;
        let reference = app.services.get(service)?.image.reference();
        let builder = reference.and_then(|reference| app.builder_of(reference));
        self.lock_images().get(builder.unwrap_or(service)).cloned()
    }
}

//! The resource `built-image`.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::app::reference;
use super::convert::to_wit;
use super::{Changed, elements, invalid};
use crate::plugin::ImageAccess;
use crate::plugin::bindings::rengine::plugin::image::{
    ExposedPort, HistoryEntry, Host, HostBuiltImage,
};
use crate::plugin::call::State;
use crate::plugin::limits::MAX_TAGS;

/// An image in the hands of a plugin, with the names that it wants to give it.
pub struct ImageResource {
    image: Arc<dyn ImageAccess>,
    tags: Vec<String>,
}

impl ImageResource {
    pub fn new(image: Arc<dyn ImageAccess>) -> Self {
        Self {
            image,
            tags: Vec::new(),
        }
    }

    pub fn into_tags(self) -> Vec<String> {
        self.tags
    }
}

type Handle = Resource<ImageResource>;

impl State {
    fn image(&self, handle: &Handle) -> wasmtime::Result<&dyn ImageAccess> {
        Ok(&*self.table.get(handle)?.image)
    }
}

impl Host for State {}

impl HostBuiltImage for State {
    fn id(&mut self, this: Handle) -> wasmtime::Result<String> {
        Ok(self.image(&this)?.facts().id.clone())
    }

    fn tags(&mut self, this: Handle) -> wasmtime::Result<Vec<String>> {
        Ok(self.image(&this)?.facts().tags.clone())
    }

    fn digest(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.image(&this)?.facts().digest.clone())
    }

    fn size(&mut self, this: Handle) -> wasmtime::Result<u64> {
        Ok(self.image(&this)?.facts().size)
    }

    fn layers(&mut self, this: Handle) -> wasmtime::Result<Vec<String>> {
        Ok(self.image(&this)?.facts().layers.clone())
    }

    fn os(&mut self, this: Handle) -> wasmtime::Result<String> {
        Ok(self.image(&this)?.facts().os.clone())
    }

    fn architecture(&mut self, this: Handle) -> wasmtime::Result<String> {
        Ok(self.image(&this)?.facts().architecture.clone())
    }

    fn user(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        let user = &self.image(&this)?.facts().user;
        Ok((!user.is_empty()).then(|| user.clone()))
    }

    fn command(&mut self, this: Handle) -> wasmtime::Result<Option<Vec<String>>> {
        Ok(self.image(&this)?.facts().command.clone())
    }

    fn entrypoint(&mut self, this: Handle) -> wasmtime::Result<Option<Vec<String>>> {
        Ok(self.image(&this)?.facts().entrypoint.clone())
    }

    fn working_dir(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.image(&this)?.facts().working_dir.clone())
    }

    fn env(&mut self, this: Handle) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.image(&this)?.facts().env.clone())
    }

    fn labels(&mut self, this: Handle) -> wasmtime::Result<Vec<(String, String)>> {
        let labels = self.image(&this)?.facts().labels.clone();
        Ok(labels.into_iter().collect())
    }

    fn label(&mut self, this: Handle, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.image(&this)?.facts().labels.get(&name).cloned())
    }

    fn exposed_ports(&mut self, this: Handle) -> wasmtime::Result<Vec<ExposedPort>> {
        let ports = self.image(&this)?.facts().exposed.iter();
        let port = |&(port, protocol): &(u16, crate::app::Protocol)| {
            let protocol = to_wit::protocol(protocol)?;
            Some(ExposedPort { port, protocol })
        };
        Ok(ports.filter_map(port).collect())
    }

    fn has_health_check(&mut self, this: Handle) -> wasmtime::Result<bool> {
        Ok(self.image(&this)?.facts().has_health_check)
    }

    async fn history(
        &mut self,
        this: Handle,
    ) -> wasmtime::Result<Result<Vec<HistoryEntry>, String>> {
        let image = self.table.get(&this)?.image.clone();
        let history = image.history().await.map(|entries| {
            let entries = entries.into_iter().map(|entry| HistoryEntry {
                created_by: entry.created_by,
                size: entry.size,
                created_ms: entry.created_ms,
            });
            entries.collect()
        });
        Ok(history)
    }

    async fn add_tag(&mut self, this: Handle, name: String) -> Changed {
        self.limiter.change()?;
        let resource = self.table.get(&this)?;
        let bounded = || {
            reference(&name)?;
            if name.contains('@') {
                return invalid("a digest can't be given to an image: it is what it is");
            }
            elements("the list of tags", resource.tags.len() + 1, MAX_TAGS)
        };
        if let Err(error) = bounded() {
            return Ok(Err(error));
        }
        let image = resource.image.clone();
        if let Err(why) = image.may_tag(&name).await {
            return Ok(invalid(why));
        }
        let tags = &mut self.table.get_mut(&this)?.tags;
        if !tags.contains(&name) {
            tags.push(name);
        }
        Ok(Ok(()))
    }

    fn drop(&mut self, this: Handle) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

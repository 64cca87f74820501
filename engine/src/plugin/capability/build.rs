//! The resource `image-build`.

use std::sync::{Arc, MutexGuard};

use wasmtime::component::Resource;

use super::{Changed, Shared, invalid, label, line, text, texts, variable};
use crate::app::{GeneratedFile, ImageBuild};
use crate::grants::Grants;
use crate::plugin::ContextAccess;
use crate::plugin::bindings::rengine::plugin::build::{Host, HostImageBuild};
use crate::plugin::bindings::rengine::plugin::types::ChangeError;
use crate::plugin::call::State;
use crate::plugin::limits::{MAX_GENERATED_BYTES, MAX_READ_BYTES};

/// A build in the hands of a plugin: a copy, which is taken over if the call goes well.
pub struct BuildResource {
    build: Shared<ImageBuild>,
    files: Arc<dyn ContextAccess>,
    grants: Grants,
}

impl BuildResource {
    pub fn new(build: Shared<ImageBuild>, files: Arc<dyn ContextAccess>, grants: Grants) -> Self {
        Self {
            build,
            files,
            grants,
        }
    }

    pub fn into_build(self) -> ImageBuild {
        self.build.into_value()
    }
}

type Handle = Resource<BuildResource>;

impl State {
    fn build(&self, handle: &Handle) -> wasmtime::Result<MutexGuard<'_, ImageBuild>> {
        Ok(self.table.get(handle)?.build.get())
    }

    fn change_build(
        &mut self,
        handle: &Handle,
        change: impl FnOnce(&mut ImageBuild) -> Result<(), ChangeError>,
    ) -> Changed {
        self.limiter.change()?;
        Ok(change(&mut self.table.get(handle)?.build.get()))
    }

    /// A change that adds to a collection, whose bytes count.
    fn collect_build(
        &mut self,
        handle: &Handle,
        bytes: usize,
        change: impl FnOnce(&mut ImageBuild) -> Result<(), ChangeError>,
    ) -> Changed {
        let changed = self.change_build(handle, change)?;
        if changed.is_ok() {
            self.limiter.collect(bytes)?;
        }
        Ok(changed)
    }
}

impl Host for State {}

impl HostImageBuild for State {
    fn dockerfile(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.build(&this)?.dockerfile.clone())
    }

    fn set_dockerfile(&mut self, this: Handle, value: String) -> Changed {
        let bytes = value.len();
        self.collect_build(&this, bytes, |build| {
            text("the Dockerfile", &value)?;
            build.dockerfile = Some(value);
            Ok(())
        })
    }

    fn dockerfile_path(&mut self, this: Handle) -> wasmtime::Result<String> {
        Ok(self.build(&this)?.dockerfile_path.clone())
    }

    fn args(&mut self, this: Handle) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.build(&this)?.args.clone().into_iter().collect())
    }

    fn arg(&mut self, this: Handle, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.build(&this)?.args.get(&name).cloned())
    }

    fn set_arg(&mut self, this: Handle, name: String, value: String) -> Changed {
        let bytes = name.len() + value.len();
        self.collect_build(&this, bytes, |build| {
            variable(&name)?;
            text("the build argument", &value)?;
            build.args.insert(name, value);
            Ok(())
        })
    }

    fn remove_arg(&mut self, this: Handle, name: String) -> Changed {
        self.change_build(&this, |build| {
            build.args.remove(&name);
            Ok(())
        })
    }

    fn labels(&mut self, this: Handle) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.build(&this)?.labels.clone().into_iter().collect())
    }

    fn set_label(&mut self, this: Handle, name: String, value: String) -> Changed {
        let bytes = name.len() + value.len();
        self.collect_build(&this, bytes, |build| {
            label(&name)?;
            text("the label", &value)?;
            build.labels.insert(name, value);
            Ok(())
        })
    }

    fn remove_label(&mut self, this: Handle, name: String) -> Changed {
        self.change_build(&this, |build| {
            build.labels.remove(&name);
            Ok(())
        })
    }

    fn target(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.build(&this)?.target.clone())
    }

    fn set_target(&mut self, this: Handle, stage: Option<String>) -> Changed {
        self.change_build(&this, |build| {
            stage
                .as_deref()
                .map_or(Ok(()), |stage| line("the stage", stage))?;
            build.target = stage;
            Ok(())
        })
    }

    fn platform(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.build(&this)?.platform.clone())
    }

    fn set_platform(&mut self, this: Handle, platform: Option<String>) -> Changed {
        self.change_build(&this, |build| {
            platform
                .as_deref()
                .map_or(Ok(()), |platform| line("the platform", platform))?;
            build.platform = platform;
            Ok(())
        })
    }

    fn cache_from(&mut self, this: Handle) -> wasmtime::Result<Vec<String>> {
        Ok(self.build(&this)?.cache_from.clone())
    }

    fn set_cache_from(&mut self, this: Handle, images: Vec<String>) -> Changed {
        self.change_build(&this, |build| {
            texts("the list of images", &images)?;
            build.cache_from = images;
            Ok(())
        })
    }

    fn no_cache(&mut self, this: Handle) -> wasmtime::Result<bool> {
        Ok(self.build(&this)?.no_cache)
    }

    fn set_no_cache(&mut self, this: Handle, no_cache: bool) -> Changed {
        self.change_build(&this, |build| {
            build.no_cache = no_cache;
            Ok(())
        })
    }

    fn files(&mut self, this: Handle) -> wasmtime::Result<Result<Vec<String>, ChangeError>> {
        let resource = self.table.get(&this)?;
        Ok(resource.files.files().map_or_else(invalid, |mut files| {
            files.extend(resource.build.get().generated.keys().cloned());
            files.sort_unstable();
            files.dedup();
            Ok(files)
        }))
    }

    fn has_file(&mut self, this: Handle, path: String) -> wasmtime::Result<bool> {
        let resource = self.table.get(&this)?;
        Ok(resource.build.get().generated.contains_key(&path) || resource.files.has_file(&path))
    }

    fn read_file(
        &mut self,
        this: Handle,
        path: String,
    ) -> wasmtime::Result<Result<Vec<u8>, ChangeError>> {
        let resource = self.table.get(&this)?;
        if let Some(file) = resource.build.get().generated.get(&path) {
            return Ok(Ok(file.contents.clone()));
        }
        if let Err(denied) = resource.grants.reads_context() {
            return Ok(Err(denied.into()));
        }
        Ok(resource
            .files
            .read_file(&path, MAX_READ_BYTES)
            .or_else(invalid))
    }

    fn add_file(
        &mut self,
        this: Handle,
        path: String,
        contents: Vec<u8>,
        executable: bool,
    ) -> Changed {
        let bytes = path.len() + contents.len();
        self.collect_build(&this, bytes, |build| {
            inside_context(&path)?;
            if path == build.dockerfile_path {
                return invalid("the Dockerfile is changed with `set-dockerfile`");
            }
            let others: usize = build
                .generated
                .iter()
                .filter(|(other, _)| **other != path)
                .map(|(_, file)| file.contents.len())
                .sum();
            if others + contents.len() > MAX_GENERATED_BYTES {
                return invalid(format!(
                    "generated files have more than {MAX_GENERATED_BYTES} bytes together"
                ));
            }
            let file = GeneratedFile {
                contents,
                executable,
            };
            build.generated.insert(path, file);
            Ok(())
        })
    }

    fn drop(&mut self, this: Handle) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

/// A relative path of plain names: what can't point out of the context, whatever is in it.
fn inside_context(path: &str) -> Result<(), ChangeError> {
    line("the path", path)?;
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if path.len() > 4096 || path.contains('\\') || !path.split('/').all(plain) {
        return invalid(format!(
            "`{path}` is no path in the build context: use plain names with `/` between them"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_stay_in_the_context() {
        for good in ["a", "a/b.txt", ".env", "..a/b"] {
            assert!(inside_context(good).is_ok(), "{good}");
        }
        for bad in [
            "", "/a", "../a", "a/../b", "a//b", "a/", "./a", "a\\b", "a\nb", "a\0",
        ] {
            assert!(inside_context(bad).is_err(), "{bad:?}");
        }
    }
}

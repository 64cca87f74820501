//! The build context at `/context`: of the files there, those that the builder is sent can be opened.
//!
//! WASI's own file system holds a plugin in the folder, and knows nothing of `.dockerignore`. So the
//! one function that opens files is replaced by one that asks the context of each file that was
//! opened: by its number and not by its path, since links lead to a file, too.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor, OpenFlags, PathFlags,
};

use crate::plugin::call::State;

/// As wasmtime links it; components that were built for another version find it under this one.
const INTERFACE: &str = "wasi:filesystem/types@0.2.12";
const OPEN: &str = "[method]descriptor.open-at";

type Handle = Resource<Descriptor>;
type Call = (Handle, PathFlags, String, OpenFlags, DescriptorFlags);
type Answer = (Result<Handle, ErrorCode>,);

pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(INTERFACE)?;
    types.func_wrap_async(OPEN, |mut store: StoreContextMut<'_, State>, call: Call| {
        Box::new(
            async move { Ok::<Answer, wasmtime::Error>((open(store.data_mut(), call).await?,)) },
        )
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn open(state: &mut State, call: Call) -> wasmtime::Result<Result<Handle, ErrorCode>> {
    let (folder, path_flags, path, open_flags, flags) = call;
    let opened = state
        .filesystem()
        .open_at(folder, path_flags, path, open_flags, flags)
        .await;
    let handle = match opened {
        Ok(handle) => handle,
        Err(error) => return Ok(Err(error.downcast()?)),
    };
    let sent = match state.table.get(&handle)? {
        // What is in a folder is asked for by itself.
        Descriptor::Dir(_) => true,
        Descriptor::File(file) => {
            let context = state.mounted.as_ref();
            context.is_some_and(|context| context.sends(&file.file))
        }
    };
    if sent {
        return Ok(Ok(handle));
    }
    state.table.delete(handle)?;
    Ok(Err(ErrorCode::Access))
}

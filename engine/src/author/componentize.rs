//! From a core module to a component, without any tool beside the compiler.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

use super::AuthorError;

/// Makes a component of a module that was compiled against WASI preview 1. `world` is given
/// where the module does not carry the description of its world itself.
pub fn component(
    mut module: Vec<u8>,
    world: Option<(&Resolve, WorldId)>,
) -> Result<Vec<u8>, AuthorError> {
    let mut encode = || {
        if let Some((resolve, world)) = world {
            embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8)?;
        }
        ComponentEncoder::default()
            .module(&module)?
            .adapter(
                WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
                WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
            )?
            .validate(true)
            .encode()
    };
    encode().map_err(|error| AuthorError::Componentize {
        reason: format!("{error:#}"),
    })
}

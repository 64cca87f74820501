//! What wasmtime makes of the WIT in `wit/`.

// Generated code has no doc comments beyond those of the WIT.
#![allow(missing_docs)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    imports: {
        "rengine:plugin/image.[method]built-image.history": async | trappable,
        "rengine:plugin/image.[method]built-image.add-tag": async | trappable,
        "rengine:plugin/running.[method]running-container.state": async | trappable,
        "rengine:plugin/running.[method]running-container.stats": async | trappable,
        "rengine:plugin/running.[method]running-container.logs": async | trappable,
        "rengine:plugin/running.[method]running-container.http": async | trappable,
        "rengine:plugin/running.[method]running-container.tcp-connect": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "rengine:plugin/build.image-build": super::capability::build::BuildResource,
        "rengine:plugin/container.container-spec": super::capability::container::SpecResource,
        "rengine:plugin/app.app-model": super::capability::app::AppResource,
        "rengine:plugin/app.service": super::capability::app::ServiceResource,
        "rengine:plugin/app.network": super::capability::declared::NetworkResource,
        "rengine:plugin/app.volume": super::capability::declared::VolumeResource,
        "rengine:plugin/image.built-image": super::capability::image::ImageResource,
        "rengine:plugin/deployment.finished-deploy": super::capability::deployment::DeployResource,
        "rengine:plugin/running.running-container": super::capability::running::RunningResource,
    },
});

/// What a component may import with a grant: a world of its own, since components of the standard
/// worlds don't import it.
pub mod granted {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "granted-imports",
        imports: {
            "rengine:plugin/exec.run": async | trappable,
            "wasi:keyvalue/store.open": async | trappable,
            default: trappable,
        },
        with: {
            "rengine:plugin/running": super::rengine::plugin::running,
            "rengine:plugin/types": super::rengine::plugin::types,
            "wasi:http": wasmtime_wasi_http::p2::bindings::http,
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:keyvalue/store.bucket": crate::plugin::capability::state::Bucket,
        },
    });
}

use super::call::State;
use wasmtime::component::{HasSelf, Linker};

/// Links what rengine itself provides.
pub fn add_imports(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    rengine::plugin::build::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    rengine::plugin::container::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    rengine::plugin::app::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    rengine::plugin::image::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    rengine::plugin::deployment::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    rengine::plugin::running::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    rengine::plugin::types::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    wasi::logging::logging::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

//! The host's resource functions, called by a real plugin with any values in any order, under any
//! grants: a specification that a plugin leaves is valid, reaches no further than its grants, and
//! every change in it is told.
//!
//! The first byte of the input chooses the grants, the second the hook, and the rest is the script
//! of `tests/guests/script`, which has to be built.

#![no_main]

mod granted;
mod model;
mod validity;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::{Corpus, fuzz_target};
use rengine::app::{App, ImageSource};
use rengine::plugin::{
    CallContext, Change, Contexts, LogSink, NoContext, Plugin, PluginError, PluginHost, Settings,
};
use tokio::runtime::Runtime;

use granted::Granted;

const COMPONENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../target/wasm32-wasip2/plugin/script.wasm"
);

/// A host, and the plugin under each set of grants that was asked for.
struct Lab {
    runtime: Runtime,
    host: PluginHost,
    plugins: HashMap<u8, Plugin>,
}

impl Lab {
    fn new() -> Self {
        assert!(
            Path::new(COMPONENT).exists(),
            "the guest is not built: cargo build --profile plugin --target wasm32-wasip2 -p script"
        );
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let cache = std::env::temp_dir().join("rengine-fuzz-cache");
        Self {
            runtime,
            host: PluginHost::new(Some(&cache)).expect("a host"),
            plugins: HashMap::new(),
        }
    }

    fn plugin(&mut self, granted: Granted) -> Plugin {
        let Self {
            runtime,
            host,
            plugins,
        } = self;
        let load = || {
            let settings = Settings {
                grants: toml::from_str(&granted.text()).expect("grants"),
                ..Settings::new("script", COMPONENT)
            };
            runtime.block_on(host.load(settings)).expect("the plugin")
        };
        plugins.entry(granted.0).or_insert_with(load).clone()
    }
}

thread_local! {
    static LAB: RefCell<Lab> = RefCell::new(Lab::new());
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let &[grants, hook, ref script @ ..] = data else {
        return Corpus::Reject;
    };
    let granted = Granted(grants);
    // A character for each byte, and none of those that a text can't have.
    let character = |&byte: &u8| char::from_u32(0x100 + u32::from(byte));
    let script: String = script.iter().filter_map(character).collect();
    LAB.with_borrow_mut(|lab| {
        let plugin = lab.plugin(granted);
        let call = async {
            match hook % 3 {
                0 => pre_run(&plugin, granted, script).await,
                1 => pre_build(&plugin, script).await,
                _ => configure(&plugin, granted, script).await,
            }
        };
        lab.runtime.block_on(call);
    });
    Corpus::Keep
});

fn context() -> CallContext {
    CallContext {
        app: "shop".to_owned(),
        service: "web".to_owned(),
        release: "r1".to_owned(),
        planning: true,
    }
}

fn silent() -> LogSink {
    Arc::new(|_| {})
}

async fn pre_run(plugin: &Plugin, granted: Granted, script: String) {
    let before = model::spec(script);
    let mut after = before.clone();
    let (dockerfile, image) = (Some("FROM scratch\n".to_owned()), None);
    let result = plugin
        .pre_run(&context(), &mut after, dockerfile, image, silent())
        .await;
    validity::container(&after);
    granted.covers(&before, &after);
    settled(&before, &after, &result);
}

async fn pre_build(plugin: &Plugin, script: String) {
    let before = model::build(script);
    let mut after = before.clone();
    let result = plugin
        .pre_build(&context(), &mut after, Arc::new(NoContext), silent())
        .await;
    validity::build(&after);
    settled(&before, &after, &result);
}

async fn configure(plugin: &Plugin, granted: Granted, script: String) {
    let before = model::app(script);
    let mut after = before.clone();
    let result = plugin
        .configure(&context(), &mut after, Contexts::new(), silent())
        .await;
    validity::app(&after);
    removed(&before, &after, &result);
    for (name, service) in &after.services {
        let old = before.services.get(name);
        let old = old.map(|old| old.container.clone()).unwrap_or_default();
        granted.covers(&old, &service.container);
        if let (ImageSource::Build(build), true) =
            (&service.image, before.services.contains_key(name))
        {
            validity::build(build);
        }
    }
    settled(&before, &after, &result);
}

/// A service that is gone is one that was told of, and nothing that is left needs it.
fn removed(before: &App, after: &App, result: &Result<Vec<Change>, PluginError>) {
    for name in before.services.keys() {
        if after.services.contains_key(name) {
            continue;
        }
        let tells = |change: &Change| {
            change.service == name.as_str() && change.field == "service" && change.new.is_none()
        };
        let told = result
            .as_ref()
            .is_ok_and(|changes| changes.iter().any(tells));
        assert!(told, "{name} is gone, and nobody was told: {result:?}");
        for (other, service) in &after.services {
            let needs = service.depends_on.contains_key(name)
                || service.shares_with().any(|shared| shared == name.as_str());
            assert!(!needs, "{other} needs {name}, which is gone");
        }
    }
}

/// A call that fails changes nothing, and fails by a limit alone; one that goes well tells of every
/// change.
fn settled<T: PartialEq + std::fmt::Debug>(
    before: &T,
    after: &T,
    result: &Result<Vec<Change>, PluginError>,
) {
    match result {
        Ok(changes) => assert_eq!(
            changes.is_empty(),
            before == after,
            "told {changes:?}: {before:?} became {after:?}"
        ),
        Err(PluginError::Limit { .. }) => assert_eq!(before, after),
        Err(other) => panic!("{other}"),
    }
}

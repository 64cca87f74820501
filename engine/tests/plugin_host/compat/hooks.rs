//! Each hook of each component is called, and what it logged and changed is compared with what it
//! did when it was built.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rengine::plugin::{
    CallContext, Change, Contexts, HealthStatus, Hook, LogRecord, LogSink, Plugin, PluginError,
    PluginState, Settings,
};
use rengine::secrets::Secret;

use super::{root, scene};
use crate::lab::{Lab, context, guarded, settings};

/// The version whose components these tests call; another one gets tests of its own.
const VERSION: &str = "0.1.0";
const COMPONENTS: [&str; 3] = ["containers", "granted", "specs"];
/// Everything that needs a grant and that the components ask for.
const ALL: &str = r#"
context = "read"
security-options = true
cap-add = ["NET_ADMIN"]
privileged = true
devices = ["/dev/fuse"]
bind-mounts = ["/srv/shared"]
host-namespaces = ["network", "pid", "ipc"]
"#;

fn component(name: &str) -> PathBuf {
    root().join(VERSION).join(format!("{name}.wasm"))
}

/// A component with these grants, in a mode.
fn with(name: &str, grants: &str, mode: &str) -> Settings {
    Settings {
        grants: toml::from_str(grants).expect("grants"),
        config: [("mode".to_owned(), mode.to_owned())].into(),
        ..settings(name, &component(name))
    }
}

/// What one call did, in words.
#[derive(Clone, Default)]
struct Transcript(Arc<Mutex<String>>);

impl Transcript {
    fn sink(&self) -> LogSink {
        let text = self.0.clone();
        Arc::new(move |record: LogRecord| {
            let mut text = text.lock().expect("no panic");
            let LogRecord {
                level,
                context,
                message,
                ..
            } = record;
            writeln!(text, "{level:?} {context}: {message}").expect("a text takes more");
        })
    }

    /// How the call ended.
    fn end(&self, line: &str) {
        writeln!(self.0.lock().expect("no panic"), "-> {line}").expect("a text takes more");
    }

    fn result<T>(&self, result: &Result<T, PluginError>) {
        match result {
            Ok(_) => self.end("done"),
            Err(PluginError::Refused { refusal, .. }) => {
                let hint = refusal.hint.as_deref().unwrap_or("-");
                self.end(&format!("refused: {}; hint: {hint}", refusal.reason));
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// Compares it with what is kept.
    #[track_caller]
    fn assert(&self, name: &str) {
        let path = root().join(VERSION).join("expected").join(name);
        let found = self.0.lock().expect("no panic").clone();
        // Set only to add a version, never to make a test of an earlier one pass.
        if std::env::var_os("RENGINE_NEW_COMPAT_VERSION").is_some() {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(&path, &found).expect("it is written");
        }
        let expected = std::fs::read_to_string(&path).expect("what is expected");
        assert_eq!(found, expected, "{}", path.display());
    }
}

async fn load(lab: &Lab, settings: Settings) -> Plugin {
    lab.host.load(settings).await.expect("it loads, for ever")
}

fn for_app() -> CallContext {
    CallContext {
        service: String::new(),
        planning: false,
        ..context()
    }
}

/// Which fields of which service were changed. How their values are shown may change.
fn fields(result: &Result<Vec<Change>, PluginError>) -> Vec<String> {
    let changes = result.iter().flatten();
    changes
        .map(|change| format!("{} {}", change.service, change.field))
        .collect()
}

fn source(lab: &Lab) -> Arc<scene::Context> {
    let folder = lab.folder.path().join("context");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("main.c"), "int main;").expect("a file");
    Arc::new(scene::Context(folder))
}

#[test]
fn configure() {
    guarded(|| async {
        let lab = Lab::new();
        let (plugin, told) = (
            load(&lab, with("specs", "", "plain")).await,
            Transcript::default(),
        );
        let mut app = scene::app(Path::new("/nowhere"));
        let result = plugin
            .configure(&for_app(), &mut app, Contexts::new(), told.sink())
            .await;
        told.result(&result);
        told.assert("configure.txt");
        let changed = [
            "web build.args.CONFIGURED",
            "web env.CONFIGURED",
            "db env.CONFIGURED",
            "cache image",
            "cache restart",
            "cache service",
            "cache user",
            " networks.back",
            " networks.back.internal",
            " networks.back.labels.com.example.c",
            " volumes.data",
            " volumes.data.labels.com.example.c",
        ];
        assert_eq!(fields(&result), changed);
    });
}

#[test]
fn pre_build() {
    guarded(|| async {
        let lab = Lab::new();
        for (grants, expected) in [("", "pre-build.txt"), (ALL, "pre-build-granted.txt")] {
            let plugin = load(&lab, with("specs", grants, "plain")).await;
            let told = Transcript::default();
            let mut build = scene::build(Path::new("/nowhere"));
            let result = plugin
                .pre_build(&context(), &mut build, source(&lab), told.sink())
                .await;
            told.result(&result);
            told.assert(expected);
            assert_eq!(fields(&result).len(), 10, "{:?}", fields(&result));
            assert_eq!(build.dockerfile.as_deref(), Some("FROM scratch\n"));
            assert_eq!(build.generated["bin/start"].contents, b"#!/bin/sh\n");
        }
    });
}

#[test]
fn pre_run() {
    guarded(|| async {
        let lab = Lab::new();
        for (grants, mode, expected, changed) in [
            ("", "plain", "pre-run.txt", 29),
            (ALL, "plain", "pre-run-granted.txt", 35),
            (ALL, "refuse", "pre-run-refused.txt", 0),
        ] {
            let plugin = load(&lab, with("specs", grants, mode)).await;
            let (told, mut spec) = (Transcript::default(), scene::spec());
            let dockerfile = Some("FROM alpine\n".to_owned());
            let result = plugin
                .pre_run(&context(), &mut spec, dockerfile, None, told.sink())
                .await;
            told.result(&result);
            told.assert(expected);
            assert_eq!(fields(&result).len(), changed, "{:?}", fields(&result));
            assert_eq!(spec.privileged, changed == 35, "{expected}");
        }
    });
}

#[test]
fn post_build() {
    guarded(|| async {
        let lab = Lab::new();
        let plugin = load(&lab, with("containers", "", "plain")).await;
        let told = Transcript::default();
        let tags = plugin
            .post_build(&context(), scene::Image::new(), told.sink())
            .await;
        told.result(&tags);
        told.assert("post-build.txt");
        assert_eq!(tags.expect("it goes well"), ["shop-web:2026-11"]);
    });
}

#[test]
fn health() {
    guarded(|| async {
        let lab = Lab::new();
        let told = Transcript::default();
        for mode in ["plain", "starting", "unhealthy", "refuse"] {
            let plugin = load(&lab, with("containers", "", mode)).await;
            let result = plugin
                .health(&context(), scene::Container::new(), told.sink())
                .await;
            match result {
                Ok(Some(HealthStatus::Starting(why))) => told.end(&format!("starting: {why}")),
                Ok(Some(HealthStatus::Healthy)) => told.end("healthy"),
                Ok(Some(HealthStatus::Unhealthy(why))) => told.end(&format!("unhealthy: {why}")),
                other => told.result(&other),
            }
        }
        told.assert("health.txt");
    });
}

#[test]
fn post_run() {
    guarded(|| async {
        let lab = Lab::new();
        let plugin = load(&lab, with("containers", "", "plain")).await;
        let told = Transcript::default();
        let result = plugin
            .post_run(&context(), scene::Container::new(), told.sink())
            .await;
        told.result(&result);
        told.assert("post-run.txt");
    });
}

#[test]
fn pre_stop() {
    guarded(|| async {
        let lab = Lab::new();
        let plugin = load(&lab, with("containers", "", "plain")).await;
        let told = Transcript::default();
        let result = plugin
            .pre_stop(&context(), scene::Container::new(), told.sink())
            .await;
        told.result(&result);
        told.assert("pre-stop.txt");
    });
}

#[test]
fn post_deploy() {
    guarded(|| async {
        let lab = Lab::new();
        let plugin = load(&lab, with("containers", "", "plain")).await;
        let told = Transcript::default();
        let result = plugin
            .post_deploy(&for_app(), scene::deploy(), told.sink())
            .await;
        told.result(&result);
        told.assert("post-deploy.txt");
    });
}

/// Secrets, state, HTTP, commands, files and the environment.
#[test]
fn what_needs_a_grant() {
    guarded(|| async {
        let lab = Lab::new();
        let (port, server) = scene::server();
        let authority = format!("127.0.0.1:{port}");
        let grants = format!(
            "context = \"read\"\nexec = true\nstate = true\nsecrets = [\"TOKEN\"]\n\
             env = [\"REGION\"]\nhttp = [\"http://{authority}\"]"
        );
        let memory = scene::Memory::new();
        let state = PluginState::new("granted", memory.clone());
        let secret = Secret::new("hunter2-and-more".to_owned());
        let settings = Settings {
            env: [("REGION".to_owned(), "north".to_owned())].into(),
            secrets: [("TOKEN".parse().expect("a name"), secret)].into(),
            state: Some(state.clone()),
            config: [("authority".to_owned(), authority)].into(),
            ..with("granted", &grants, "plain")
        };
        let plugin = load(&lab, settings).await;
        let told = Transcript::default();
        let mut build = scene::build(Path::new("/nowhere"));
        let result = plugin
            .pre_build(&context(), &mut build, source(&lab), told.sink())
            .await;
        told.result(&result);
        let result = plugin
            .post_run(&context(), scene::Container::new(), told.sink())
            .await;
        told.result(&result);
        told.assert("granted.txt");

        let request = server.join().expect("the server was asked");
        assert!(
            request.starts_with("POST /hook?a=b HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(request.contains("x-compat: 0.1.0\r\n"), "{request}");
        state.save().await.expect("it is kept");
        let kept = memory.0.lock().expect("no panic").clone();
        assert_eq!(kept, [("deploys".to_owned(), b"2".to_vec())].into());
    });
}

/// The components leave nothing out: each hook is exported, and each function called, by one.
#[test]
fn the_components_cover_the_whole_interface() {
    guarded(|| async {
        let lab = Lab::new();
        let mut hooks = BTreeSet::new();
        let mut imported = BTreeSet::new();
        for name in COMPONENTS {
            let inspection = lab.host.inspect(&component(name)).await.expect(name);
            assert!(inspection.other_exports.is_empty(), "{inspection:?}");
            hooks.extend(inspection.hooks);
            for import in inspection.imports {
                let interface = import.name.split('@').next().unwrap_or_default().to_owned();
                let functions = import.functions.into_iter();
                imported.extend(functions.map(|function| format!("{interface}.{function}")));
            }
        }
        assert!(
            Hook::ALL.iter().all(|hook| hooks.contains(hook)),
            "{hooks:?}"
        );
        let frozen = super::shape::of(&root().join(VERSION).join("wit"));
        let functions: BTreeSet<String> = frozen.functions("rengine:plugin/");
        let missing: Vec<_> = functions
            .difference(&imported)
            // The hooks themselves are exported.
            .filter(|name| {
                !Hook::ALL
                    .iter()
                    .any(|hook| name.contains(&format!("/{hook}.")))
            })
            .collect();
        assert_eq!(missing, Vec::<&String>::new());
    });
}

/// Without their grants they are told before anything runs, as ever.
#[test]
fn grants_are_asked_for_by_the_same_interfaces() {
    guarded(|| async {
        let lab = Lab::new();
        let mut needed: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for name in COMPONENTS {
            let inspection = lab.host.inspect(&component(name)).await.expect(name);
            let grants = inspection.needed_grants().into_iter();
            let interfaces = grants.map(|(_, interface)| interface.to_owned());
            needed.insert(name, interfaces.collect());
        }
        assert_eq!(needed["specs"], Vec::<String>::new());
        assert_eq!(needed["containers"], Vec::<String>::new());
        let mut gated = needed["granted"].clone();
        gated.sort_unstable();
        assert_eq!(
            gated,
            [
                "rengine:plugin/exec@0.1.0",
                "rengine:plugin/secrets@0.1.0",
                "wasi:http/outgoing-handler@0.2.12",
                "wasi:keyvalue/store@0.2.0-draft",
            ]
        );
        let error = lab.load_error(&component("granted")).await;
        assert!(error.to_string().contains("not granted"), "{error}");
    });
}

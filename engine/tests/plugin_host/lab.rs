//! What the tests share: a host in a folder of its own, and what a call of a hook did.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rengine::app::ContainerSpec;
use rengine::plugin::{
    CallContext, Change, Hook, LoadError, LogSink, Plugin, PluginError, PluginHost, Settings,
};

use crate::component::{SET_ENV, pre_run};

/// Logs `(level, context, message)`.
pub const LOG: &str = r#"(import "wasi:logging/logging@0.1.0-draft" "log"
    (func $log (param i32 i32 i32 i32 i32)))"#;
/// Replaces the capabilities to drop.
pub const SET_CAP_DROP: &str = r#"(import "rengine:plugin/container@0.1.0"
    "[method]container-spec.set-cap-drop" (func $set_cap_drop (param i32 i32 i32 i32)))"#;
/// Replaces the command.
pub const SET_COMMAND: &str = r#"(import "rengine:plugin/container@0.1.0"
    "[method]container-spec.set-command" (func $set_command (param i32 i32 i32 i32 i32)))"#;
/// Gives full access to the host.
pub const SET_PRIVILEGED: &str = r#"(import "rengine:plugin/container@0.1.0"
    "[method]container-spec.set-privileged" (func $set_privileged (param i32 i32 i32)))"#;

/// No test may take longer: a host that hangs is a failure, and not a test run that never ends.
pub const HANG: Duration = Duration::from_secs(120);

/// Runs a test on a thread of its own, and gives up on it when it hangs.
pub fn guarded<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let (done, outcome) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(test());
        let _ = done.send(());
    });
    match outcome.recv_timeout(HANG) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the host hangs"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// A host, and a folder for the files it loads.
pub struct Lab {
    pub folder: tempfile::TempDir,
    pub host: PluginHost,
}

/// What a call of `pre-run` did.
#[derive(Debug)]
pub struct Done {
    pub spec: ContainerSpec,
    pub changes: Vec<Change>,
}

impl Lab {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            host: PluginHost::new(None).expect("a host"),
        }
    }

    /// Writes a plugin's file.
    pub fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.wasm"));
        std::fs::write(&path, contents).expect("a file");
        path
    }

    /// Calls `pre-run` of a component.
    pub async fn call(&self, component: &[u8]) -> Result<Done, PluginError> {
        let path = self.file("hostile", component);
        self.call_with(settings("hostile", &path), silent()).await
    }

    pub async fn call_with(&self, settings: Settings, sink: LogSink) -> Result<Done, PluginError> {
        let plugin = self.host.load(settings).await.expect("the plugin loads");
        self.call_plugin(&plugin, sink).await
    }

    /// Calls `pre-run` of a plugin that is loaded.
    pub async fn call_plugin(&self, plugin: &Plugin, sink: LogSink) -> Result<Done, PluginError> {
        assert_eq!(plugin.hooks(), [Hook::PreRun]);
        let mut spec = ContainerSpec::default();
        match plugin
            .pre_run(&context(), &mut spec, None, None, sink)
            .await
        {
            Ok(changes) => Ok(Done { spec, changes }),
            Err(error) => {
                let untouched = ContainerSpec::default();
                assert_eq!(spec, untouched, "a failed call changes nothing");
                Err(error)
            }
        }
    }

    /// Calls a component that must fail, and returns what is said of it.
    pub async fn attack(&self, component: &[u8]) -> String {
        let told = told(&self.call(component).await.expect_err("the attack fails"));
        self.still_works().await;
        told
    }

    /// Loads a file that must not load, and returns what is said of it.
    pub async fn load_error(&self, path: &Path) -> LoadError {
        let settings = settings("hostile", path);
        let error = self.host.load(settings).await.err();
        let error = error.expect("the file does not load");
        let text = error.to_string();
        let named = format!("plugin `hostile` ({}) can't be loaded: ", path.display());
        assert!(text.starts_with(&named), "{text}");
        assert!(error.help.is_some(), "it says what to do: {text}");
        self.still_works().await;
        error
    }

    /// A healthy plugin in the same host does its work.
    pub async fn still_works(&self) {
        let path = self.file("healthy", &healthy());
        let done = self
            .call_with(settings("healthy", &path), silent())
            .await
            .expect("the healthy plugin works");
        assert_eq!(done.spec.env.get("KEY").map(String::as_str), Some("KEY"));
        assert_eq!(done.changes.len(), 1);
        assert_eq!(done.changes[0].plugin, "healthy");
    }
}

/// Sets the variable KEY to `KEY`.
pub fn healthy() -> Vec<u8> {
    pre_run(
        SET_ENV,
        "(call $set_env (local.get $spec) (i32.const 1024) (i32.const 3)
            (i32.const 1024) (i32.const 3) (i32.const 2048))
         (return (call $check (i32.const 2048)))",
    )
}

pub fn settings(name: &str, path: &Path) -> Settings {
    Settings {
        timeout: Duration::from_secs(60),
        ..Settings::new(name, path)
    }
}

pub fn context() -> CallContext {
    CallContext {
        app: "shop".to_owned(),
        service: "web".to_owned(),
        release: "r1".to_owned(),
        planning: true,
    }
}

pub fn silent() -> LogSink {
    Arc::new(|_| {})
}

/// The message of an error, which names plugin, hook and service, and is of bearable length.
pub fn told(error: &PluginError) -> String {
    let text = error.to_string();
    assert!(text.starts_with("plugin `hostile` "), "{text}");
    assert!(text.contains(" in pre-run of service `web`: "), "{text}");
    assert!(text.len() < 20_000, "{} bytes", text.len());
    text
}

#[track_caller]
pub fn assert_contains(text: &str, part: &str) {
    assert!(text.contains(part), "no `{part}` in: {text}");
}

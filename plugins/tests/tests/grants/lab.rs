//! A host, and the probe in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rengine::app::ContainerSpec;
use rengine::grants::Grants;
use rengine::plugin::{
    CallContext, Change, LogRecord, LogSink, Plugin, PluginError, PluginHost, Settings,
};

/// Builds the probe, once, and names its file.
pub fn probe() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = workspace.join("target");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--profile", "plugin", "--target", "wasm32-wasip2"])
            .args(["-p", "probe", "--target-dir"])
            .arg(&target)
            .current_dir(&workspace)
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the probe is built");
        target.join("wasm32-wasip2/plugin/probe.wasm")
    })
}

/// Everything that the probe imports has to be granted, or it can't be loaded: what a test does
/// not grant, it grants for nothing.
const LEAST: &str = "exec = true\nstate = true\n";

/// The probe with these grants; `steps` are words, each list a step.
pub fn settings(grants: &str, steps: &[&[&str]]) -> Settings {
    let mut text = LEAST.to_owned();
    for (key, nothing) in [
        ("http", "http = [\"nothing.example.com\"]\n"),
        ("secrets", "secrets = [\"NOTHING\"]\n"),
    ] {
        if !grants.contains(key) {
            text.push_str(nothing);
        }
    }
    let grants: Grants = toml::from_str(&format!("{text}{grants}")).expect("grants");
    let words = steps
        .iter()
        .map(|step| {
            let words = step.iter().map(|&word| toml::Value::from(word));
            toml::Value::Array(words.collect())
        })
        .collect();
    let steps = json(&toml::Value::Array(words));
    Settings {
        grants,
        config: [("steps".to_owned(), steps)].into(),
        timeout: Duration::from_secs(20),
        ..Settings::new("probe", probe())
    }
}

/// Lists of texts as JSON, which is how plugins.toml hands them on.
fn json(value: &toml::Value) -> String {
    match value {
        toml::Value::Array(items) => {
            let items: Vec<_> = items.iter().map(json).collect();
            format!("[{}]", items.join(","))
        }
        other => {
            let mut text = String::from("\"");
            for c in other.as_str().expect("a text").chars() {
                match c {
                    '"' | '\\' => text.extend(['\\', c]),
                    c if c.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(c))),
                    c => text.push(c),
                }
            }
            text + "\""
        }
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

/// What a call logged.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn sink(&self) -> LogSink {
        let lines = self.0.clone();
        Arc::new(move |record: LogRecord| lines.lock().unwrap().push(record.message))
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// What came of a call of `pre-run`.
pub struct Tried {
    pub result: Result<Vec<Change>, PluginError>,
    pub spec: ContainerSpec,
    pub lines: Vec<String>,
}

impl Tried {
    /// The line of the only step.
    #[track_caller]
    pub fn line(&self) -> &str {
        assert!(self.result.is_ok(), "{:?}", self.result);
        assert_eq!(self.lines.len(), 1, "{:?}", self.lines);
        &self.lines[0]
    }

    /// What is said of a call that failed.
    #[track_caller]
    pub fn error(&self) -> String {
        self.result.as_ref().expect_err("it fails").to_string()
    }
}

/// A host of the test's own. The compiled probe is shared.
pub fn host() -> PluginHost {
    PluginHost::new(Some(Path::new(env!("CARGO_TARGET_TMPDIR")))).expect("a host")
}

pub async fn load(host: &PluginHost, settings: Settings) -> Plugin {
    host.load(settings).await.expect("the probe loads")
}

/// Loads the probe and calls `pre-run`.
pub async fn pre_run(host: &PluginHost, settings: Settings) -> Tried {
    let plugin = load(host, settings).await;
    let (mut spec, log) = (ContainerSpec::default(), Log::default());
    let result = plugin
        .pre_run(&context(), &mut spec, None, None, log.sink())
        .await;
    let lines = log.lines();
    Tried {
        result,
        spec,
        lines,
    }
}

#[track_caller]
pub fn assert_contains(text: &str, part: &str) {
    assert!(text.contains(part), "no `{part}` in: {text}");
}

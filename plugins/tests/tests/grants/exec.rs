//! Commands in containers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rengine::plan::observed::{ContainerStats, PublishedPort};
use rengine::plugin::{ContainerAccess, ExecOutcome, HttpRequest, HttpResponse, RunningState};

use crate::lab::{Log, assert_contains, context, host, load, settings};

/// Remembers what it was to run, and runs nothing.
#[derive(Default)]
struct Container(Mutex<Vec<(Vec<String>, Duration)>>);

fn nothing<T: Send + 'static>() -> BoxFuture<'static, Result<T, String>> {
    async { Err("it only takes commands".to_owned()) }.boxed()
}

impl ContainerAccess for Container {
    fn id(&self) -> &str {
        "0"
    }
    fn name(&self) -> &str {
        "shop-web"
    }
    fn image(&self) -> &str {
        "0"
    }
    fn address(&self) -> Option<IpAddr> {
        None
    }
    fn ports(&self) -> &[PublishedPort] {
        &[]
    }
    fn labels(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        &NONE
    }
    fn state(&self) -> BoxFuture<'_, Result<RunningState, String>> {
        nothing()
    }
    fn stats(&self) -> BoxFuture<'_, Result<ContainerStats, String>> {
        nothing()
    }
    fn logs(&self, _: u32) -> BoxFuture<'_, Result<Vec<String>, String>> {
        nothing()
    }
    fn http(&self, _: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, String>> {
        nothing()
    }
    fn tcp_connect(&self, _: u16, _: Duration) -> BoxFuture<'_, Result<(), String>> {
        nothing()
    }
    fn exec(
        &self,
        command: Vec<String>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<ExecOutcome, String>> {
        self.0.lock().unwrap().push((command, timeout));
        async {
            Ok(ExecOutcome {
                exit_code: 3,
                output: "said\n".to_owned(),
            })
        }
        .boxed()
    }
}

#[tokio::test]
async fn commands_run_as_they_are_given() {
    let steps: &[&[&str]] = &[
        &["exec", "echo", "a b", "; rm -rf /"],
        &["exec-within", "250", "true"],
        &["exec"],
        &["exec", ""],
        &["exec", "e\0cho"],
        &["exec", "ec\nho"],
        &["exec", "echo", "a\0b"],
    ];
    let plugin = load(&host(), settings("", steps)).await;
    let (container, log) = (Arc::new(Container::default()), Log::default());
    let result = plugin
        .post_run(&context(), container.clone(), log.sink())
        .await;
    result.expect("it goes well");
    let lines = log.lines();
    assert_eq!(lines[..2], ["ok: 3 said", "ok: 3"]);
    assert_contains(&lines[2], "a command needs a program");
    for line in &lines[4..] {
        assert!(line.starts_with("error: "), "{line}");
    }
    let ran = container.0.lock().unwrap().clone();
    let words = ["echo", "a b", "; rm -rf /"].map(str::to_owned).to_vec();
    assert_eq!(ran[0], (words, Duration::from_secs(10)));
    let words = vec!["true".to_owned()];
    assert_eq!(ran[1], (words, Duration::from_millis(250)));
    // An empty name is the daemon's to refuse.
    assert_eq!(ran.len(), 3, "{ran:?}");
}

//! The first-party plugins as they are shipped, in rengine's own host: what each component exports
//! and imports, how large it is, and what its hooks do.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rengine::app::{ByteSize, ContainerSpec, ImageBuild};
use rengine::plan::observed::{ContainerStats, PublishedPort};
use rengine::plugin::{
    CallContext, ContainerAccess, ContextAccess, ExecOutcome, HealthStatus, Hook, HttpRequest,
    HttpResponse, LogSink, Plugin, PluginHost, RunningState, Settings,
};

/// Above this a plugin has taken in something that it should do without.
const MAX_SIZE: u64 = 120 << 10;

/// Builds the components, once, as the documentation says, and names the folder they are in.
fn components() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = workspace.join("target");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--profile", "plugin", "--target", "wasm32-wasip2"])
            .args(["-p", "go-static", "-p", "harden", "-p", "http-check"])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(&workspace)
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the plugins are built");
        target.join("wasm32-wasip2/plugin")
    })
}

fn component(name: &str) -> PathBuf {
    components().join(format!("{}.wasm", name.replace('-', "_")))
}

async fn load(name: &str, config: &[(&str, &str)]) -> Plugin {
    let config = config
        .iter()
        .map(|&(key, value)| (key.into(), value.into()));
    let settings = Settings {
        config: config.collect(),
        memory: ByteSize::mib(16),
        ..Settings::new(name, component(name))
    };
    let host = PluginHost::new(None).expect("a host");
    host.load(settings).await.expect("the plugin loads")
}

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

#[tokio::test]
async fn each_component_exports_its_hooks_alone_and_is_small() {
    let host = PluginHost::new(None).unwrap();
    for (name, hooks, grants) in [
        ("go-static", vec![Hook::PreBuild], 1),
        ("harden", vec![Hook::PreRun], 0),
        ("http-check", vec![Hook::Health, Hook::PostRun], 0),
    ] {
        let inspection = host.inspect(&component(name)).await.unwrap();
        assert_eq!(inspection.hooks, hooks, "{name}");
        assert!(inspection.other_exports.is_empty(), "{inspection:?}");
        assert_eq!(inspection.possible_grants().len(), grants, "{name}");
        assert_eq!(inspection.needed_grants(), [], "{name}");
        assert!(
            inspection.size <= MAX_SIZE,
            "{name}: {} bytes",
            inspection.size
        );
    }
}

struct Context(&'static [&'static str]);

impl ContextAccess for Context {
    fn files(&self) -> Result<Vec<String>, String> {
        Ok(self.0.iter().map(|&file| file.to_owned()).collect())
    }
    fn has_file(&self, path: &str) -> bool {
        self.0.contains(&path)
    }
    fn read_file(&self, path: &str, _: usize) -> Result<Vec<u8>, String> {
        Err(format!("{path} is read without a grant"))
    }
}

fn build(dockerfile: Option<&str>) -> ImageBuild {
    ImageBuild {
        context: PathBuf::from("/nowhere"),
        dockerfile_path: "Dockerfile".to_owned(),
        dockerfile: dockerfile.map(str::to_owned),
        args: BTreeMap::new(),
        labels: BTreeMap::new(),
        target: dockerfile.map(|_| "dev".to_owned()),
        platform: None,
        cache_from: Vec::new(),
        no_cache: false,
        pull: false,
        inline_cache: false,
        run: rengine::app::BuildRun::default(),
        tags: Vec::new(),
        contexts: BTreeMap::new(),
        generated: BTreeMap::new(),
    }
}

#[tokio::test]
async fn go_static_writes_a_dockerfile_where_there_is_none_or_where_it_must() {
    const FILES: &[&str] = &["go.mod", "cmd/web/main.go"];
    for (config, dockerfile, files, from) in [
        (&[][..], None, FILES, Some("FROM golang:1 AS build")),
        (&[], Some("FROM mine"), FILES, Some("FROM mine")),
        (
            &[("force", "true"), ("image", "golang:1.26")],
            Some("FROM mine"),
            FILES,
            Some("FROM golang:1.26 AS build"),
        ),
        (&[], None, &["index.html"], None),
    ] {
        let plugin = load("go-static", config).await;
        let mut build = build(dockerfile);
        let files = Arc::new(Context(files));
        plugin
            .pre_build(&context(), &mut build, files, silent())
            .await
            .unwrap();
        let text = build.dockerfile.unwrap_or_default();
        let first = text.lines().find(|line| line.starts_with("FROM"));
        assert_eq!(first, from, "{text}");
        let written = text.contains("go build");
        assert_eq!(written, text.ends_with("ENTRYPOINT [\"/app\"]\n"));
        assert!(!(written && build.target.is_some()), "the stage is gone");
    }
    let plugin = load("go-static", &[("force", "true")]).await;
    let nothing = Arc::new(Context(&[]));
    let error = plugin
        .pre_build(&context(), &mut build(None), nothing, silent())
        .await
        .unwrap_err();
    assert!(
        error.is_refusal() && error.to_string().contains("no go.mod"),
        "{error}"
    );
}

#[tokio::test]
async fn harden_changes_a_plain_container_without_any_grant() {
    let plugin = load("harden", &[("memory", "64MiB"), ("pids", "false")]).await;
    let mut spec = ContainerSpec::default();
    let changes = plugin
        .pre_run(
            &context(),
            &mut spec,
            None,
            Some("shop".to_owned()),
            silent(),
        )
        .await
        .unwrap();
    assert_eq!(spec.user.as_deref(), Some("65532:65532"));
    assert!(spec.read_only_root && spec.no_new_privileges);
    assert_eq!(spec.tmpfs.keys().collect::<Vec<_>>(), ["/run", "/tmp"]);
    assert_eq!(spec.cap_drop, ["ALL"]);
    assert_eq!(spec.memory, Some(ByteSize::mib(64)));
    assert_eq!(spec.cpus.map(|cpus| cpus.as_f64()), Some(1.0));
    assert_eq!(spec.pids_limit, None);
    assert!(changes.iter().all(|change| change.plugin == "harden"));

    let again = plugin
        .pre_run(&context(), &mut spec, None, None, silent())
        .await
        .unwrap();
    assert_eq!(again, [], "what is hardened is left alone");

    spec.privileged = true;
    let error = plugin
        .pre_run(&context(), &mut spec, None, None, silent())
        .await
        .unwrap_err();
    assert!(error.is_refusal(), "{error}");
}

#[tokio::test]
async fn a_wrong_setting_is_refused_by_its_name() {
    let plugin = load("harden", &[("memroy", "64MiB")]).await;
    let error = plugin
        .pre_run(
            &context(),
            &mut ContainerSpec::default(),
            None,
            None,
            silent(),
        )
        .await
        .unwrap_err();
    assert!(error.is_refusal(), "{error}");
    assert!(error.to_string().contains("no key `memroy`"), "{error}");
}

/// A container that answers every path with the same status.
struct Container(Result<u16, &'static str>);

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
        async { Err("not asked for".to_owned()) }.boxed()
    }
    fn stats(&self) -> BoxFuture<'_, Result<ContainerStats, String>> {
        async { Err("not asked for".to_owned()) }.boxed()
    }
    fn logs(&self, _: u32) -> BoxFuture<'_, Result<Vec<String>, String>> {
        async { Ok(Vec::new()) }.boxed()
    }
    fn http(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, String>> {
        assert_eq!(request.timeout, Duration::from_millis(250));
        let answer = self.0.map_err(str::to_owned).map(|status| HttpResponse {
            status,
            headers: Vec::new(),
            body: b"ok".to_vec(),
        });
        async { answer }.boxed()
    }
    fn exec(&self, _: Vec<String>, _: Duration) -> BoxFuture<'_, Result<ExecOutcome, String>> {
        async { Err("no command is run".to_owned()) }.boxed()
    }
    fn tcp_connect(&self, _: u16, _: Duration) -> BoxFuture<'_, Result<(), String>> {
        async { Ok(()) }.boxed()
    }
}

#[tokio::test]
async fn http_check_judges_and_warms_up() {
    let config = [
        ("timeout", "250ms"),
        ("status", "[200, 204]"),
        ("strict", "true"),
        ("warm-up", "[\"/\", \"/a\"]"),
        ("warm-up-required", "true"),
    ];
    let plugin = load("http-check", &config).await;
    let refused = "GET /: connection refused".to_owned();
    let not_found = "GET / answered 404, not 200 or 204".to_owned();
    for (answer, expected, warm) in [
        (Ok(200), HealthStatus::Healthy, true),
        (Ok(404), HealthStatus::Unhealthy(not_found), false),
        (
            Err("connection refused"),
            HealthStatus::Starting(refused),
            false,
        ),
    ] {
        let container = Arc::new(Container(answer));
        let health = plugin.health(&context(), container.clone(), silent()).await;
        assert_eq!(health.unwrap(), Some(expected));
        let warmed = plugin.post_run(&context(), container, silent()).await;
        assert_eq!(warmed.is_ok(), warm);
    }
}

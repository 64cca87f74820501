//! What the hooks are handed: an app, a build context, an image, a container and a deploy, all of
//! them known, so that what a plugin makes of them is known as well.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rengine::app::{
    App, ByteSize, ContainerSpec, Cpus, Device, ImageBuild, ImageSource, Mount, MountOptions,
    MountSource, Name, PortMapping, Protocol, Service,
};
use rengine::plan::observed::{ContainerStats, HistoryEntry, ImageFacts, PublishedPort};
use rengine::plugin::{
    Change, ContainerAccess, ContextAccess, Entries, ExecOutcome, FinishedDeploy, FinishedService,
    FinishedStep, Hook, HttpRequest, HttpResponse, ImageAccess, Outcome, RunningState, StateAccess,
};

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// A build with a value in each place.
pub fn build(folder: &Path) -> ImageBuild {
    ImageBuild {
        context: folder.to_owned(),
        dockerfile_path: "Dockerfile".to_owned(),
        dockerfile: Some("FROM alpine\n".to_owned()),
        args: texts([("OLD", "1")]),
        labels: texts([("com.example.old", "1")]),
        target: Some("dev".to_owned()),
        platform: None,
        cache_from: Vec::new(),
        no_cache: false,
        pull: false,
        inline_cache: false,
        run: rengine::app::BuildRun::default(),
        tags: Vec::new(),
        generated: BTreeMap::new(),
    }
}

/// A container with a value in most places.
pub fn spec() -> ContainerSpec {
    ContainerSpec {
        env: texts([("OLD", "1")]),
        labels: texts([("com.example.old", "1")]),
        memory: Some(ByteSize::mib(32)),
        cpus: Some(Cpus::new(0.5).expect("half a CPU")),
        tmpfs: texts([("/old", "size=1m")]),
        cap_drop: vec!["NET_RAW".to_owned()],
        devices: vec![Device {
            host_path: "/dev/old".to_owned(),
            container_path: "/dev/old".to_owned(),
            permissions: "r".to_owned(),
        }],
        mounts: vec![Mount {
            source: MountSource::Volume("old".to_owned()),
            target: "/old".to_owned(),
            read_only: false,
            options: MountOptions::default(),
        }],
        ports: vec![PortMapping {
            container_port: 9999,
            protocol: Protocol::Tcp,
            host_port: None,
            host_port_last: None,
            host_address: None,
            app_protocol: None,
        }],
        ..ContainerSpec::default()
    }
}

/// An app with one service that is built and one that is not.
pub fn app(folder: &Path) -> App {
    let name = |text: &str| Name::parse(text).expect("a name");
    let service =
        |text: &str, image: ImageSource| Service::new(name(text), image, ContainerSpec::default());
    let built = ImageSource::Build(Box::new(build(folder)));
    let ready = ImageSource::Image("postgres:17".to_owned());
    App::new(name("shop"), [service("web", built), service("db", ready)])
}

/// A build context with one file, which is also on the disk.
pub struct Context(pub PathBuf);

impl ContextAccess for Context {
    fn files(&self) -> Result<Vec<String>, String> {
        Ok(vec!["main.c".to_owned()])
    }
    fn has_file(&self, path: &str) -> bool {
        path == "main.c"
    }
    fn read_file(&self, path: &str, _: usize) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(path)).map_err(|error| error.to_string())
    }
    fn folder(&self) -> Option<&Path> {
        Some(&self.0)
    }
    fn sends(&self, _: &std::fs::File) -> bool {
        true
    }
}

pub struct Image(ImageFacts);

impl Image {
    pub fn new() -> Arc<Self> {
        let words = |word: &str| Some(vec![word.to_owned()]);
        Arc::new(Self(ImageFacts {
            id: "sha256:1234".to_owned(),
            exposed: vec![(80, Protocol::Tcp), (53, Protocol::Udp)],
            user: "app".to_owned(),
            has_health_check: true,
            size: 5_000_000_000,
            labels: texts([("com.example.team", "checkout")]),
            tags: vec!["shop-web:latest".to_owned()],
            digest: Some("shop-web@sha256:5678".to_owned()),
            layers: vec!["sha256:9abc".to_owned()],
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            command: words("serve"),
            entrypoint: words("/app"),
            working_dir: Some("/srv".to_owned()),
            env: vec![("PATH".to_owned(), "/bin".to_owned())],
        }))
    }
}

impl ImageAccess for Image {
    fn facts(&self) -> &ImageFacts {
        &self.0
    }
    fn history(&self) -> BoxFuture<'_, Result<Vec<HistoryEntry>, String>> {
        let entry = HistoryEntry {
            created_by: "COPY app /app".to_owned(),
            size: 1000,
            created_ms: Some(1_700_000_000_000),
        };
        async { Ok(vec![entry]) }.boxed()
    }
    fn may_tag<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), String>> {
        async { Ok(()) }.boxed()
    }
}

pub struct Container {
    ports: Vec<PublishedPort>,
    labels: BTreeMap<String, String>,
}

impl Container {
    pub fn new() -> Arc<Self> {
        let port = PublishedPort {
            container_port: 80,
            protocol: Protocol::Tcp,
            host_address: "0.0.0.0".to_owned(),
            host_port: 8080,
        };
        Arc::new(Self {
            ports: vec![port],
            labels: texts([("com.example.team", "checkout")]),
        })
    }
}

impl ContainerAccess for Container {
    fn id(&self) -> &str {
        "0123456789abcdef"
    }
    fn name(&self) -> &str {
        "shop-web-r1"
    }
    fn image(&self) -> &str {
        "sha256:1234"
    }
    fn address(&self) -> Option<IpAddr> {
        Some(IpAddr::from([172, 17, 0, 2]))
    }
    fn ports(&self) -> &[PublishedPort] {
        &self.ports
    }
    fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }
    fn state(&self) -> BoxFuture<'_, Result<RunningState, String>> {
        let state = RunningState {
            running: true,
            started_ms: Some(1_700_000_000_000),
            exit_code: -1,
            restarts: 2,
            health: Some("healthy".to_owned()),
        };
        async { Ok(state) }.boxed()
    }
    fn stats(&self) -> BoxFuture<'_, Result<ContainerStats, String>> {
        let stats = ContainerStats {
            cpu_ns: 1,
            memory: 2,
            memory_limit: 3,
            processes: 4,
            received: 5,
            sent: 6,
        };
        async move { Ok(stats) }.boxed()
    }
    fn logs(&self, lines: u32) -> BoxFuture<'_, Result<Vec<String>, String>> {
        let all = ["one", "two", "three"].map(str::to_owned);
        let last = all.len().saturating_sub(lines as usize);
        async move { Ok(all[last..].to_vec()) }.boxed()
    }
    fn http(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, String>> {
        let seen = format!(
            "{} {} port {:?} within {:?}: {}",
            request.method,
            request.path,
            request.port,
            request.timeout,
            String::from_utf8_lossy(&request.body)
        );
        let answer = HttpResponse {
            status: 201,
            headers: request.headers,
            body: seen.into_bytes(),
        };
        async { Ok(answer) }.boxed()
    }
    fn tcp_connect(&self, port: u16, _: Duration) -> BoxFuture<'_, Result<(), String>> {
        let answer = match port {
            80 => Ok(()),
            _ => Err("connection refused".to_owned()),
        };
        async { answer }.boxed()
    }
    fn exec(
        &self,
        command: Vec<String>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<ExecOutcome, String>> {
        let outcome = ExecOutcome {
            exit_code: 3,
            output: format!("{} within {timeout:?}", command.join(" ")),
        };
        async { Ok(outcome) }.boxed()
    }
}

pub fn deploy() -> Arc<FinishedDeploy> {
    Arc::new(FinishedDeploy {
        outcome: Outcome::RolledBack,
        error: Some("it was not healthy".to_owned()),
        took: Duration::from_millis(1500),
        steps: vec![FinishedStep {
            operation: "health",
            service: Some("web".to_owned()),
            took: Duration::from_millis(900),
            succeeded: false,
        }],
        changes: vec![Change {
            plugin: "harden".to_owned(),
            hook: Hook::PreRun,
            service: "web".to_owned(),
            field: "user".to_owned(),
            old: None,
            new: Some("1000".to_owned()),
        }],
        services: vec![FinishedService {
            name: "web".to_owned(),
            container: "shop-web-r0".to_owned(),
            addresses: vec!["http://localhost:8080".to_owned()],
        }],
    })
}

/// State in memory: one deploy was counted.
pub struct Memory(pub Mutex<Entries>);

impl Memory {
    pub fn new() -> Arc<Self> {
        let entries = [("deploys".to_owned(), b"1".to_vec())];
        Arc::new(Self(Mutex::new(entries.into())))
    }
}

impl StateAccess for Memory {
    fn load<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Entries, String>> {
        let entries = self.0.lock().expect("no panic").clone();
        async { Ok(entries) }.boxed()
    }
    fn save<'a>(&'a self, _: &'a str, entries: &'a Entries) -> BoxFuture<'a, Result<(), String>> {
        *self.0.lock().expect("no panic") = entries.clone();
        async { Ok(()) }.boxed()
    }
}

/// Answers one HTTP request, and hands on what it was sent.
pub fn server() -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let (mut request, mut chunk) = (Vec::new(), [0; 1024]);
        while !request.ends_with(b"\r\n\r\nhello") {
            let count = stream.read(&mut chunk).expect("a request");
            assert!(count > 0, "the request ended early");
            request.extend_from_slice(&chunk[..count]);
        }
        let answer = "HTTP/1.1 202 Accepted\r\ncontent-length: 6\r\n\r\nqueued";
        stream.write_all(answer.as_bytes()).expect("it is sent");
        String::from_utf8(request).expect("text")
    });
    (port, thread)
}

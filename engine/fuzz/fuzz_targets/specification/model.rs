//! What plugins are handed. The script is in it: it is where the guest finds it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rengine::app::{App, ContainerSpec, ImageBuild, ImageSource, Name, Service};

const SCRIPT: &str = "SCRIPT";

pub fn spec(script: String) -> ContainerSpec {
    ContainerSpec {
        env: [(SCRIPT.to_owned(), script)].into(),
        cap_drop: vec!["NET_RAW".to_owned(), "MKNOD".to_owned()],
        ..ContainerSpec::default()
    }
}

pub fn build(script: String) -> ImageBuild {
    ImageBuild {
        context: PathBuf::from("/nowhere"),
        dockerfile_path: "Dockerfile".to_owned(),
        dockerfile: Some("FROM scratch\n".to_owned()),
        args: [(SCRIPT.to_owned(), script)].into(),
        labels: BTreeMap::new(),
        target: None,
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

/// An app with a service that is built and one that is not.
pub fn app(script: String) -> App {
    let name = |text: &str| Name::parse(text).expect("a name");
    let built = ImageSource::Build(Box::new(build(String::new())));
    let ready = ImageSource::Image("postgres:17".to_owned());
    let services = [
        Service::new(name("web"), built, spec(script)),
        Service::new(name("db"), ready, spec(String::new())),
    ];
    App::new(name("shop"), services)
}

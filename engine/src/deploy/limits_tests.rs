use std::sync::Mutex;

use super::*;
use crate::app::{MountOptions, MountSource, Name, Service};

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Reporter for Told {
    fn report(&self, event: Event) {
        if let Event::Warning { message, .. } = event {
            self.0.lock().expect("a list").push(message);
        }
    }
}

fn facts(product: &str, api: &str) -> DaemonFacts {
    DaemonFacts {
        product: product.to_owned(),
        version: "1".to_owned(),
        api_version: api.to_owned(),
        builder: match product {
            "Docker" => Builder::BuildKit,
            _ => Builder::Classic,
        },
        os: "linux".to_owned(),
        arch: "amd64".to_owned(),
        host: None,
        storage_driver: None,
        root_dir: None,
        cpus: None,
        memory: None,
        rootless: false,
        runs_health_checks: product == "Docker",
    }
}

/// The warnings, and the error, for a container on a daemon.
fn told(spec: ContainerSpec, facts: &DaemonFacts) -> (Vec<String>, Option<String>) {
    let name = Name::parse("web").expect("a name");
    let image = ImageSource::Image("x".to_owned());
    let service = Service::new(name.clone(), image, spec);
    let told = Told::default();
    let result = check(&App::new(name, [service]), facts, &told);
    let error = result.err().map(|error| error.to_string());
    (told.0.into_inner().expect("a list"), error)
}

#[test]
fn what_is_left_out_is_a_warning_and_what_matters_an_error() {
    let podman = facts("Podman", "1.41");
    assert_eq!(told(ContainerSpec::default(), &podman), (vec![], None));
    let spec = ContainerSpec {
        domainname: Some("example.org".to_owned()),
        runtime: Some("runsc".to_owned()),
        ..ContainerSpec::default()
    };
    let (warnings, error) = told(spec.clone(), &podman);
    assert_eq!(
        warnings,
        ["Podman 1 leaves out `domainname` of service `web`: the container has no domain name"]
    );
    let error = error.expect("an error");
    assert!(error.contains("can't do what is asked for: `runtime` of service `web`"));
    assert_eq!(told(spec, &facts("Docker", "1.41")), (vec![], None));
}

#[test]
fn podman_learned_some_of_it_later() {
    let mut spec = ContainerSpec::default();
    spec.annotations
        .insert("com.example.note".to_owned(), "x".to_owned());
    let warnings = |version: &str| {
        let mut podman = facts("Podman", "1.41");
        podman.version = version.to_owned();
        told(spec.clone(), &podman).0.len()
    };
    let versions = ["", "4.3.1", "5.3.9", "5.4.2", "5.10.0-dev", "6.0"];
    assert_eq!(versions.map(warnings), [1, 1, 1, 0, 0, 0]);
}

#[test]
fn docker_learned_some_of_it_later() {
    let mut spec = ContainerSpec::default();
    spec.mounts.push(crate::app::Mount {
        source: MountSource::Volume("data".to_owned()),
        target: "/data".to_owned(),
        read_only: false,
        options: MountOptions {
            subpath: Some("part".to_owned()),
            ..MountOptions::default()
        },
    });
    let error = |facts: &DaemonFacts| told(spec.clone(), facts).1;
    assert!(error(&facts("Docker", "1.44")).is_some());
    assert_eq!(error(&facts("Docker", "1.45")), None);
    assert!(error(&facts("Podman", "1.45")).is_some());
}

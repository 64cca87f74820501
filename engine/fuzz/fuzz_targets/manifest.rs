//! plugins.toml: any text is a manifest, or an error with its place in the text.

#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use miette::{Diagnostic, NarratableReportHandler};
use rengine::app::{Fields, ImageSource, Name, Probe};
use rengine::manifest::{self, Manifest, ManifestError, PluginSource};

/// A folder with a Dockerfile, a file of variables and nothing else.
fn folder() -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").expect("a file");
        std::fs::write(folder.path().join("vars.env"), "A=1\n").expect("a file");
        folder
    });
    folder.path().to_owned()
}

/// What a text names outside of the folder is there on one machine and not on another.
fn names_other_files(text: &str) -> bool {
    text.contains("..") || text.replace("/app", "").contains("\"/") || text.contains('~')
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else {
        return Corpus::Reject;
    };
    if names_other_files(text) {
        return Corpus::Reject;
    }
    let env = |name: &str| name.starts_with('A').then(|| format!("value of {name}"));
    match manifest::parse(text, folder(), &env) {
        Ok(manifest) => check(&manifest),
        Err(error) => has_a_place(&error, text),
    }
    Corpus::Keep
});

fn has_a_place(error: &ManifestError, text: &str) {
    let mut shown = String::new();
    let handler = NarratableReportHandler::new();
    handler
        .render_report(&mut shown, error)
        .expect("it is shown");
    let ManifestError::Invalid { span, .. } = error else {
        return;
    };
    let (start, end) = (span.offset(), span.offset() + span.len());
    assert!(text.get(start..end).is_some(), "{start}..{end}: {error}");
    assert!(!error.to_string().is_empty());
    assert!(error.source_code().is_some());
}

/// What was parsed has no value that is not one.
fn check(manifest: &Manifest) {
    assert!(Name::parse(manifest.app.name.as_str()).is_ok());
    assert!(manifest.deploy.timeout.as_nanos() > 0);
    for (name, service) in &manifest.app.services {
        assert!(Name::parse(name.as_str()).is_ok());
        let spec = &service.container;
        let zero = |port: &rengine::app::PortMapping| {
            port.container_port == 0 || port.host_port == Some(0)
        };
        assert!(!spec.ports.iter().any(zero), "{:?}", spec.ports);
        assert_ne!(spec.pids_limit, Some(0));
        if let Some(check) = &spec.health {
            assert!(!check.interval.is_zero() && !check.timeout.is_zero());
            match &check.probe {
                Probe::Http { path, port, status } => {
                    assert!(path.starts_with('/') && *port != Some(0));
                    assert!(status.is_none_or(|status| (100..600).contains(&status)));
                }
                Probe::Tcp(port) => assert_ne!(*port, 0),
                Probe::Exec(words) => assert!(!words.is_empty()),
                Probe::Shell(_) => {}
                Probe::None => {}
            }
        }
        assert!(
            spec.mounts
                .iter()
                .all(|mount| mount.target.starts_with('/'))
        );
        if let ImageSource::Build(build) = &service.image {
            assert!(build.context.is_absolute());
        }
        // Told and fingerprinted whatever it is.
        let fields = Fields::of(service);
        assert!(!fields.is_empty());
    }
    for (name, plugin) in &manifest.plugins {
        assert!(Name::parse(name.as_str()).is_ok());
        if let PluginSource::File(path) = &plugin.from {
            assert!(path.is_absolute());
        }
        assert!(plugin.timeout.as_nanos() > 0, "{name}");
        for service in plugin.services.iter().flatten() {
            assert!(manifest.app.services.contains_key(service));
        }
    }
}

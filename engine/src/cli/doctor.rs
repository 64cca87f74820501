//! `rengine doctor`.

use miette::Diagnostic;
use serde::Serialize;

use super::error::CliError;
use super::{GlobalArgs, session};
use crate::app::ByteSize;
use crate::deploy::cache_folder;
use crate::docker::{Builder, Docker};
use crate::plugin::PluginHost;
use crate::ui::{Ui, printable};

/// With less space than this a build soon fails.
const MIN_FREE_DISK: ByteSize = ByteSize::mib(1024);

/// One thing that was looked at.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Check {
    what: &'static str,
    ok: bool,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl Check {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            what,
            ok: true,
            found: found.into(),
            help: None,
        }
    }

    fn failed(what: &'static str, error: &dyn Diagnostic) -> Self {
        Self {
            what,
            ok: false,
            found: error.to_string(),
            help: error.help().map(|help| help.to_string()),
        }
    }
}

pub async fn run(global: &GlobalArgs, ui: Ui) -> Result<(), CliError> {
    let mut checks = Vec::new();
    let mut unreachable = false;
    // The daemon is looked at even if the file is wrong, and the other way round.
    let manifest = match session::load_manifest(global, session::SourceArgs::default(), ui).await {
        Ok(manifest) => {
            let found = match &manifest.path {
                Some(path) => path.display().to_string(),
                None => format!("no plugins.toml; defaults for {}", manifest.dir.display()),
            };
            checks.push(Check::ok("manifest", found));
            Some(manifest)
        }
        Err(error) => {
            checks.push(Check::failed("manifest", &error));
            None
        }
    };
    match session::endpoint(global, manifest.as_ref()) {
        Err(error) => {
            unreachable = true;
            checks.push(Check::failed("daemon", &error));
        }
        Ok(endpoint) => {
            let found = endpoint.to_string();
            match session::reach(endpoint, ui).await {
                Ok(docker) => daemon(&docker, &found, &mut checks),
                Err(error) => {
                    unreachable = true;
                    checks.push(Check::failed("daemon", &error));
                }
            }
        }
    }
    checks.push(match PluginHost::new(cache_folder().as_deref()) {
        Ok(_) => Check::ok(
            "plugins",
            match cache_folder() {
                Some(folder) => format!("can run; compiled code in {}", folder.display()),
                None => "can run; compiled anew each time, as there is no cache folder".into(),
            },
        ),
        Err(reason) => Check {
            what: "plugins",
            ok: false,
            found: reason,
            help: None,
        },
    });
    show(&checks, ui);
    match checks.iter().filter(|check| !check.ok).count() {
        0 => Ok(()),
        count => Err(CliError::Unwell { count, unreachable }),
    }
}

fn daemon(docker: &Docker, endpoint: &str, checks: &mut Vec<Check>) {
    let facts = docker.facts();
    checks.push(Check::ok(
        "daemon",
        format!(
            "{} {} at {endpoint}, API {}, {}/{}",
            facts.product, facts.version, facts.api_version, facts.os, facts.arch
        ),
    ));
    checks.push(Check::ok(
        "builder",
        match facts.builder {
            Builder::BuildKit => "BuildKit",
            Builder::Classic => "the classic builder",
        },
    ));
    if let Some(driver) = &facts.storage_driver {
        checks.push(Check::ok("storage", driver.clone()));
    }
    checks.push(disk(docker.free_disk()));
}

fn disk(free: Option<ByteSize>) -> Check {
    let Some(free) = free else {
        return Check::ok("disk", "not told: the daemon is on another machine");
    };
    Check {
        what: "disk",
        ok: free >= MIN_FREE_DISK,
        found: format!("{free} free"),
        help: (free < MIN_FREE_DISK).then(|| "free some with `docker system prune`".to_owned()),
    }
}

fn show(checks: &[Check], ui: Ui) {
    for check in checks {
        if ui.is_json() {
            ui.json(check);
            continue;
        }
        let style = ui.styles();
        let sign = match check.ok {
            true => style.good("✔"),
            false => style.bad("✗"),
        };
        ui.result(&format!(
            "{sign} {:<9} {}",
            check.what,
            printable(&check.found)
        ));
        if let Some(help) = &check.help {
            ui.result(&format!("            {} {help}", style.good("help:")));
        }
    }
}

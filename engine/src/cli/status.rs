//! `rengine status`.

use serde::Serialize;

use super::error::CliError;
use super::{GlobalArgs, session};
use crate::deploy::addresses;
use crate::plan::observed::{ContainerState, ObservedContainer};
use crate::ui::{Ui, printable, table};

/// One container, as `--json` tells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row<'a> {
    service: Option<String>,
    container: &'a str,
    release: &'a str,
    state: ContainerState,
    status: &'a str,
    addresses: Vec<String>,
}

pub async fn run(global: &GlobalArgs, ui: Ui) -> Result<(), CliError> {
    let manifest = session::load_app(global, ui).await?;
    let docker = session::connect(global, &manifest, ui).await?;
    let observed = docker.observe(&manifest.app.name, &[]).await?;
    let host = docker.endpoint().host_address();
    let rows: Vec<Row> = observed
        .containers
        .iter()
        .map(|container: &ObservedContainer| Row {
            service: container.service.as_ref().map(ToString::to_string),
            container: &container.name,
            release: &container.release,
            state: container.state,
            status: &container.status,
            addresses: addresses(&container.ports, host),
        })
        .collect();
    if ui.is_json() {
        rows.iter().for_each(|row| ui.json(row));
        return Ok(());
    }
    if rows.is_empty() {
        ui.result(&format!("{} is not deployed", manifest.app.name));
        return Ok(());
    }
    let lines = rows.iter().map(|row| {
        [
            row.service.clone().unwrap_or_else(|| "?".to_owned()),
            row.release.to_owned(),
            printable(row.status),
            row.addresses.join(" "),
        ]
    });
    let head = ["SERVICE", "RELEASE", "STATUS", "ADDRESS"].map(str::to_owned);
    ui.result(&table(std::iter::once(head).chain(lines)));
    Ok(())
}

//! How releases look.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;

use super::plan::arrow;
use super::text::{table, time};
use super::{Styles, printable};
use crate::release::{Record, ReleaseDiff, ReleaseOutcome, SignerRecord};

/// All releases, the newest first. The one that runs has a mark.
pub fn render_history(records: &[Record], running: Option<&str>) -> String {
    let head = [
        "", "RELEASE", "STARTED", "OUTCOME", "TOOK", "BY", "GIT", "NOTE",
    ];
    let rows = records.iter().rev().map(|record| {
        let runs = running == Some(record.release.as_str());
        [
            if runs { "*" } else { "" }.to_owned(),
            record.release.clone(),
            when(record.started),
            record.outcome.to_string(),
            record.took_ms.map_or_else(String::new, took),
            printable(&format!("{}@{}", record.user, record.host)),
            record
                .git
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            note(record),
        ]
    });
    table(std::iter::once(head.map(str::to_owned)).chain(rows))
}

fn note(record: &Record) -> String {
    let first = |text: &str| printable(text.lines().next().unwrap_or_default());
    if let (Some(by), Some(reason)) = (&record.by, &record.reason) {
        let target = record.rollback_to.as_ref();
        let target = target.map_or_else(String::new, |target| format!("rollback to {target} "));
        return format!("{target}by {by}: {}", first(reason));
    }
    if let Some(target) = &record.rollback_to {
        return format!("rollback to {target}");
    }
    first(record.error.as_deref().unwrap_or_default())
}

fn when(at: Timestamp) -> String {
    at.strftime("%F %T UTC").to_string()
}

fn took(millis: u64) -> String {
    time(Duration::from_millis(millis))
}

/// One release in full.
pub fn render_release(record: &Record, style: Styles) -> String {
    let mut text = String::new();
    let outcome = match record.outcome {
        ReleaseOutcome::Succeeded => style.good(record.outcome),
        ReleaseOutcome::Running => style.dim(record.outcome),
        _ => style.bad(record.outcome),
    };
    let took = record
        .took_ms
        .map_or_else(String::new, |ms| format!(" in {}", took(ms)));
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<9} {value}");
    };
    line("release", style.bold(&record.release));
    line("app", record.app.clone());
    line("outcome", format!("{outcome}{took}"));
    if let Some(error) = &record.error {
        line("error", printable(error).replace('\n', "\n          "));
    }
    if let Some(target) = &record.rollback_to {
        line("rollback", format!("to {target}"));
    }
    if let Some(reason) = &record.reason {
        line("reason", printable(reason).replace('\n', "\n          "));
    }
    line("started", when(record.started));
    line(
        "by",
        printable(&format!(
            "{}{} on {}, rengine {}",
            record
                .by
                .as_ref()
                .map_or_else(String::new, |by| format!("{by} of ")),
            record.user,
            record.host,
            record.rengine
        )),
    );
    if let Some(git) = &record.git {
        let dirty = if git.dirty {
            ", with changes that are not in it"
        } else {
            ""
        };
        line("git", format!("{}{dirty}", git.commit));
    }
    for plugin in &record.plugins {
        line(
            "plugin",
            format!(
                "{} {}",
                style.plugin(&plugin.name),
                style.dim(&plugin.digest)
            ),
        );
        let Some(artifact) = &plugin.artifact else {
            continue;
        };
        line("", style.dim(printable(&format!("from {artifact}"))));
        for signer in &artifact.signers {
            let SignerRecord { key, fingerprint } = signer;
            let text = format!("signed by {key}, {fingerprint}");
            line("", style.dim(printable(&text)));
        }
    }
    if let Some(policy) = &record.policy {
        for base in &policy.bases {
            line("base", super::policy::base(base, style));
        }
        for required in &policy.required {
            let (plugin, base) = (style.plugin(&required.plugin), printable(&required.base));
            line("required", format!("{plugin} by {base}"));
        }
        for one in super::policy::overrides(policy, style) {
            line("override", one);
        }
    }
    for (name, service) in &record.services {
        let image = service.image.as_ref();
        let names = image.and_then(|image| image.digest.as_ref().or(image.reference.as_ref()));
        let id = image.map_or("no image", |image| &image.id);
        let replicas = match service.replicas {
            1 => String::new(),
            count => format!(", {count} containers"),
        };
        let _ = writeln!(text, "\n{}{replicas}", style.bold(name));
        let _ = writeln!(
            text,
            "  image {id}{}",
            names.map_or_else(String::new, |name| format!(" ({name})"))
        );
        for (part, fields) in [("build.", &service.build), ("", &service.container)] {
            for (field, value) in fields.iter() {
                let value = super::text::value(Some(value));
                let _ = writeln!(text, "  {part}{} {}", printable(field), style.dim(value));
            }
        }
    }
    if !record.changes.is_empty() {
        let _ = writeln!(text, "\nchanges by plugins");
        for change in &record.changes {
            let service = match change.service.as_str() {
                "" => String::new(),
                service => format!("{service} "),
            };
            let _ = writeln!(
                text,
                "  {}: {service}{} {}",
                style.plugin(&change.plugin),
                printable(&change.field),
                arrow(change.old.as_deref(), change.new.as_deref(), style)
            );
        }
    }
    if !record.steps.is_empty() {
        let _ = writeln!(text, "\nsteps");
        for step in &record.steps {
            let sign = match step.succeeded {
                true => style.good("✔"),
                false => style.bad("✗"),
            };
            let service = step
                .service
                .as_ref()
                .map_or_else(String::new, |name| format!(" {name}"));
            let took = style.dim(self::took(step.ms));
            let _ = writeln!(text, "  {sign} {}{service} {took}", step.operation);
        }
    }
    text
}

/// What differs between two releases, by service.
pub fn render_diff(diff: &ReleaseDiff, style: Styles) -> String {
    let mut text = format!("{} → {}\n", diff.from, style.bold(&diff.to));
    if diff.fields.is_empty() {
        text.push_str("nothing differs\n");
    }
    let mut last = None;
    for field in &diff.fields {
        if last != Some(&field.service) {
            last = Some(&field.service);
            let name = match field.service.as_str() {
                "" => "the app",
                name => name,
            };
            let _ = writeln!(text, "{}", style.bold(name));
        }
        let by = match field.plugins.is_empty() {
            true => String::new(),
            false => format!(" by {}", style.plugin(field.plugins.join(", "))),
        };
        let change = arrow(field.old.as_deref(), field.new.as_deref(), style);
        let _ = writeln!(text, "  {} {change}{by}", printable(&field.field));
    }
    text
}

//! How a plan looks.

use std::fmt::Write;

use super::text::value;
use super::{Styles, Verbosity, printable};
use crate::app::Name;
use crate::plan::{Cause, Operation, OperationKind, Plan};
use crate::plugin::Change;

/// A plan for people: what would be done and why, then what plugins changed.
pub fn render_plan(plan: &Plan, changes: &[Change], style: Styles, verbosity: Verbosity) -> String {
    let mut text = String::new();
    let operations = plan.operations.iter().filter(|operation| {
        // The steps that every new container takes say nothing about this one.
        let routine = operation.cause == Cause::Next && operation.plugins.is_empty();
        verbosity > Verbosity::Normal || !routine
    });
    let operations: Vec<&Operation> = operations.collect();
    let mut services: Vec<Option<&Name>> = Vec::new();
    for operation in &operations {
        let service = operation.service.as_ref();
        if !services.contains(&service) {
            services.push(service);
        }
    }
    // What is nobody's comes first, as it is done. With one service there is nothing to group.
    services.sort_by_key(Option::is_some);
    let grouped = services.iter().flatten().count() > 1;
    for service in services {
        if let Some(name) = service.filter(|_| grouped) {
            let _ = writeln!(text, "  {}", style.bold(name));
        }
        let own = operations.iter();
        for operation in own.filter(|operation| operation.service.as_ref() == service) {
            let inner = grouped && service.is_some();
            render_operation(operation, inner, style, &mut text);
        }
    }
    if !changes.is_empty() && (verbosity > Verbosity::Normal || !plan.is_empty()) {
        let _ = writeln!(text, "  changes by plugins");
        // With one service there is nothing to tell apart.
        let several = changes.iter().any(|c| c.service != changes[0].service);
        for change in changes {
            let service = match several {
                true if !change.service.is_empty() => format!("{} ", change.service),
                _ => String::new(),
            };
            let _ = writeln!(
                text,
                "      {}: {service}{} {}",
                style.plugin(&change.plugin),
                printable(&change.field),
                arrow(change.old.as_deref(), change.new.as_deref(), style)
            );
        }
    }
    for conflict in &plan.conflicts {
        let _ = writeln!(
            text,
            "  {} {}",
            style.bad("!"),
            printable(&conflict.to_string())
        );
    }
    for warning in &plan.warnings {
        let _ = writeln!(text, "  {} {}", style.odd("!"), printable(warning));
    }
    for orphan in &plan.orphans {
        let _ = writeln!(
            text,
            "  {} {orphan} belongs to no service of the app: `--remove-orphans` removes it",
            style.odd("!")
        );
    }
    text
}

/// One operation and why; in a group its service stands above it.
fn render_operation(operation: &Operation, inner: bool, style: Styles, text: &mut String) {
    let sign = match operation.kind {
        OperationKind::Build { .. }
        | OperationKind::Pull { .. }
        | OperationKind::CreateNetwork { .. }
        | OperationKind::CreateVolume { .. }
        | OperationKind::Create { .. }
        | OperationKind::CreateEdge { .. } => style.good("+"),
        OperationKind::Remove { .. }
        | OperationKind::RemoveNetwork { .. }
        | OperationKind::RemoveEdge { .. }
        | OperationKind::Stop { .. } => style.bad("-"),
        _ => style.dim("·"),
    };
    let indent = if inner { "  " } else { "" };
    let name = format!("{:<8}", operation.kind.name());
    let _ = write!(text, "{indent}  {sign} {}", style.bold(name));
    if let Some(service) = operation.service.as_ref().filter(|_| !inner) {
        let _ = write!(text, " {service}");
    }
    if operation.replica > 1 {
        let _ = write!(text, " #{}", operation.replica);
    }
    if let Some(object) = operation.kind.object() {
        let _ = write!(text, " {}", style.dim(object));
    }
    if !operation.plugins.is_empty() {
        let names = style.plugin(operation.plugins.join(", "));
        let _ = write!(text, " by {names}");
    }
    let cause = match &operation.cause {
        Cause::Changed { differences } if !differences.is_empty() => "changed".to_owned(),
        cause => cause.to_string(),
    };
    if !cause.is_empty() {
        let _ = write!(text, "  {}", style.dim(format_args!("({cause})")));
    }
    text.push('\n');
    if let Cause::Changed { differences } = &operation.cause {
        for difference in differences {
            let change = arrow(difference.old.as_deref(), difference.new.as_deref(), style);
            let by = match difference.plugins.is_empty() {
                true => String::new(),
                false => format!(" by {}", style.plugin(difference.plugins.join(", "))),
            };
            let _ = writeln!(
                text,
                "{indent}      {} {change}{by}",
                printable(&difference.field)
            );
        }
    }
}

pub(super) fn arrow(old: Option<&str>, new: Option<&str>, style: Styles) -> String {
    format!("{} → {}", style.dim(value(old)), value(new))
}

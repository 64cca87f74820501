//! Services that need each other in a circle: none of them could be the first.

use std::collections::BTreeSet;

use super::error::ComposeError;
use super::model::Project;

/// Looks for circles, of services that start after each other, and of images that are built from
/// each other.
pub fn check(project: &Project) -> Result<(), ComposeError> {
    let starts = |service: &str, index: usize| {
        let (name, _) = project.services.get(service)?.depends_on.get_index(index)?;
        Some((vec!["depends_on", name.as_str()], name.as_str()))
    };
    look(project, "services need each other in a circle", starts)?;
    let builds = |service: &str, index: usize| {
        let build = project.services.get(service)?.build.as_ref()?;
        let contexts = build.additional_contexts.iter();
        let mut others =
            contexts.filter_map(|(key, context)| Some((key, context.strip_prefix("service:")?)));
        let (key, other) = others.nth(index)?;
        Some((vec!["build", "additional_contexts", key.as_str()], other))
    };
    look(
        project,
        "images are built from each other in a circle",
        builds,
    )
}

/// Follows what `next` tells: the key under which a service needs another, by its number, and
/// that other service.
fn look<'a>(
    project: &'a Project,
    message: &str,
    next: impl Fn(&str, usize) -> Option<(Vec<&'a str>, &'a str)>,
) -> Result<(), ComposeError> {
    let mut done = BTreeSet::new();
    for name in project.services.keys() {
        // A stack of its own: a chain may be as long as the project has services.
        let mut path: Vec<(&str, usize)> = vec![(name, 0)];
        while let Some((current, index)) = path.last_mut() {
            let current: &str = current;
            let needed = next(current, *index);
            *index += 1;
            let Some((key, needed)) = needed.filter(|_| !done.contains(current)) else {
                done.insert(current);
                path.pop();
                continue;
            };
            if let Some(start) = path.iter().position(|(name, _)| *name == needed) {
                let names: Vec<_> = path[start..].iter().map(|(name, _)| *name).collect();
                let span = project.span(&[&["services", current], &key[..]].concat());
                return Err(ComposeError::at(span, message)
                    .help(format!("{} → {needed}", names.join(" → "))));
            }
            path.push((needed, 0));
        }
    }
    Ok(())
}

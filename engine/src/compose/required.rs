//! Keys without which a mapping makes no sense.

use super::error::ComposeError;
use super::node::Node;
use super::shape::Kind;

type Result = std::result::Result<(), ComposeError>;

/// Looks for them. An override need not repeat them, so this is for files that are merged.
pub fn required(node: &Node, kind: &Kind, path: &str) -> Result {
    match kind {
        Kind::Form(form) => required(node, &form.long, path),
        Kind::Nullable(inner) => required(node, inner, path),
        Kind::List(inner) => {
            let mut items = node.as_seq().unwrap_or_default().iter().enumerate();
            items.try_for_each(|(index, item)| required(item, inner, &format!("{path}[{index}]")))
        }
        Kind::Map(inner) => {
            let mut entries = node.as_map().into_iter().flatten();
            entries
                .try_for_each(|(key, entry)| required(&entry.node, inner, &format!("{path}.{key}")))
        }
        Kind::Object(object) => {
            let Some(map) = node.as_map() else {
                return Ok(());
            };
            for key in object.keys() {
                match map.get(key.name) {
                    Some(entry) => {
                        required(&entry.node, &key.kind, &format!("{path}.{}", key.name))?;
                    }
                    None if key.required => {
                        let path = path.trim_start_matches('.');
                        let message = format!("`{path}` has no `{}`", key.name);
                        return Err(ComposeError::at(&node.span, message));
                    }
                    None => {}
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

//! Short ways of writing, each turned into the longest, and what makes two items of a list the
//! same.

pub mod mounts;
pub mod port;
pub mod text;
pub mod volume;

use super::node::Node;

/// Items that are the same text are the same.
pub fn identity(node: &Node) -> Option<String> {
    node.scalar().map(str::to_owned)
}

//! The edge in a plan: which ports it owns, and what has to be done so that requests reach those
//! who are to answer them.

mod ports;
mod routing;

pub use ports::{EdgePort, EdgeService, EdgeSlot, Reach, take, why_no_edge};
pub(super) use routing::{Edges, Moved, Routed};
pub use routing::{returned, target_name};

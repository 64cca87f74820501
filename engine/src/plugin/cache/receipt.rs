//! What is kept of a plugin's file.

use serde::{Deserialize, Serialize};

use crate::stamp::Stamp;

/// Says that a plugin's file has a digest, and that the code compiled from it was found whole.
/// It holds while both files are as they were, so neither has to be read: for a Python plugin
/// those are 18 and 35 MB.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub plugin: Stamp,
    pub code: Stamp,
    pub digest: String,
}

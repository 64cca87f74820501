//! Events as JSON, one on each line of standard output.

use std::io::Write;

use crate::deploy::{Event, Reporter};

pub struct JsonReporter;

impl Reporter for JsonReporter {
    fn report(&self, event: Event) {
        if let Ok(line) = serde_json::to_string(&event) {
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    }
}

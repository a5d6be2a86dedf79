//! For programs: one JSON object a line.

use super::event::Event;
use super::reporter::{Out, Reporter, moment};
use crate::base::time::Timestamp;

/// Writes each event as a line of JSON.
#[derive(Debug)]
pub struct JsonLines {
    out: Out,
}

impl JsonLines {
    /// Writes to this.
    pub fn to(out: Out) -> Self {
        Self { out }
    }
}

impl Reporter for JsonLines {
    fn tell(&mut self, at: Timestamp, event: &Event) {
        // Texts and numbers always have a JSON form.
        if let Ok(line) = serde_json::to_string(&moment(at, event)) {
            self.out.line(&line);
        }
    }

    fn rest(&mut self) {}
}

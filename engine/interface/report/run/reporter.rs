//! The one interface of all reporters, and what lies between them and the records.

use std::io::{self, Write};

use super::event::{Endings, Event, Moment, event};
use crate::base::time::Timestamp;
use crate::kernel::pressure::Pressure;
use crate::kernel::record::Record;
use crate::kernel::state::State;

/// Tells somebody what happens.
pub trait Reporter {
    /// Something happened.
    fn tell(&mut self, at: Timestamp, event: &Event);

    /// Clears what is only there while things go on, so that others may write.
    fn rest(&mut self);
}

/// Turns records into events for one reporter.
pub struct Reporting {
    reporter: Box<dyn Reporter>,
    endings: Endings,
    /// Whether it was told that memory is short, or that something waits for it.
    short: bool,
}

impl std::fmt::Debug for Reporting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reporting").field("endings", &self.endings).finish_non_exhaustive()
    }
}

impl Reporting {
    /// Reports to this one.
    pub fn to(reporter: Box<dyn Reporter>) -> Self {
        Self { reporter, endings: Endings::default(), short: false }
    }

    /// Takes a record with the state after it, and gives the event that it was.
    pub fn observe(&mut self, at: Timestamp, record: &Record, state: &State) -> Option<Event> {
        let event = event(at, record, state).or_else(|| self.endings.event(record))?;
        match &event {
            // That there is enough is no news to who has not heard otherwise.
            Event::Pressure { level: Some(Pressure::Calm), .. } if !std::mem::take(&mut self.short) => return None,
            Event::Pressure { level, .. } => self.short = *level != Some(Pressure::Calm),
            Event::Held { .. } => self.short = true,
            _ => {}
        }
        self.reporter.tell(at, &event);
        Some(event)
    }

    /// Clears what is only there while things go on.
    pub fn rest(&mut self) {
        self.reporter.rest();
    }
}

/// Where a reporter writes. A reader that goes away must not end the run: what is told after that is lost, the run is not.
pub struct Out {
    to: Option<Box<dyn Write>>,
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Out").field("open", &self.to.is_some()).finish()
    }
}

impl Out {
    /// Writes to this.
    pub fn to(to: impl Write + 'static) -> Self {
        Self { to: Some(Box::new(to)) }
    }

    /// Writes to standard output.
    pub fn stdout() -> Self {
        Self::to(io::stdout())
    }

    /// Writes a line, at once.
    pub fn line(&mut self, line: &str) {
        let Some(to) = &mut self.to else { return };
        // One write for the line and its end, so that lines of several writers stay whole.
        if to.write_all(format!("{line}\n").as_bytes()).and_then(|()| to.flush()).is_err() {
            self.to = None;
        }
    }
}

/// An event with its time, as it is written.
pub fn moment(at: Timestamp, event: &Event) -> Moment {
    Moment { at: at.to_string(), event: event.clone() }
}

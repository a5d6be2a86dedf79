//! The commands of checks that are at work, by the place that asks: whoever ends the place stops them first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::base::owner::Owner;

/// The engine's end of a command that is at work.
#[derive(Debug)]
struct AtWork {
    stop: oneshot::Sender<()>,
    over: oneshot::Receiver<()>,
}

/// The command's end: it is over when this is dropped.
#[derive(Debug)]
pub(super) struct Inquiry {
    /// Resolves once the place is being ended.
    pub(super) stopped: oneshot::Receiver<()>,
    _over: oneshot::Sender<()>,
}

/// The commands of checks that are at work.
#[derive(Debug, Default)]
pub(super) struct Inquiries(Mutex<HashMap<Owner, Vec<AtWork>>>);

impl Inquiries {
    /// Notes that a command is about to be started for this place, before anybody can ask for the end of the place.
    pub(super) fn begin(&self, owner: &Owner) -> Inquiry {
        let (stop, stopped) = oneshot::channel();
        let (done, over) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(owner.clone()).or_default().push(AtWork { stop, over });
        Inquiry { stopped, _over: done }
    }

    /// Forgets a command that is over.
    pub(super) fn end(&self, owner: &Owner, inquiry: Inquiry) {
        drop(inquiry);
        let mut at_work = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = at_work.get_mut(owner) {
            mine.retain(|one| !one.stop.is_closed());
            if mine.is_empty() {
                at_work.remove(owner);
            }
        }
    }

    /// Stops every command of a place, and waits until each is over: killed, or left in a scope that the place still holds.
    pub(super) async fn stop(&self, owner: &Owner) {
        let mine = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(owner).unwrap_or_default();
        let mut ends = Vec::with_capacity(mine.len());
        for AtWork { stop, over } in mine {
            // That is what the other end waits for.
            drop(stop);
            ends.push(over);
        }
        for over in ends {
            // It never says anything: that its other end is gone is the news.
            drop(over.await);
        }
    }
}

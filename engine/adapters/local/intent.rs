//! What is about to be made waits until that is recorded: an engine that dies in between leaves nothing that the next one takes for another's.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::kernel::action::{EffectId, Seen};
use crate::kernel::input::Input;
use crate::ports::runtime::Tell;

/// What waits for its record.
#[derive(Debug, Default)]
pub(super) struct Intents(Mutex<HashMap<EffectId, oneshot::Sender<()>>>);

impl Intents {
    /// Tells what is about to be made, and waits until that is recorded. With an engine that is gone it waits for ever.
    pub(super) async fn announce(&self, id: EffectId, (path, above): (Option<String>, Option<String>), tell: &Tell) {
        let (go, recorded) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, go);
        tell.say(Input::Seen { id, seen: Seen::Begun { path, above } });
        if recorded.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// It is recorded.
    pub(super) fn recorded(&self, id: EffectId) {
        if let Some(go) = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id) {
            // Whoever waited may have been ended meanwhile.
            let _ = go.send(());
        }
    }
}

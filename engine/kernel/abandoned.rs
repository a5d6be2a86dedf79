//! What an engine that died was asked for and can never tell the end of: it is over, and nobody has seen how.

use super::action::{EffectId, Seen};
use super::fault::Fault;
use super::fold::Misfit;
use super::record::Record;
use super::state::State;
use crate::base::time::Timestamp;

impl State {
    /// The state as an engine that opens the journal now would find it: of what cannot live on without one, nobody sees the end.
    ///
    /// # Errors
    /// Where the state is none that a journal can have.
    pub fn left_behind(mut self, now: Timestamp) -> Result<Self, Misfit> {
        let lost: Vec<EffectId> = self.effects.iter().filter(|(_, open)| !open.may_live_on()).map(|(id, _)| *id).collect();
        for id in lost {
            self.apply(now, &unseen(id))?;
        }
        Ok(self)
    }
}

/// That the end of an effect was not seen, since its engine died.
pub(super) fn unseen(id: EffectId) -> Record {
    let seen = Seen::Failed { fault: Fault::EngineDied, evidence: "the engine died before its end was seen".to_owned() };
    Record::Observed { id, seen }
}

//! Looks around what outlives a job: how the host looked when each of them began, until somebody asks what is new since then.
//!
//! | it is asked                | what is told is new since | and                                                      |
//! |----------------------------|---------------------------|----------------------------------------------------------|
//! | when it goes on, once ready | it began                  | from here on it counts anew, for as long as it may live  |
//! | when it is over            | it began, or counted anew | it is forgotten                                          |
//! | about what never began here | nothing                   | it could not even be begun                               |
//!
//! What an earlier engine has started counts from when this one goes on watching it: of what was before, nobody knows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;

use super::lookout::{Before, Lookout};
use crate::adapters::process::containment::Containment;
use crate::kernel::action::EffectId;
use crate::kernel::suspect::Suspect;

/// What is looked around, by the effect that is it.
#[derive(Debug)]
pub struct Rounds {
    lookout: Arc<Lookout>,
    begun: Mutex<HashMap<EffectId, Arc<Before>>>,
}

impl Rounds {
    /// Nothing yet.
    pub fn new(lookout: Arc<Lookout>) -> Self {
        Self { lookout, begun: Mutex::default() }
    }

    /// Before anything of an effect is started, whose command has this environment.
    pub fn begin(&self, by: EffectId, environment: &IndexMap<String, String>) {
        self.insert(by, self.lookout.before(environment));
    }

    /// From when a service is watched that an earlier engine has started.
    pub fn resume(&self, by: EffectId, environment: &IndexMap<String, String>) {
        self.insert(by, self.lookout.before(environment).of_service());
    }

    fn insert(&self, by: EffectId, before: Before) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(by, Arc::new(before));
    }

    /// What is new since then. Looks only at files.
    pub fn look(&self, by: EffectId, over: bool, containment: &Containment) -> Vec<Suspect> {
        let begun = || self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let before = if over { begun().remove(&by) } else { begun().get(&by).cloned() };
        let Some(before) = before else { return Vec::new() };
        if over {
            return self.lookout.after(&before, containment);
        }
        let (found, from_here) = self.lookout.meanwhile(&before, containment);
        // It may have ended during the look.
        if let Some(before) = begun().get_mut(&by) {
            *before = Arc::new(from_here);
        }
        found
    }
}

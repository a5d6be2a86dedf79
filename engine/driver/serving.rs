//! How an engine is driven: until nothing is under way any more.

use std::cell::Cell;

use super::engine::{Engine, EngineError, Environment, Observer};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::kernel::input::Request;
use crate::kernel::stock::Kind;
use crate::manifest::resource::Scope;

impl Engine {
    /// Does what is asked and all that follows from it, until nothing is under way any more.
    ///
    /// Where people are asked and nobody attends, it returns as soon as only they are waited for. A person may come and go meanwhile:
    /// `attended` is looked at after each thing that is heard.
    ///
    /// # Errors
    /// Where the request is refused, or the journal cannot be written. Then nothing more is done.
    pub async fn drive(
        &mut self,
        request: Request,
        env: Option<Environment>,
        attended: &Cell<bool>,
        observer: &mut Observer<'_>,
    ) -> Result<(), EngineError> {
        let goal = request.goal().cloned();
        let driven = self.drive_on(request, env, attended, observer).await;
        match driven {
            Ok(()) => self.tidy(goal.as_ref()),
            Err(EngineError::Refused(_)) => {}
            Err(_) => self.cut_off(),
        }
        driven
    }

    async fn drive_on(
        &mut self,
        request: Request,
        env: Option<Environment>,
        attended: &Cell<bool>,
        observer: &mut Observer<'_>,
    ) -> Result<(), EngineError> {
        if let Some(refusal) = self.ask(request, env, observer)? {
            return Err(refusal.into());
        }
        while self.kernel.is_busy() || attended.get() && !self.kernel.asked().is_empty() {
            self.hear(observer).await?;
        }
        Ok(())
    }

    /// Ends what is at work when nothing can be recorded any more. What lives with its goal stays, as it would if the engine had died.
    fn cut_off(&self) {
        let state = self.kernel.state();
        let lives_on = |owner: &Owner| state.resource(owner).is_some_and(|resource| resource.scope == Scope::Goal);
        let at_work = state.effects.values().filter(|open| !lives_on(&open.owner)).map(|open| open.owner.clone());
        let places: Vec<Owner> = at_work.collect();
        let left = self.runtime.cut_off(&places);
        if !left.is_empty() {
            eprintln!(
                "what was at work could not all be ended: {}; `sculpt down` ends it once the journal can be written again",
                left.join("; ")
            );
        }
    }

    /// Removes the scopes of a goal of which nothing runs. Nobody is in them: one that cannot be removed now is removed the next time.
    fn tidy(&self, goal: Option<&Name>) {
        let Some((name, goal)) = goal.and_then(|name| self.kernel.state().goals.get_key_value(name)) else { return };
        if !goal.is_running() && goal.live_resources().all(|resource| resource.kind != Kind::Process) {
            self.runtime.tidy(name);
        }
    }
}

//! How an engine is driven by whoever has it, for one request: until nothing is under way any more.

use std::cell::Cell;

use super::engine::{Engine, EngineError, Environment, Observer};
use crate::kernel::input::Request;

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
            Ok(()) => goal.iter().for_each(|goal| self.tidy(goal)),
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
}

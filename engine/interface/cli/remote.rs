//! Asking the engine that runs in another process.

use crate::adapters::workspace::Workspace;
use crate::interface::failure::Failure;
use crate::interface::socket::{Ask, SocketError, Told, ask};

/// Asks the running engine. False where none runs.
pub fn asked(workspace: &Workspace, what: Ask) -> Result<bool, Failure> {
    if crate::journal::lock::holder(&workspace.folder()).is_none() {
        return Ok(false);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::file("start", "a thread"))?;
    match runtime.block_on(ask(workspace, what)) {
        Ok(Told::Done) => Ok(true),
        Ok(Told::Refused(why)) => Err(Failure::refused(why, "`sculpt status` shows the goals and how they stand")),
        Err(SocketError::NoEngine) => Ok(false),
        Err(error) => Err(Failure::refused(error.to_string(), "press Ctrl-C where it runs, or look at it with `sculpt status`")),
    }
}

//! How an engine serves a workspace: whatever is asked, as long as something is promised.
//!
//! | as long as | it stays |
//! |---|---|
//! | something is under way, or a process lives that it answers for | yes |
//! | a client is there | yes |
//! | it was told to stay | yes |
//! | it was told to let go | no, whatever lives: the next engine adopts it |

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Interval;

use super::engine::{Engine, EngineError};
use super::handle::Awaited;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::manifest::resource::Scope;

/// The clients of an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    /// How many are there.
    pub present: usize,
    /// How many have ever come.
    pub came: u64,
}

/// How long an engine stays when nothing is promised and nobody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// Until it is told to let go.
    UntilTold,
    /// Not at all, once a client has come; whoever started it has this long to come.
    ForItsFirstClient(Duration),
}

/// What an engine that serves must know of what is around it.
pub struct Service<'s> {
    /// Its clients.
    pub clients: watch::Receiver<Clients>,
    /// How long it stays without reason.
    pub stay: Stay,
    /// How often somebody wants to know that the loop turns, and how they are told.
    pub beat: Option<(Duration, &'s dyn Fn())>,
}

impl Engine {
    /// Does what is asked, by anybody and at any time, until nothing is promised any more or it is told to let go.
    ///
    /// # Errors
    /// Where the journal cannot be written. What was at work is ended then; what lives with its goal stays.
    pub async fn serve(&mut self, service: Service<'_>) -> Result<(), EngineError> {
        // Of what an engine that died left, something may just have ended.
        self.touched.extend(self.kernel.state().goals.keys().cloned());
        let served = self.serve_on(service).await;
        if served.is_err() {
            self.cut_off();
        }
        self.runtime.leave();
        served
    }

    async fn serve_on(&mut self, mut service: Service<'_>) -> Result<(), EngineError> {
        let mut beats = service.beat.map(|(period, _)| tokio::time::interval(period));
        let mut nobody = |_, _: &_, _: &_| {};
        let patience = match service.stay {
            Stay::UntilTold => Duration::ZERO,
            Stay::ForItsFirstClient(patience) => patience,
        };
        let mut patience = std::pin::pin!(tokio::time::sleep(patience));
        loop {
            self.settle();
            let clients = *service.clients.borrow_and_update();
            let expecting = service.stay == Stay::UntilTold || clients.came == 0 && !patience.is_elapsed();
            if self.released || !(expecting || clients.present > 0 || self.kernel.is_needed()) {
                return Ok(());
            }
            tokio::select! {
                heard = self.hear(&mut nobody) => heard?,
                // An error would mean that the server is gone, and with it all clients; it outlives this.
                Ok(()) = service.clients.changed() => {}
                () = &mut patience, if !patience.is_elapsed() => {}
                () = next(&mut beats) => service.beat.iter().for_each(|(_, beat)| beat()),
            }
        }
    }

    /// Says how far the journal is written, and tells whoever waits for what is not under way any more.
    fn settle(&mut self) {
        let last = self.journal.last();
        self.written.send_if_modified(|written| std::mem::replace(written, last) != last);
        if self.touched.is_empty() && self.watches.is_empty() {
            return;
        }
        // What is collected may need a scope at any time.
        let settles = |goal: &&Name| !self.kernel.is_collecting() && !self.kernel.is_busy_with(goal);
        let settled: Vec<Name> = self.touched.iter().filter(settles).cloned().collect();
        for goal in settled {
            self.touched.remove(&goal);
            self.tidy(&goal);
        }
        let (kernel, watches) = (&self.kernel, std::mem::take(&mut self.watches));
        let (busy, idle): (Vec<_>, Vec<_>) = watches.into_iter().partition(|(awaited, _)| match awaited {
            Awaited::Goal(goal) => kernel.is_busy_with(goal),
            Awaited::Collection => kernel.is_collecting(),
        });
        self.watches = busy;
        for (_, tell) in idle {
            // Whoever waited may be gone.
            let _gone = tell.send(last);
        }
    }

    /// Ends what is at work when nothing can be recorded any more. What lives with its goal stays, as it would if the engine had died.
    pub(super) fn cut_off(&mut self) {
        let state = self.kernel.state();
        let lives_on = |owner: &Owner| state.resource(owner).is_some_and(|resource| resource.scope == Scope::Goal);
        let at_work = state.effects.values().filter(|open| !lives_on(&open.owner)).map(|open| open.owner.clone());
        let places: Vec<Owner> = at_work.collect();
        self.survivors = self.runtime.cut_off(&places);
    }

    /// Removes the scopes of a goal of which nothing runs, and of those that ran within it. Nobody is in them: one that cannot be removed
    /// now is removed the next time.
    fn tidy(&self, name: &Name) {
        for name in self.kernel.state().goals_with_inner(name) {
            self.tidy_one(name);
        }
    }

    fn tidy_one(&self, name: &Name) {
        let Some(goal) = self.kernel.state().goals.get(name) else { return };
        if !goal.is_running() && goal.live_resources().all(|resource| !resource.kind.runs()) {
            self.runtime.tidy(name);
        }
    }
}

/// The next beat; never where nobody wants to know.
async fn next(beats: &mut Option<Interval>) {
    match beats {
        Some(beats) => {
            beats.tick().await;
        }
        None => std::future::pending().await,
    }
}

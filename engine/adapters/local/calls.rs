//! Calls of the container engine that wait for their permits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::adapters::docker_gateway::audit::{Audit, Described, Outcome};
use crate::adapters::docker_gateway::capability::Refusal;
use crate::adapters::docker_gateway::route::Kind as Route;
use crate::journal::permit::Permit;
use crate::kernel::action::{EffectId, Seen};
use crate::kernel::call::{Call, CallId, Verb};
use crate::kernel::input::Input;
use crate::manifest::kind::Kind;
use crate::ports::runtime::Tell;

/// How long calls that are under way may take to be answered, once their command has ended.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// Calls that wait, over all endpoints of this engine.
#[derive(Debug, Default)]
pub(super) struct Calls {
    next: AtomicU64,
    waiting: Mutex<HashMap<CallId, oneshot::Sender<Permit>>>,
}

impl Calls {
    /// A call gets its permit.
    pub(super) fn permit(&self, id: CallId, permit: Permit) {
        if let Some(waiting) = self.lock().remove(&id) {
            // A client that has gone meanwhile has dropped its call, and with it the permit: it is seen as unanswered.
            drop(waiting.send(permit));
        }
    }

    /// A call gets none.
    pub(super) fn deny(&self, id: CallId) {
        self.lock().remove(&id);
    }

    fn wait(&self) -> (CallId, oneshot::Receiver<Permit>) {
        let id = CallId(self.next.fetch_add(1, Ordering::Relaxed) + 1);
        let (permit, permitted) = oneshot::channel();
        self.lock().insert(id, permit);
        (id, permitted)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallId, oneshot::Sender<Permit>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many calls of one endpoint are under way.
#[derive(Clone, Debug)]
pub(super) struct Traffic(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    under_way: u32,
    /// True once one was permitted.
    any: bool,
    closed: bool,
}

impl Traffic {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    /// Lets no more call begin, and waits for those under way. Says whether there was any.
    pub(super) async fn close(&self) -> bool {
        self.0.send_modify(|state| state.closed = true);
        let mut state = self.0.subscribe();
        // One that takes longer is broken off, and what it made is found by its label.
        drop(tokio::time::timeout(LAST_CALLS, state.wait_for(|state| state.under_way == 0)).await);
        self.0.borrow().any
    }

    fn begin(&self) -> Option<UnderWay> {
        let begun = self.0.send_if_modified(|state| {
            state.under_way += u32::from(!state.closed);
            !state.closed
        });
        begun.then(|| UnderWay(self.clone()))
    }
}

/// A call under way.
#[derive(Debug)]
pub(super) struct UnderWay(Traffic);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.under_way -= 1);
    }
}

/// The kernel as an endpoint asks it.
pub(super) struct Caller {
    pub(super) calls: Arc<Calls>,
    pub(super) traffic: Traffic,
    /// The effect that started the command.
    pub(super) by: EffectId,
    pub(super) tell: Tell,
    /// What is done once a container was made.
    pub(super) made: Box<dyn Fn() + Send + Sync>,
}

/// A permit, until the answer is there.
pub(super) struct Ticket(Permit, UnderWay);

impl Audit for Caller {
    type Ticket = Ticket;

    async fn permit(&self, call: &Described) -> Result<Ticket, Refusal> {
        let late = || Refusal::never("a change by a command that has ended, or is being ended");
        let under_way = self.traffic.begin().ok_or_else(late)?;
        let (id, permitted) = self.calls.wait();
        let verb = match call.kind {
            Route::ContainerCreate => Verb::Create(Kind::Container),
            Route::NetworkCreate => Verb::Create(Kind::Network),
            Route::VolumeCreate => Verb::Create(Kind::Volume),
            Route::ContainerRemove => Verb::Remove(Kind::Container),
            Route::NetworkRemove => Verb::Remove(Kind::Network),
            Route::VolumeRemove => Verb::Remove(Kind::Volume),
            _ => Verb::Change,
        };
        let (request, subject) = (call.request.clone(), call.subject.clone());
        let asked = Call { verb, request, subject, id: call.id.clone(), name: call.name.clone() };
        self.tell.say(Input::Called { by: self.by, id, call: asked });
        let permit = permitted.await.map_err(|_| late())?;
        self.traffic.0.send_modify(|state| state.any = true);
        Ok(Ticket(permit, under_way))
    }

    fn done(&self, Ticket(permit, under_way): Ticket, outcome: Outcome) {
        let (status, made) = match outcome {
            Outcome::Created { id, .. } => (Some(201), Some(id)),
            Outcome::Answered(status) => (Some(status), None),
            Outcome::Unknown => (None, None),
        };
        if made.is_some() {
            (self.made)();
        }
        self.tell.say(Input::Seen { id: permit.id(), seen: Seen::Called { status, id: made } });
        drop(under_way);
    }
}

//! How others in the process ask an engine for something, and learn how far it is.

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

use super::engine::Environment;
use crate::base::name::Name;
use crate::kernel::input::{Refusal, Request};

/// Asks a running engine for something, from anywhere in the process. The engine never waits for whoever asks.
#[derive(Clone, Debug)]
pub struct Handle {
    asked: UnboundedSender<Asked>,
    written: watch::Receiver<u64>,
}

/// What somebody may wait for the end of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Whatever is under way of a goal, but waiting for people.
    Goal(Name),
    /// What is collected.
    Collection,
}

/// What is asked of an engine, and where the answer goes.
#[derive(Debug)]
pub(super) enum Asked {
    /// A request, with the environment of the run that it may begin.
    Request { request: Box<Request>, env: Option<Environment>, answer: oneshot::Sender<Result<u64, Refusal>> },
    /// To be told when nothing of that is under way any more.
    Settled { awaited: Awaited, tell: oneshot::Sender<u64> },
    /// To let go of everything.
    Release,
}

impl Handle {
    pub(super) const fn new(asked: UnboundedSender<Asked>, written: watch::Receiver<u64>) -> Self {
        Self { asked, written }
    }

    /// Asks. The answer comes once the request is committed, with the number of the last record, or refused. An error of the channel
    /// means that the engine is gone. A request that begins a run takes the environment that its phases are given.
    pub fn request(&self, request: Request, env: Option<Environment>) -> oneshot::Receiver<Result<u64, Refusal>> {
        let (answer, told) = oneshot::channel();
        // An engine that is gone answers by dropping the other end.
        drop(self.asked.send(Asked::Request { request: Box::new(request), env, answer }));
        told
    }

    /// Tells the number of the last record as soon as nothing of that is under way; at once where that is so.
    pub fn settled(&self, awaited: Awaited) -> oneshot::Receiver<u64> {
        let (tell, told) = oneshot::channel();
        drop(self.asked.send(Asked::Settled { awaited, tell }));
        told
    }

    /// How far the journal is written: the number of the last record.
    pub fn written(&self) -> watch::Receiver<u64> {
        self.written.clone()
    }

    /// Lets the engine go. What lives stays, and the next engine adopts it.
    pub fn release(&self) {
        drop(self.asked.send(Asked::Release));
    }
}

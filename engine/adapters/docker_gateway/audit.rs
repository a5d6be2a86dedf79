//! Who is asked before anything is changed, and told what came of it.

use super::capability::Refusal;
use super::route::Kind;

/// A changing request that is about to be forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// What it does.
    pub kind: Kind,
    /// Its method and path: `POST /v1.41/containers/create`.
    pub request: String,
    /// The id or name in its path.
    pub subject: Option<String>,
    /// The whole id of what that is, where it is there; of a volume, its name.
    pub id: Option<String>,
    /// The name that the client wants for what is made.
    pub name: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The engine made a container, a network, a volume, a command or an image.
    Created {
        /// Its id; the name, of a volume.
        id: String,
        /// The name that was asked for, or given.
        name: Option<String>,
    },
    /// The engine answered with this HTTP status.
    Answered(u16),
    /// There was no answer that could be read, or nobody was left to read it: what it changed is not known.
    Unknown,
}

/// The journal's side of the endpoint.
pub trait Audit: Send + Sync + 'static {
    /// Stands for a permit; given back with the outcome, exactly once.
    type Ticket: Send + 'static;

    /// Asked before each changing request is forwarded. A refusal is the client's answer.
    fn permit(&self, call: &Described) -> impl Future<Output = Result<Self::Ticket, Refusal>> + Send;

    /// Told what came of it. It must not block.
    fn done(&self, ticket: Self::Ticket, outcome: Outcome);
}

/// A ticket that is given back even where its request is dropped halfway.
pub(super) struct Pending<'a, A: Audit> {
    audit: &'a A,
    ticket: Option<A::Ticket>,
}

impl<'a, A: Audit> Pending<'a, A> {
    pub(super) async fn ask(audit: &'a A, call: &Described) -> Result<Self, Refusal> {
        Ok(Self { audit, ticket: Some(audit.permit(call).await?) })
    }

    pub(super) fn done(mut self, outcome: Outcome) {
        if let Some(ticket) = self.ticket.take() {
            self.audit.done(ticket, outcome);
        }
    }
}

impl<A: Audit> Drop for Pending<'_, A> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.audit.done(ticket, Outcome::Unknown);
        }
    }
}

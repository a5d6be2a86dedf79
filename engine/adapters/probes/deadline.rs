//! One timeout over all the steps of a look, that knows in which step it ran out.

use std::pin::Pin;

use tokio::time::{Sleep, sleep};

use super::reason::{Miss, Reason};
use crate::base::time::Span;

/// The end of a look's time.
pub(super) struct Deadline {
    sleep: Pin<Box<Sleep>>,
    span: Span,
}

impl Deadline {
    pub(super) fn new(span: Span) -> Self {
        Self { sleep: Box::pin(sleep(span.std())), span }
    }

    /// A step within what is left of the time; `missed` says what did not happen: `no answer from 127.0.0.1:80`.
    pub(super) async fn bound<T>(&mut self, missed: &str, step: impl Future<Output = T>) -> Result<T, Miss> {
        tokio::select! {
            biased;
            done = step => Ok(done),
            () = &mut self.sleep => Err(Miss::new(Reason::Timeout, format!("{missed} within {}", self.span))),
        }
    }
}

//! Ending a container, and removing it.

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{KillContainerOptions, RemoveContainerOptions, WaitContainerOptions};
use futures_util::StreamExt as _;

use crate::base::time::{Span, Timestamp};

use super::error::{DockerError, status, unless_missing};
use super::fleet::{Fleet, runs, timestamp, volumes};

/// How long a container may live after SIGKILL: a machine under load takes seconds.
const LAST: Span = Span::seconds(60);

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; 128 and the signal's number where a signal ended it.
    pub code: i64,
    /// Whether it was killed for want of memory.
    pub oom: bool,
    /// When; none where the container engine does not know.
    pub at: Option<Timestamp>,
}

/// How a container was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// How it ended; none where it was gone already.
    pub ended: Option<Ended>,
    /// Whether it had to be killed as it did not end in time.
    pub killed: bool,
}

impl Fleet {
    /// Ends a container: the signal, its grace, then SIGKILL. Stopping what has ended or is gone is fine.
    ///
    /// # Errors
    /// [`DockerError::NotOurs`] where it is not this workspace's, [`DockerError::Deaf`] where it survives SIGKILL.
    pub async fn stop(&self, id: &str, signal: &str, grace: Span) -> Result<Stopped, DockerError> {
        let Some(found) = self.own(id).await? else { return Ok(Stopped { ended: None, killed: false }) };
        let mut killed = false;
        if runs(&found) {
            if found.state.as_ref().is_some_and(|state| state.paused == Some(true)) {
                // A frozen process hears nothing.
                self.engine.client.unpause_container(id).await.or_else(unless_ended).map_err(DockerError::of("resume a container"))?;
            }
            self.signal(id, signal).await?;
            if !self.ends_within(id, grace).await? {
                killed = true;
                self.signal(id, "SIGKILL").await?;
                if !self.ends_within(id, LAST).await? {
                    return Err(DockerError::Deaf { id: id.to_owned() });
                }
            }
        }
        Ok(Stopped { ended: self.look(id).await?.as_ref().and_then(ended), killed })
    }

    /// Waits for a container's end, however long it takes.
    ///
    /// # Errors
    /// [`DockerError::Missing`] where it is gone: how it ended is not known then. [`DockerError::Lost`] where the container engine ends first.
    pub async fn wait(&self, id: &str) -> Result<Ended, DockerError> {
        const DOING: &str = "wait for a container";
        self.must_own(DOING, id).await?;
        self.until_ended(id).await?;
        let found = self.must_own(DOING, id).await?;
        ended(&found).ok_or(DockerError::Answer { doing: DOING, lacking: "how it ended" })
    }

    /// Removes a container with its volumes without a name, dead or alive. Removing what is gone is fine.
    ///
    /// # Errors
    /// [`DockerError::NotOurs`] where it is not this workspace's.
    pub async fn remove(&self, id: &str) -> Result<(), DockerError> {
        let Some(found) = self.own(id).await? else { return Ok(()) };
        let options = RemoveContainerOptions { v: true, force: true, ..RemoveContainerOptions::default() };
        match self.engine.client.remove_container(id, Some(options)).await {
            // Somebody else is at it: it is removed when they are done.
            Err(error) if status(&error) == Some(409) => self.until_removed(id).await?,
            removed => drop(unless_missing("remove a container", removed)?),
        }
        // The engine takes those that were made with it, and none that was handed on to it.
        for name in volumes(&found) {
            self.remove_nameless(name).await?;
        }
        Ok(())
    }

    async fn signal(&self, id: &str, signal: &str) -> Result<(), DockerError> {
        let options = KillContainerOptions { signal: signal.to_owned() };
        let sent = self.engine.client.kill_container(id, Some(options)).await;
        sent.or_else(unless_ended).map_err(DockerError::of("send a signal to a container"))
    }

    async fn ends_within(&self, id: &str, limit: Span) -> Result<bool, DockerError> {
        match tokio::time::timeout(limit.std(), self.until_ended(id)).await {
            Ok(ended) => ended.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    async fn until_ended(&self, id: &str) -> Result<(), DockerError> {
        self.until(id, "not-running").await
    }

    async fn until_removed(&self, id: &str) -> Result<(), DockerError> {
        let removed = tokio::time::timeout(LAST.std(), self.until(id, "removed")).await;
        removed.unwrap_or_else(|_| Err(DockerError::InUse { what: id.to_owned(), said: "it is being removed".to_owned() }))
    }

    /// Waits until a container is in a state. What is gone has ended.
    async fn until(&self, id: &str, condition: &str) -> Result<(), DockerError> {
        const DOING: &str = "wait for a container";
        let options = WaitContainerOptions { condition: condition.to_owned() };
        let mut answers = std::pin::pin!(self.engine.client.wait_container(id, Some(options)));
        match answers.next().await {
            // The client calls every exit code but 0 an error.
            Some(Ok(_) | Err(bollard::errors::Error::DockerContainerWaitError { .. })) => Ok(()),
            Some(Err(error)) => unless_missing(DOING, Err::<(), _>(error)).map(drop),
            None => Err(DockerError::Answer { doing: DOING, lacking: "its end: the container engine hung up" }),
        }
    }
}

/// A container that is gone (404) or not running any more (409) needs no signal.
fn unless_ended(error: bollard::errors::Error) -> Result<(), bollard::errors::Error> {
    if matches!(status(&error), Some(404 | 409)) { Ok(()) } else { Err(error) }
}

/// How a container ended; none where it runs, or has never run.
pub(super) fn ended(found: &ContainerInspectResponse) -> Option<Ended> {
    let state = found.state.as_ref()?;
    if state.running == Some(true) {
        return None;
    }
    let at = timestamp(state.finished_at.as_deref());
    if at.is_none() && timestamp(state.started_at.as_deref()).is_none() {
        return None;
    }
    Some(Ended { code: state.exit_code?, oom: state.oom_killed == Some(true), at })
}

//! How a container stands: a look, which changes nothing.

use bollard::models::HealthStatusEnum;

use super::error::DockerError;
use super::fleet::{Fleet, runs, timestamp};
use super::stop::{Ended, ended};
use crate::base::time::Timestamp;

/// What the container engine says of a container's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nobody asks for it.
    Unasked,
    /// It is being started.
    Starting,
    /// It is well.
    Healthy,
    /// It is not.
    Unhealthy,
}

/// How a container stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether its main process lives.
    pub running: bool,
    /// Its main process, as the container engine's host numbers it; 0 where none lives.
    pub pid: u32,
    /// Its health, where its image or its specification asks for it.
    pub health: Health,
    /// When it was started last.
    pub started_at: Option<Timestamp>,
    /// How it ended.
    pub ended: Option<Ended>,
}

impl Fleet {
    /// How a container of this workspace stands; none where it is gone.
    ///
    /// # Errors
    /// Where the container engine does not tell, or where it is somebody else's.
    pub async fn standing(&self, id: &str) -> Result<Option<Standing>, DockerError> {
        let Some(found) = self.own(id).await? else { return Ok(None) };
        let state = found.state.as_ref();
        let health = state.and_then(|state| state.health.as_ref()).and_then(|health| health.status);
        Ok(Some(Standing {
            running: runs(&found),
            pid: state.and_then(|state| state.pid).and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0),
            health: match health {
                None | Some(HealthStatusEnum::EMPTY | HealthStatusEnum::NONE) => Health::Unasked,
                Some(HealthStatusEnum::STARTING) => Health::Starting,
                Some(HealthStatusEnum::HEALTHY) => Health::Healthy,
                Some(HealthStatusEnum::UNHEALTHY) => Health::Unhealthy,
            },
            started_at: timestamp(state.and_then(|state| state.started_at.as_deref())),
            ended: ended(&found),
        }))
    }
}

//! Waiting for a container's health by the container engine's events.

use std::pin::pin;

use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt as _;

use super::error::DockerError;
use super::fleet::Fleet;
use super::standing::{Health, Standing};
use crate::base::time::Span;

/// How what may change the standing of a container begins, as Docker and as Podman call it (`die`, `died`).
const STIRS: [&str; 4] = ["health_status", "die", "destroy", "remove"];

impl Fleet {
    /// How a container of this workspace stands once its health is known, or after this time; none where it is gone.
    ///
    /// It is looked at when the container engine says that something has happened to it. Where nothing can be heard, it is what it was.
    ///
    /// # Errors
    /// As [`Fleet::standing`].
    pub async fn settled(&self, id: &str, patience: Span) -> Result<Option<Standing>, DockerError> {
        let mut standing = match self.standing(id).await? {
            Some(standing) if is_open(&standing) => standing,
            settled => return Ok(settled),
        };
        // All that has happened since it was started is told once more: nothing is missed between the look and the listening.
        let since = standing.started_at.map(|at| (at.0 / 1000).to_string());
        let filters = [("type", "container"), ("container", id)].map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
        let options = EventsOptions { since, filters: Some(filters.into()), ..EventsOptions::default() };
        let mut events = pin!(self.engine.client.events(Some(options)));
        let mut over = pin!(tokio::time::sleep(patience.std()));
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = &mut over => return Ok(Some(standing)),
            };
            let Some(Ok(event)) = event else { return Ok(Some(standing)) };
            if event.action.is_some_and(|action| STIRS.iter().any(|stir| action.starts_with(stir))) {
                match self.standing(id).await? {
                    Some(now) if is_open(&now) => standing = now,
                    settled => return Ok(settled),
                }
            }
        }
    }
}

/// Whether it can still become healthy, or not.
fn is_open(standing: &Standing) -> bool {
    standing.running && standing.health == Health::Starting
}

//! What one workspace has in the container engine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bollard::models::ContainerInspectResponse;

use crate::base::label::{self, Label};
use crate::base::owner::Owner;
use crate::base::time::Timestamp;

use super::connection::Engine;
use super::error::{DockerError, unless_missing};

/// What one workspace has in the container engine. Cheap to clone.
///
/// It acts on ids, never on names, and only where the labels say that it is this workspace's. Those of a container count where it has them
/// of its own: an image that was made of a container of ours hands them on to everybody's.
#[derive(Clone)]
pub struct Fleet {
    pub(super) engine: Engine,
    pub(super) workspace: Arc<str>,
    /// What images carry, by their ids: an image that changes is another one.
    carried: Arc<Mutex<HashMap<String, HashMap<String, String>>>>,
}

impl Fleet {
    pub(super) fn of(engine: Engine, workspace: &str) -> Self {
        Self { engine, workspace: workspace.into(), carried: Arc::default() }
    }

    /// The container engine that it is in.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether labels are this workspace's.
    pub(super) fn owns(&self, labels: Option<&HashMap<String, String>>) -> bool {
        labels.and_then(|labels| labels.get(label::WORKSPACE)).is_some_and(|workspace| **workspace == *self.workspace)
    }

    /// Whether labels are of this very place of this workspace.
    pub(super) fn owns_place(&self, labels: Option<&HashMap<String, String>>, owner: &Owner) -> bool {
        labels.and_then(Label::read).is_some_and(|label| *label.workspace == *self.workspace && label.owner == *owner)
    }

    /// Whether a container is this workspace's.
    pub(super) async fn owns_container(&self, found: &ContainerInspectResponse) -> Result<bool, DockerError> {
        Ok(self.owns(labels(found)) && !Box::pin(self.inherits(found)).await?)
    }

    /// Whether a container is of this very place of this workspace.
    pub(super) async fn owns_container_of(&self, found: &ContainerInspectResponse, owner: &Owner) -> Result<bool, DockerError> {
        Ok(self.owns_place(labels(found), owner) && !Box::pin(self.inherits(found)).await?)
    }

    /// Whether a container has our labels from its image. Of an image that is gone nothing can be said: then the labels are its own, as
    /// those with a nonce are sure to be where we made it.
    async fn inherits(&self, found: &ContainerInspectResponse) -> Result<bool, DockerError> {
        let (Some(image), Some(own)) = (&found.image, labels(found)) else { return Ok(false) };
        if let Some(carried) = self.carried.lock().unwrap_or_else(PoisonError::into_inner).get(image) {
            return Ok(label::inherited(own, carried));
        }
        let asked = unless_missing("inspect an image", Box::pin(self.engine.client.inspect_image(image)).await)?;
        let Some(asked) = asked else { return Ok(false) };
        let carried = asked.config.and_then(|config| config.labels).unwrap_or_default();
        let inherited = label::inherited(own, &carried);
        self.carried.lock().unwrap_or_else(PoisonError::into_inner).insert(image.clone(), carried);
        Ok(inherited)
    }

    /// A container, by its id or name; none where there is none.
    pub(super) async fn look(&self, id: &str) -> Result<Option<ContainerInspectResponse>, DockerError> {
        self.engine.door.container(id).await
    }

    /// A container of this workspace; none where there is none.
    ///
    /// # Errors
    /// Where it is somebody else's.
    pub(super) async fn own(&self, id: &str) -> Result<Option<ContainerInspectResponse>, DockerError> {
        let Some(found) = self.look(id).await? else { return Ok(None) };
        if !self.owns_container(&found).await? {
            return Err(DockerError::NotOurs { what: id.to_owned() });
        }
        Ok(Some(found))
    }

    /// A container of this workspace that must be there.
    pub(super) async fn must_own(&self, doing: &'static str, id: &str) -> Result<ContainerInspectResponse, DockerError> {
        self.own(id).await?.ok_or_else(|| DockerError::Missing { doing, what: id.to_owned() })
    }
}

/// The labels of a container.
pub(super) fn labels(found: &ContainerInspectResponse) -> Option<&HashMap<String, String>> {
    found.config.as_ref()?.labels.as_ref()
}

/// The volumes that a container has.
pub(super) fn volumes(found: &ContainerInspectResponse) -> impl Iterator<Item = &str> {
    found.mounts.iter().flatten().filter_map(|mount| mount.name.as_deref()).filter(|name| !name.is_empty())
}

/// Whether a container's main process lives.
pub(super) fn runs(found: &ContainerInspectResponse) -> bool {
    found.state.as_ref().is_some_and(|state| state.running == Some(true))
}

/// Nanoseconds since 1970 of a time as the container engine writes it; none for its zero time (year 1).
pub(super) fn nanoseconds(text: Option<&str>) -> Option<i64> {
    let stamp: jiff::Timestamp = text?.parse().ok()?;
    i64::try_from(stamp.as_nanosecond()).ok().filter(|at| *at > 0)
}

/// The same in this engine's time.
pub(super) fn timestamp(text: Option<&str>) -> Option<Timestamp> {
    nanoseconds(text).and_then(|at| u64::try_from(at / 1_000_000).ok()).map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zero_time_is_no_time() {
        assert_eq!(timestamp(Some("0001-01-01T00:00:00Z")), None);
        assert_eq!(timestamp(Some("1970-01-01T00:00:01.5Z")), Some(Timestamp(1500)));
        assert_eq!(nanoseconds(Some("1970-01-01T01:00:01.000000007+01:00")), Some(1_000_000_007));
    }
}

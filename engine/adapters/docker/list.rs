//! Everything of a workspace in the container engine.

use std::collections::HashMap;

use bollard::query_parameters::{ListNetworksOptions, ListVolumesOptions};

use crate::base::label::{self, Label};
use crate::base::owner::Owner;
use crate::base::time::Timestamp;

use super::error::DockerError;
use super::fleet::{Fleet, labels, runs, timestamp, volumes};

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A container, running or not.
    Container,
    /// A network.
    Network,
    /// A volume.
    Volume,
}

/// Something of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// By what it is stopped and removed.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its place, where the labels name one.
    pub owner: Option<Owner>,
    /// All its labels; none where one is missing, or is not as this engine writes it.
    pub label: Option<Label>,
    /// Whether it is a container that runs.
    pub running: bool,
    /// When the container was started last.
    pub started_at: Option<Timestamp>,
    /// The container's image, as it was asked for.
    pub image: Option<String>,
    /// The signal that the container wants for its end, where it says.
    pub stop_signal: Option<String>,
    /// The volumes that a container has.
    pub volumes: Vec<String>,
    /// Whether it is a volume without a name, which is its containers'.
    pub nameless: bool,
}

impl Found {
    fn of(kind: Kind, id: String, name: String, labels: &HashMap<String, String>) -> Self {
        let owner = labels.get(label::OWNER).and_then(|owner| owner.parse().ok());
        Self {
            kind,
            id,
            name,
            owner,
            label: Label::read(labels),
            running: false,
            started_at: None,
            image: None,
            stop_signal: None,
            volumes: Vec::new(),
            nameless: kind == Kind::Volume && labels.contains_key(label::NAMELESS),
        }
    }
}

impl Fleet {
    /// Everything that carries this workspace's label of its own: containers, then networks and volumes, each sorted by name.
    ///
    /// # Errors
    /// Where any of the lists cannot be had: what is not seen is not nothing.
    pub async fn list(&self) -> Result<Vec<Found>, DockerError> {
        let mut found = self.containers().await?;
        found.extend(self.networks().await?);
        found.extend(self.volumes().await?);
        found.sort_by(|a, b| (a.kind, &a.name, &a.id).cmp(&(b.kind, &b.name, &b.id)));
        Ok(found)
    }

    /// The filter that only this workspace's things pass.
    pub(super) fn filters(&self) -> HashMap<String, Vec<String>> {
        HashMap::from([("label".to_owned(), vec![format!("{}={}", label::WORKSPACE, self.workspace)])])
    }

    /// The ids of this workspace's containers, running or not.
    pub(super) async fn container_ids(&self) -> Result<Vec<String>, DockerError> {
        self.engine.door.container_ids(&self.filters()).await
    }

    async fn containers(&self) -> Result<Vec<Found>, DockerError> {
        let mut all = Vec::new();
        for id in self.container_ids().await? {
            // The list does not say since when; and one that has gone since is not there.
            let Some(container) = self.look(&id).await? else { continue };
            if !self.owns_container(&container).await? {
                continue;
            }
            let name = container.name.as_deref().unwrap_or_default().trim_start_matches('/').to_owned();
            let state = container.state.as_ref();
            let mut found = Found::of(Kind::Container, id, name, labels(&container).unwrap_or(&HashMap::new()));
            found.running = runs(&container);
            found.volumes = volumes(&container).map(str::to_owned).collect();
            found.started_at = timestamp(state.and_then(|state| state.started_at.as_deref()));
            if let Some(config) = container.config {
                (found.image, found.stop_signal) = (config.image, config.stop_signal.filter(|signal| !signal.is_empty()));
            }
            all.push(found);
        }
        Ok(all)
    }

    async fn networks(&self) -> Result<Vec<Found>, DockerError> {
        const DOING: &str = "list networks";
        let options = ListNetworksOptions { filters: Some(self.filters()) };
        let listed = self.engine.client.list_networks(Some(options)).await.map_err(DockerError::of(DOING))?;
        let of = |network: bollard::models::Network| {
            let id = network.id.ok_or(DockerError::Answer { doing: DOING, lacking: "an id" })?;
            Ok(Found::of(Kind::Network, id, network.name.unwrap_or_default(), &network.labels.unwrap_or_default()))
        };
        listed.into_iter().map(of).collect()
    }

    async fn volumes(&self) -> Result<Vec<Found>, DockerError> {
        let options = ListVolumesOptions { filters: Some(self.filters()) };
        let listed = self.engine.client.list_volumes(Some(options)).await.map_err(DockerError::of("list volumes"))?;
        let of = |volume: bollard::models::Volume| Found::of(Kind::Volume, volume.name.clone(), volume.name, &volume.labels);
        Ok(listed.volumes.into_iter().flatten().map(of).collect())
    }
}

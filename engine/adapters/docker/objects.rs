//! Networks and volumes: passive things that containers share.

use std::collections::HashMap;

use bollard::models::{ImageSummary, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{ListImagesOptions, RemoveImageOptions};

use crate::base::label::{self, Label};
use crate::base::name::Name;
use crate::base::owner::Owner;

use super::error::{DockerError, status, unless_missing};
use super::fleet::Fleet;
use super::name::tag_of;

/// A network or a volume that is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// By what it is removed: a network's id, a volume's name.
    pub id: String,
    /// Whether this call made it.
    pub created: bool,
    /// Whether it is this place's. A stranger's is used but not owned, as directories are, and never removed.
    pub owned: bool,
}

impl Fleet {
    /// Makes that there is a network of a name; a bridge where no driver is said.
    ///
    /// # Errors
    /// Where the container engine refuses.
    pub async fn ensure_network(&self, name: &str, label: &Label, driver: Option<&str>) -> Result<Made, DockerError> {
        if let Some(found) = self.network(name, label).await? {
            return Ok(found);
        }
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some(driver.unwrap_or("bridge").to_owned()),
            labels: Some(label.write()),
            ..NetworkCreateRequest::default()
        };
        match self.engine.client.create_network(request).await {
            Ok(made) => Ok(Made { id: made.id, created: true, owned: true }),
            Err(error) if status(&error) == Some(409) => self.network(name, label).await?.ok_or_else(|| refused(error)),
            Err(error) => Err(refused(error)),
        }
    }

    async fn network(&self, name: &str, label: &Label) -> Result<Option<Made>, DockerError> {
        let found = unless_missing("inspect a network", self.engine.client.inspect_network(name, None).await)?;
        // A network is also found by the beginning of its id.
        let Some(found) = found.filter(|found| found.name.as_deref() == Some(name)) else { return Ok(None) };
        let owned = self.owns_place(found.labels.as_ref(), &label.owner);
        let id = found.id.ok_or(DockerError::Answer { doing: "inspect a network", lacking: "its id" })?;
        Ok(Some(Made { id, created: false, owned }))
    }

    /// Removes a network. Removing what is gone is fine.
    ///
    /// # Errors
    /// [`DockerError::NotOurs`], or [`DockerError::InUse`] while a container is in it.
    pub async fn remove_network(&self, id: &str) -> Result<(), DockerError> {
        let found = unless_missing("inspect a network", self.engine.client.inspect_network(id, None).await)?;
        let Some(found) = found else { return Ok(()) };
        if !self.owns(found.labels.as_ref()) || found.id.as_deref() != Some(id) {
            return Err(DockerError::NotOurs { what: id.to_owned() });
        }
        removed(id, "remove a network", self.engine.client.remove_network(id).await)
    }

    /// Makes that there is a volume of a name; a local one where no driver is said.
    ///
    /// # Errors
    /// Where the container engine refuses.
    pub async fn ensure_volume(&self, name: &str, label: &Label, driver: Option<&str>) -> Result<Made, DockerError> {
        const DOING: &str = "make a volume";
        let look = || self.engine.client.inspect_volume(name);
        if let Some(found) = unless_missing("inspect a volume", look().await)? {
            return Ok(Made { id: found.name, created: false, owned: self.owns_place(Some(&found.labels), &label.owner) });
        }
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            driver: Some(driver.unwrap_or("local").to_owned()),
            labels: Some(label.write()),
            ..VolumeCreateRequest::default()
        };
        // To make what is there is no error for the container engine: whose it is, its labels say.
        let made = self.engine.client.create_volume(request).await.map_err(DockerError::of(DOING))?;
        let owned = self.owns_place(Some(&made.labels), &label.owner);
        Ok(Made { id: made.name, created: owned, owned })
    }

    /// Removes a volume and what is in it. Removing what is gone is fine.
    ///
    /// # Errors
    /// [`DockerError::NotOurs`], or [`DockerError::InUse`] while a container has it.
    pub async fn remove_volume(&self, name: &str) -> Result<(), DockerError> {
        let found = unless_missing("inspect a volume", self.engine.client.inspect_volume(name).await)?;
        let Some(found) = found else { return Ok(()) };
        if !self.owns(Some(&found.labels)) {
            return Err(DockerError::NotOurs { what: name.to_owned() });
        }
        let none = None::<bollard::query_parameters::RemoveVolumeOptions>;
        removed(name, "remove a volume", self.engine.client.remove_volume(name, none).await)
    }

    /// Whether a container has a volume, whoever's it is.
    pub(in crate::adapters) async fn is_had(&self, name: &str) -> Result<bool, DockerError> {
        let by = HashMap::from([("volume".to_owned(), vec![name.to_owned()])]);
        Ok(!self.engine.door.container_ids(&by).await?.is_empty())
    }

    /// Removes a volume of this workspace that has no name, unless a container still has it. Any other stays.
    pub(in crate::adapters) async fn remove_nameless(&self, name: &str) -> Result<(), DockerError> {
        let found = unless_missing("inspect a volume", self.engine.client.inspect_volume(name).await)?;
        if !found.is_some_and(|found| self.owns(Some(&found.labels)) && found.labels.contains_key(label::NAMELESS)) {
            return Ok(());
        }
        // The engine does not count a container that took it over by `--volumes-from` from one that had named it.
        if self.is_had(name).await? {
            return Ok(());
        }
        match self.remove_volume(name).await {
            Err(DockerError::InUse { .. }) => Ok(()),
            removed => removed,
        }
    }

    /// Removes what earlier builds for a place have left: images that lost their tag to the newest one. One that a container still is of
    /// stays until the next build.
    ///
    /// # Errors
    /// Where the container engine does not tell what is there.
    pub async fn remove_outbuilt(&self, owner: &Owner) -> Result<(), DockerError> {
        for image in self.built(&[("dangling", "true")]).await? {
            if owner_of(&image).as_ref() != Some(owner) {
                continue;
            }
            let none = None::<RemoveImageOptions>;
            match removed(&image.id, "remove an image", self.engine.client.remove_image(&image.id, none, None).await.map(drop)) {
                Err(DockerError::InUse { .. }) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Removes the images that were built for a goal: by the tag that sculpt gave them, so that what has another one stays with that. Returns
    /// the refusals for those that are used, by a container of whoever.
    ///
    /// # Errors
    /// Where the container engine does not tell what is there, or refuses for another reason.
    pub async fn remove_built(&self, goal: &Name) -> Result<Vec<DockerError>, DockerError> {
        let mut used = Vec::new();
        for image in self.built(&[]).await? {
            let Some(owner) = owner_of(&image).filter(|owner| owner.goal == *goal) else { continue };
            let ours = tag_of(&self.workspace, &owner);
            // Podman writes where the image is before its name.
            let tagged = image.repo_tags.iter().filter(|tag| **tag != "<none>:<none>");
            let mut names: Vec<&str> = tagged.map(String::as_str).collect();
            if names.is_empty() {
                names.push(&image.id);
            } else {
                names.retain(|tag| *tag == ours || tag.ends_with(&format!("/{ours}")));
            }
            for name in names {
                let none = None::<RemoveImageOptions>;
                match removed(name, "remove an image", self.engine.client.remove_image(name, none, None).await.map(drop)) {
                    Err(error @ DockerError::InUse { .. }) => used.push(error),
                    other => other?,
                }
            }
        }
        Ok(used)
    }

    /// The images that were built for this workspace, and pass these filters. Podman finds nothing by two labels: whose they are is looked
    /// at by whoever asks.
    async fn built(&self, filters: &[(&str, &str)]) -> Result<Vec<ImageSummary>, DockerError> {
        let ours = ("label".to_owned(), vec![format!("{}={}", label::BUILT_WORKSPACE, self.workspace)]);
        let filters = filters.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).chain([ours]).collect();
        let options = ListImagesOptions { filters: Some(filters), ..ListImagesOptions::default() };
        self.engine.client.list_images(Some(options)).await.map_err(DockerError::of("list images"))
    }
}

fn owner_of(image: &ImageSummary) -> Option<Owner> {
    image.labels.get(label::BUILT_OWNER)?.parse().ok()
}

fn refused(error: bollard::errors::Error) -> DockerError {
    DockerError::of("make a network")(error)
}

/// Both 403 (a network with containers) and 409 (a volume or an image of a container) say that it is in use.
fn removed(what: &str, doing: &'static str, answer: Result<(), bollard::errors::Error>) -> Result<(), DockerError> {
    match unless_missing(doing, answer) {
        Err(DockerError::Refused { status: 403 | 409, said, .. }) => Err(DockerError::InUse { what: what.to_owned(), said }),
        other => other.map(drop),
    }
}

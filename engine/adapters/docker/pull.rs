//! Getting an image from its registry, where one answers.

use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt as _;

use super::connection::Engine;
use super::error::{DockerError, unless_missing};

impl Engine {
    /// The id of an image that is here; none where it is not.
    ///
    /// # Errors
    /// Where the container engine does not say.
    pub async fn image(&self, image: &str) -> Result<Option<String>, DockerError> {
        Ok(unless_missing("inspect an image", self.client.inspect_image(image).await)?.and_then(|found| found.id))
    }

    /// Gets an image from its registry. What is said on the way is told to `progress`, a line at a time.
    ///
    /// # Errors
    /// [`DockerError::NoImage`] where no registry gives it.
    pub async fn pull(&self, image: &str, mut progress: impl FnMut(&str)) -> Result<(), DockerError> {
        let none = |said: String| DockerError::NoImage { image: image.to_owned(), said };
        if image.starts_with("sha256:") {
            return Err(none("it is not here, and no registry knows a bare id".to_owned()));
        }
        let options = CreateImageOptions { from_image: Some(tagged(image)), ..CreateImageOptions::default() };
        let mut said = self.client.create_image(Some(options), None, None);
        while let Some(line) = said.next().await {
            let line = line.map_err(|error| none(error.to_string()))?;
            if let Some(detail) = line.error_detail {
                return Err(none(detail.message.unwrap_or_else(|| "the registry said no".to_owned())));
            }
            if let Some(status) = line.status {
                progress(&status);
            }
        }
        Ok(())
    }
}

/// With its tag: without one, every tag of the repository would come.
fn tagged(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use super::tagged;

    #[test]
    fn one_tag_is_asked_for() {
        assert_eq!(tagged("redis"), "redis:latest");
        assert_eq!(tagged("host:5000/redis"), "host:5000/redis:latest");
        assert_eq!(tagged("host:5000/redis:7"), "host:5000/redis:7");
        assert_eq!(tagged("redis@sha256:0"), "redis@sha256:0");
    }
}

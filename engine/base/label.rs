//! The labels that say whose a container, a network, a volume or an image is. Whatever the container engine keeps for us carries them all.

use std::collections::HashMap;
use std::hash::BuildHasher;

use super::owner::Owner;

/// The workspace's id.
pub const WORKSPACE: &str = "io.opensculpt.workspace";
/// The place: `goal/phase`, or `goal/phase/resource`.
pub const OWNER: &str = "io.opensculpt.owner";
/// The run that made it.
pub const RUN: &str = "io.opensculpt.run";
/// The attempt that made it, from 1.
pub const ATTEMPT: &str = "io.opensculpt.attempt";
/// How it came: declared, or by a command of the phase.
pub const ORIGIN: &str = "io.opensculpt.origin";
/// The effect whose command made it, where nothing of it outlives that command. What has none may be data that somebody keeps.
pub const EFFECT: &str = "io.opensculpt.effect";
/// SHA-256 of what was asked of the container engine, in hex; only on what is declared.
pub const SPEC: &str = "io.opensculpt.spec";
/// A random value, another one for each container: no image can know it before the container is made. Earlier versions wrote none.
pub const NONCE: &str = "io.opensculpt.nonce";
/// On a volume whose only name is the one that the container engine gave it: it is nobody's data, and goes with the last container that has it.
pub const NAMELESS: &str = "io.opensculpt.nameless";

/// The workspace for which an image was built. An image has keys of its own: a container inherits the labels of its image, and whoever else
/// starts one from it would have a container that looks like ours.
pub const BUILT_WORKSPACE: &str = "io.opensculpt.built.workspace";
/// The place for which it was built.
pub const BUILT_OWNER: &str = "io.opensculpt.built.owner";

/// Whether labels are the image's, and not the container's own. Whoever commits a container of ours makes an image that carries its labels,
/// and so does every container that anybody makes of that. One that we make is told apart by its nonce: all else an image may carry that a
/// command of the very same attempt made.
pub fn inherited<S: BuildHasher>(container: &HashMap<String, String, S>, image: &HashMap<String, String, S>) -> bool {
    let own = container.get(NONCE).is_some_and(|nonce| image.get(NONCE) != Some(nonce));
    !own && [WORKSPACE, OWNER, RUN, ATTEMPT, ORIGIN].iter().all(|key| container.get(*key) == image.get(*key))
}

/// How a thing of the container engine came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A resource of the manifest.
    Declared,
    /// A command or an agent of the phase made it, through the endpoint of its attempt.
    Caught,
}

impl Origin {
    /// As it stands in the label.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Caught => "caught",
        }
    }
}

/// Whose a thing of the container engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The workspace's id.
    pub workspace: String,
    /// The place.
    pub owner: Owner,
    /// The run that made it.
    pub run: String,
    /// The attempt that made it, from 1.
    pub attempt: u32,
    /// How it came to be.
    pub origin: Origin,
    /// The effect whose command made it, where nothing of it outlives that command.
    pub effect: Option<u64>,
}

impl Label {
    /// The labels, as the container engine wants them.
    pub fn write(&self) -> HashMap<String, String> {
        let effect = self.effect.map(|effect| (EFFECT.to_owned(), effect.to_string()));
        HashMap::from([
            (WORKSPACE.to_owned(), self.workspace.clone()),
            (OWNER.to_owned(), self.owner.to_string()),
            (RUN.to_owned(), self.run.clone()),
            (ATTEMPT.to_owned(), self.attempt.to_string()),
            (ORIGIN.to_owned(), self.origin.word().to_owned()),
        ])
        .into_iter()
        .chain(effect)
        .collect()
    }

    /// Reads them; none where one is missing or not as it is written: then the thing is not known to be ours.
    pub fn read(labels: &HashMap<String, String>) -> Option<Self> {
        let origin = match labels.get(ORIGIN)?.as_str() {
            "declared" => Origin::Declared,
            "caught" => Origin::Caught,
            _ => return None,
        };
        Some(Self {
            workspace: labels.get(WORKSPACE)?.clone(),
            owner: labels.get(OWNER)?.parse().ok()?,
            run: labels.get(RUN)?.clone(),
            attempt: labels.get(ATTEMPT)?.parse().ok()?,
            origin,
            effect: match labels.get(EFFECT) {
                Some(effect) => Some(effect.parse().ok()?),
                None => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_with_a_nonce_of_its_own_is_not_its_images() {
        let labels = |nonce: Option<&str>| -> HashMap<String, String> {
            let same = [WORKSPACE, OWNER, RUN, ATTEMPT, ORIGIN].map(|key| (key.to_owned(), "same".to_owned()));
            same.into_iter().chain(nonce.map(|nonce| (NONCE.to_owned(), nonce.to_owned()))).collect()
        };
        for image in [None, Some("theirs"), Some("")] {
            assert!(!inherited(&labels(Some("ours")), &labels(image)), "{image:?}");
            assert!(inherited(&labels(image), &labels(image)), "{image:?}");
            assert!(inherited(&labels(None), &labels(image)), "one of an earlier version, of {image:?}");
        }
        let mut other = labels(None);
        other.insert(RUN.to_owned(), "another".to_owned());
        assert!(!inherited(&other, &labels(None)));
    }

    #[test]
    fn what_is_written_is_read_and_nothing_less() {
        let label = Label {
            workspace: "w".to_owned(),
            owner: "crm/server/db".parse().unwrap(),
            run: "crm.3".to_owned(),
            attempt: 2,
            origin: Origin::Caught,
            effect: None,
        };
        let brief = Label { effect: Some(7), ..label.clone() };
        assert_eq!(Label::read(&brief.write()), Some(brief));
        let written = label.write();
        assert_eq!(Label::read(&written), Some(label));
        for key in written.keys() {
            let mut less = written.clone();
            less.remove(key);
            assert_eq!(Label::read(&less), None, "without {key}");
        }
    }
}

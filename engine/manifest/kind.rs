//! What a resource is.

use serde::{Deserialize, Serialize};

use super::resource::Resource;

/// What a resource is.
///
/// | kind | runs | remade where it changes | kept by default with its goal |
/// |---|---|---|---|
/// | directory, file | | in place | yes |
/// | volume | | in place | yes |
/// | port | | | |
/// | network, custom | | yes | |
/// | process, container | yes | yes | |
/// | adopted | | | |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file that the engine writes.
    File,
    /// A port that must be free.
    Port,
    /// A process and all that it starts.
    Process,
    /// A container.
    Container,
    /// A container network.
    Network,
    /// A container volume.
    Volume,
    /// Anything that commands create and destroy.
    Custom,
    /// What a phase started outside of everything that is held, and a person has given to its goal. No manifest declares it.
    Adopted,
}

impl Kind {
    /// The kind of a declared resource.
    pub const fn of(resource: &Resource) -> Self {
        match resource {
            Resource { process: Some(_), .. } => Self::Process,
            Resource { container: Some(_), .. } => Self::Container,
            Resource { directory: Some(_), .. } => Self::Directory,
            Resource { file: Some(_), .. } => Self::File,
            Resource { port: Some(_), .. } => Self::Port,
            Resource { network: Some(_), .. } => Self::Network,
            Resource { volume: Some(_), .. } => Self::Volume,
            _ => Self::Custom,
        }
    }

    /// The word for it, as in the manifest.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::File => "file",
            Self::Port => "port",
            Self::Process => "process",
            Self::Container => "container",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Custom => "custom",
            Self::Adopted => "adopted",
        }
    }

    /// Whether something runs, rather than only being there.
    pub const fn runs(self) -> bool {
        matches!(self, Self::Process | Self::Container)
    }

    /// Whether it is ended and made anew where it changes. Everything else is changed in place, or is not changed.
    pub const fn is_remade(self) -> bool {
        matches!(self, Self::Process | Self::Container | Self::Network | Self::Custom)
    }

    /// Whether it holds what somebody may want to keep: `down` leaves such a thing where the goal owns it.
    pub const fn holds_data(self) -> bool {
        matches!(self, Self::Directory | Self::File | Self::Volume)
    }

    /// Whether the container engine keeps it.
    pub const fn is_of_engine(self) -> bool {
        matches!(self, Self::Container | Self::Network | Self::Volume)
    }
}

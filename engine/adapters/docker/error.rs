//! What can go wrong between this engine and the container engine.

use std::io;
use std::path::PathBuf;

use bollard::errors::Error as Client;

/// What a person can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Start the container engine, or install one.
    StartEngine,
    /// The user may not open the socket: join the group that owns it, or use a rootless engine.
    AskForAccess,
    /// `DOCKER_HOST` names what cannot be used.
    CorrectDockerHost,
    /// The container engine is older than Docker 20.10.
    UpgradeEngine,
    /// Build the image here (`build:`), load it, or make its registry reachable.
    ProvideImage,
    /// Choose another name, or remove what has it.
    FreeName,
    /// Choose another port, or end whoever listens there.
    FreePort,
    /// Declare the network, and depend on it.
    DeclareNetwork,
    /// Read the command, its arguments and the mounts again.
    CorrectSpec,
}

impl Hint {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::StartEngine => "start the container engine (`systemctl start docker`), or install one: Docker 20.10 or newer, or Podman",
            Self::AskForAccess => "join the group that owns the socket (`usermod -aG docker USER`), or use a rootless engine",
            Self::CorrectDockerHost => "correct or unset DOCKER_HOST",
            Self::UpgradeEngine => "upgrade the container engine: Docker 20.10 or newer",
            Self::ProvideImage => "build it here (`build:`), load it with `docker load`, or make its registry reachable",
            Self::FreeName => "choose another name, or remove what has it",
            Self::FreePort => "choose another port, or end whoever listens there",
            Self::DeclareNetwork => "declare the network as a resource, and depend on it",
            Self::CorrectSpec => "read the command, its arguments and the mounts again",
        }
    }
}

/// Why something was not done in the container engine.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// The name that a container of ours has to have is somebody else's. Nothing was touched.
    #[error("failed to start container {name}: a container of that name (image {image}) belongs to somebody else")]
    Stranger {
        /// The name.
        name: String,
        /// The image of the container that has it.
        image: String,
        /// Its workspace, where it is another workspace's (or another place's of this one).
        workspace: Option<String>,
        /// Its place there.
        owner: Option<String>,
    },
    /// It does not carry this workspace's labels. Nothing was touched.
    #[error("failed to touch {what}: it is not this workspace's")]
    NotOurs {
        /// The id or the name.
        what: String,
    },
    /// The image is not here, and no registry gave it.
    #[error("failed to find image {image}: {said}")]
    NoImage {
        /// The image.
        image: String,
        /// What the container engine said.
        said: String,
    },
    /// A port of the container is taken by somebody.
    #[error("failed to start container {name}: a port is taken: {said}")]
    PortTaken {
        /// The container's name.
        name: String,
        /// What the container engine said; it names the port.
        said: String,
    },
    /// The container joins a network that is not there.
    #[error("failed to start container {name}: network {network} is not there")]
    NoNetwork {
        /// The container's name.
        name: String,
        /// The network.
        network: String,
    },
    /// The container engine cannot give it the limits that it must have.
    #[error("failed to limit container {name}: {said}")]
    Unlimited {
        /// The container's name.
        name: String,
        /// What the container engine said.
        said: String,
    },
    /// The container engine cannot start it as it is declared: no such command, a mount that cannot be made, a refused setting.
    #[error("failed to start container {name}: {said}")]
    CannotStart {
        /// The container's name.
        name: String,
        /// What the container engine said.
        said: String,
    },
    /// It is not there.
    #[error("failed to {doing}: {what} is not there")]
    Missing {
        /// What was being done.
        doing: &'static str,
        /// The id or the name.
        what: String,
    },
    /// A network or a volume cannot be removed while somebody uses it.
    #[error("failed to remove {what}: it is in use: {said}")]
    InUse {
        /// The id or the name.
        what: String,
        /// What the container engine said.
        said: String,
    },
    /// A container lives on after SIGKILL.
    #[error("failed to stop container {id}: it lives on after SIGKILL")]
    Deaf {
        /// The id.
        id: String,
    },
    /// A build ended without an image.
    #[error("failed to build image {tag}: {last}")]
    Build {
        /// The tag it was to have.
        tag: String,
        /// The last thing that was said.
        last: String,
    },
    /// A pattern of `.dockerignore` makes no sense.
    #[error("failed to read .dockerignore, line {line}: `{pattern}`: {said}")]
    Ignore {
        /// The line, from 1.
        line: usize,
        /// The pattern.
        pattern: String,
        /// Why.
        said: String,
    },
    /// A file of this host.
    #[error("failed to {doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The container engine said no.
    #[error("failed to {doing}: the container engine answers {status}: {said}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// The HTTP status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// The container engine said nothing: whether it was done is unknown.
    #[error("failed to {doing}: no answer of the container engine: {why}")]
    Lost {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        why: String,
    },
    /// The container engine said what cannot be read: whether it was done is unknown.
    #[error("failed to {doing}: the container engine's answer cannot be read: {why}")]
    Unreadable {
        /// What was being done.
        doing: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The answer lacks what it must have.
    #[error("failed to {doing}: the container engine's answer lacks {lacking}")]
    Answer {
        /// What was being done.
        doing: &'static str,
        /// What is not in it.
        lacking: &'static str,
    },
}

impl DockerError {
    /// What a person can do about it, where something is known to help.
    pub const fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::Stranger { .. } => Hint::FreeName,
            Self::NoImage { .. } => Hint::ProvideImage,
            Self::PortTaken { .. } => Hint::FreePort,
            Self::NoNetwork { .. } => Hint::DeclareNetwork,
            Self::CannotStart { .. } | Self::Ignore { .. } => Hint::CorrectSpec,
            Self::Lost { .. } => Hint::StartEngine,
            _ => return None,
        })
    }

    /// What the client said, in words of ours.
    pub(super) fn of(doing: &'static str) -> impl FnOnce(Client) -> Self {
        move |error| match error {
            Client::DockerResponseServerError { status_code, message } => Self::Refused { doing, status: status_code, said: message },
            Client::JsonDataError { .. } | Client::JsonSerdeError { .. } => Self::Unreadable { doing, why: chain(&error) },
            error => Self::Lost { doing, why: chain(&error) },
        }
    }
}

/// An error with all its causes.
fn chain(error: &Client) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let mut said: Vec<String> = causes.map(ToString::to_string).collect();
    // Some only pass on what their cause says.
    said.dedup();
    said.join(": ")
}

/// The status of an answer that is a refusal.
pub(super) fn status(error: &Client) -> Option<u16> {
    match error {
        Client::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What is there; nothing where the container engine says that there is no such thing. Every other refusal stays an error.
pub(super) fn unless_missing<T>(doing: &'static str, found: Result<T, Client>) -> Result<Option<T>, DockerError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(DockerError::of(doing)(error)),
    }
}

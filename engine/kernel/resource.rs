//! The resource's machine.
//!
//! | state     | input    | next      |
//! |-----------|----------|-----------|
//! | declared  | creating | creating  |
//! | creating  | ready    | ready     |
//! | creating, ready, unhealthy | failing | unhealthy |
//! | unhealthy | ready    | ready     |
//! | unhealthy, gone | restarting | unhealthy |
//! | creating, ready, unhealthy, stopping | stopping | stopping |
//! | creating, ready, unhealthy, stopping | gone | gone |
//! | gone      | creating | creating  |

use serde::{Deserialize, Serialize};

/// Where a resource stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceState {
    /// The manifest names it.
    #[default]
    Declared,
    /// It is being made, or has been started and is not ready yet.
    Creating,
    /// It is there and ready.
    Ready,
    /// It is there, or was, and is not ready.
    Unhealthy,
    /// It is being ended.
    Stopping,
    /// It is gone, and somebody has looked.
    Gone,
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceInput {
    /// It is made or started.
    Creating,
    /// It is ready.
    Ready,
    /// It is not, or no longer, ready.
    Failing,
    /// It has ended, and is to be started again.
    Restarting,
    /// It is being ended.
    Stopping,
    /// A look has shown that nothing is left.
    Gone,
}

impl ResourceState {
    /// The next state; none where the input does not belong here.
    pub const fn on(self, input: ResourceInput) -> Option<Self> {
        use ResourceInput as I;
        match (self, input) {
            (Self::Declared | Self::Gone, I::Creating) => Some(Self::Creating),
            (Self::Creating | Self::Unhealthy, I::Ready) => Some(Self::Ready),
            (Self::Creating | Self::Ready | Self::Unhealthy, I::Failing) | (Self::Unhealthy | Self::Gone, I::Restarting) => {
                Some(Self::Unhealthy)
            }
            (Self::Creating | Self::Ready | Self::Unhealthy | Self::Stopping, I::Stopping) => Some(Self::Stopping),
            (Self::Creating | Self::Ready | Self::Unhealthy | Self::Stopping, I::Gone) => Some(Self::Gone),
            _ => None,
        }
    }

    /// True while there may be something to end.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Creating | Self::Ready | Self::Unhealthy | Self::Stopping)
    }

    /// The word for it on a screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Unhealthy => "unhealthy",
            Self::Stopping => "stopping",
            Self::Gone => "gone",
        }
    }
}

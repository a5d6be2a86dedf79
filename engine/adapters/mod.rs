//! Where the engine touches the world: one folder for each kind of thing.

pub mod clock;
pub mod docker;
pub mod docker_gateway;
pub mod local;
pub mod notify;
pub mod probes;
pub mod process;
pub mod rehearsal;
pub mod socket;
pub mod suspects;
pub mod vault;
pub mod vitals;
pub mod workspace;

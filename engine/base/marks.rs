//! The variables that every command finds in its environment, whatever the manifest says: whose it is.

/// The workspace's folder.
pub const WORKSPACE: &str = "SCULPT_WORKSPACE";
/// The goal.
pub const GOAL: &str = "SCULPT_GOAL";
/// The run.
pub const RUN: &str = "SCULPT_RUN";
/// The phase.
pub const PHASE: &str = "SCULPT_PHASE";
/// Where the container engine itself is, by the `DOCKER_HOST` of whoever began the run: the command's own leads to its endpoint.
pub const ENGINE: &str = "SCULPT_DOCKER_HOST";
/// The attempt, from 1.
pub const ATTEMPT: &str = "SCULPT_ATTEMPT";

//! Every test that runs the library from outside, in one binary: it links once.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests make the world that they look at, and a panic is how they fail")]

mod adapters_process;
mod cli;
mod contract;
mod docker_gateway;
mod floors;
mod import;
mod journal;
mod kernel;
mod machines;
mod manifests;
mod part;
mod plan;
mod probes;
mod readme;
mod rehearsal;

//! The one loop: what is heard becomes an input, what is decided is committed, what is permitted is done.

mod brief;
mod claim;
mod command;
mod contained;
mod endpoint;
pub mod engine;
pub mod handle;
mod hands;
mod hearing;
pub mod host;
mod job;
pub mod opening;
mod port_texts;
pub mod preflight;
mod probing;
pub mod rehearsal;
pub mod serving;
mod shell;
mod texts;
mod uncontained;
pub mod unexplained;

//! A simulated world on a virtual clock: processes, ports, files, checks and people, with faults drawn from a seed.
//!
//! Nothing in it touches the host: no process is started, no thread, no file, no real time passes. Its events happen in the order of
//! (time, number), and everything that is left to chance is drawn from the seed, so that the same seed is the same story.

pub mod cast;
pub mod clock;
pub mod disk;
mod end;
pub mod faults;
mod files;
mod making;
mod memory;
pub mod note;
mod planned;
mod probe;
mod process;
mod reads;
mod runtime;
pub mod seed;
pub mod simulation;
pub mod stage;
mod truth;
mod watch;
mod world;

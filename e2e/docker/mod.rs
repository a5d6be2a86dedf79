//! The real container engine: what is asked of it, and what it answers.

mod building;
pub(crate) mod daemon;
mod endings;
pub(crate) mod fixture;
mod health;
mod inherited;
pub(crate) mod left;
mod objects;
mod output;
pub(crate) mod run_ending;
mod starting;

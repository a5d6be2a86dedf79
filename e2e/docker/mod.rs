//! The real container engine: what is asked of it, and what it answers.

mod building;
mod endings;
pub(crate) mod fixture;
mod objects;
mod output;
mod starting;

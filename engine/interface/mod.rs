//! What people and programs see and say.

pub mod cli;
pub mod failure;
pub mod log;
pub mod report;
pub mod socket;
pub mod terminal;

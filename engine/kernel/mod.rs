//! State × Input → Turn: pure, without clock, input or output; one machine a file.

pub mod action;
pub mod answer;
pub mod attempt;
mod checking;
mod closing;
mod course;
mod deadline;
pub mod engine;
mod falling;
pub mod fault;
pub mod fold;
pub mod input;
mod live;
pub mod outcome;
pub mod phase;
mod proof;
pub mod question;
mod readiness;
pub mod record;
mod recovery;
mod requests;
pub mod resource;
mod schedule;
pub mod state;
pub mod stock;
mod teardown;
pub mod turn;

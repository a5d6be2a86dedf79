//! A Compose file → a goal: every key is mapped, or said not to be.

mod build;
pub mod compose;
mod emit;
mod extends;
mod finding;
mod health;
mod interpolate;
mod item;
pub mod keys;
mod life;
mod mounts;
mod names;
mod networks;
mod order;
mod paths;
mod ports;
mod project;
mod service;
mod stored;
mod units;
mod words;

pub use finding::{Finding, Kind};

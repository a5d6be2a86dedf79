//! The container engine: Docker from 20.10 (API 1.41), or Podman's Docker-compatible socket.
//!
//! [`connection::Engine`] is the engine of this host, [`fleet::Fleet`] what one workspace has in it: whatever is changed goes through
//! a fleet, which acts on ids only and looks whether the labels are its own before it touches anything.

pub mod build;
pub mod cgroups;
pub mod changes;
pub mod connection;
mod context;
pub mod create;
pub mod ensure;
pub mod error;
pub mod exec;
pub mod fleet;
mod ignore;
mod inspect;
pub mod list;
mod log_mark;
pub mod logs;
pub mod name;
pub mod objects;
mod pull;
mod settle;
pub mod spec;
pub mod standing;
pub mod stop;
pub mod version;

//! Checks that only look: `http`, `tcp`, `file` and `log`. They change nothing and need no permit.

mod connect;
mod deadline;
pub mod file;
pub mod http;
mod json;
pub mod log;
mod message;
mod reason;
pub mod surroundings;
pub mod tcp;
mod text;
mod tls;

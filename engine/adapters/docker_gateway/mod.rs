//! The Docker endpoint of an attempt: a Unix socket that forwards to the container engine, labels and limits what is made through it, and
//! refuses what the capabilities do not allow. `route` → `rewrite` decide, purely; `server` → `exchange` carry it out.

mod added;
pub mod audit;
pub mod capability;
mod exchange;
pub mod facts;
mod hangup;
pub mod host;
mod image;
pub mod json;
pub mod limits;
mod nameless;
mod network;
pub mod policy;
pub mod query;
pub mod resolve;
pub mod rewrite;
pub mod route;
pub mod server;
mod upstream;

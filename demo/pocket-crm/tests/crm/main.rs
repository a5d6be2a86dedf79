//! The CRM from outside: the API of a server in this process, and the program itself, killed and stopped.

#![expect(clippy::unwrap_used, reason = "a test that cannot get what it needs ends there")]

mod api;
mod client;
mod program;

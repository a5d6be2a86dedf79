//! The real program on real processes, looked at from outside: what it promises is written in the names of the tests.
//!
//! `cargo test --test e2e` runs it. `E2E_ROUNDS=100` repeats the leak matrix and lets the long ones run.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests make the world that they look at, and a panic is how they fail")]

mod again;
mod checks;
mod collection;
mod containers;
mod difference;
mod docker;
mod docker_gateway;
mod endings;
mod endpoint;
mod endpoint_commands;
mod endpoint_hosts;
mod endpoint_volumes;
mod goals;
mod grace;
mod health;
mod imported;
mod journal;
mod layouts;
mod leaks;
mod limits;
mod massacre;
mod matrix;
mod nested;
mod ordinary_user;
#[path = "../tests/part.rs"]
mod part;
mod people;
mod phases;
mod ports;
mod restarts;
mod resume;
mod retry;
mod reverify;
mod rollback;
mod saved;
mod secrets;
mod supervisor;
mod suspects;
mod suspects_around;
mod together;
mod told;
mod unexplained;
mod ways;
mod world;

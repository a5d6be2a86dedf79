//! Real processes: nothing that was started in a scope escapes it, and nothing else is touched.

mod ending;
mod finding;
mod host;
mod leaks;
mod limiting;
mod ordinary_user;
mod reuse;
mod starting;
mod supervisors;
mod witnessing;

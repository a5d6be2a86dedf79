//! Processes that cannot escape their owner.
//!
//! A [`Containment`](containment::Containment) is the best that this host offers; it makes [`Scope`](scope::Scope)s; a process is
//! started into a scope, and a scope ends as a whole and is then looked at.

pub mod alone;
pub mod background;
pub(in crate::adapters) mod cgroup;
mod clone;
mod clone3;
pub mod containment;
mod deadline;
pub mod delegation;
pub mod end;
pub mod foreign;
pub mod identity;
mod kernel_file;
pub mod launch;
#[cfg(test)]
mod layouts;
pub mod limits;
pub mod listener;
pub mod mechanism;
mod output;
pub mod running;
pub mod scope;
pub mod scope_init;
mod signals;
mod spawn;
pub mod stray;
mod supervised;
mod table;
pub mod usage;
pub mod user;
pub mod view;
pub mod view_watch;
mod wait;
pub mod witness;

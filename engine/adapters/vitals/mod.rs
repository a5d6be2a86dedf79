//! The memory of the machine that we are in: the host's, or as much of it as the control groups above us leave.

mod bound;
pub mod host;
mod meminfo;

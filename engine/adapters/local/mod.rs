//! This host as a runtime and as a probe: processes, directories, files, ports and commands.

mod built;
mod calls;
mod caught;
mod contain;
mod container_meter;
mod container_probe;
mod container_spec;
mod custom;
mod dismantle;
mod ear;
mod end;
mod endpoints;
mod files;
mod fleets;
mod inquiry;
mod intent;
mod lease;
pub mod ports;
pub mod prepare;
pub mod probe;
pub mod runtime;
mod serve;
mod sockets;
mod watch;
mod work;

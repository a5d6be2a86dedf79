//! YAML text → tree of nodes that know where they stand. The only folder that knows the YAML crate.

mod compose;
mod explain;
mod read;
mod scalar;

pub use read::{MAX_BYTES, Read, WriteError, parse, read, scalar, source, write};

//! The one append-only record of everything that happened: a hash chain of JSON lines, one writer, many readers.

pub mod beside;
pub mod chain;
pub mod commit;
pub mod damage;
pub mod disk;
pub mod error;
pub mod follow;
pub mod head;
pub mod lock;
pub mod log;
pub mod permit;
pub mod quarantine;
pub mod read;
mod retain;
pub mod scan;
pub mod segment;
pub mod snapshot;
pub mod verify;
pub mod walk;

//! The one append-only record of everything that happened: a hash chain of JSON lines, one writer, many readers.

pub mod chain;
pub mod commit;
pub mod error;
pub mod head;
pub mod lock;
pub mod log;
pub mod permit;
pub mod read;
pub mod scan;
pub mod verify;

//! Ids, time, sizes and diagnostics: the words every other floor speaks.

pub mod diagnostic;
pub mod digest;
pub mod label;
pub mod marks;
pub mod name;
pub mod owner;
pub mod size;
pub mod time;

//! What the engine needs of the world, as traits: a runtime to change it, a probe to look at it, a clock to know the time.

pub mod clock;
pub mod container;
pub mod job;
pub mod probe;
pub mod runtime;
pub mod vitals;

//! The kernel, tested from what the design says: in a simulated world, by examples and by properties.

mod admission;
mod adoption;
mod again;
mod answers;
mod attempts;
mod calls;
mod carrying;
mod collection;
mod deaths;
mod groups;
mod health;
mod leaks;
mod nested;
mod order;
mod plans;
mod properties;
mod reading;
mod restarts;
mod returns;
mod reverify;
mod rollbacks;
mod runs;
mod scale;
mod script;
mod snapshots;
mod world;

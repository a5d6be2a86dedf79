//! Records → what a person sees. Each view is a function over a replayed state; none of them knows the engine.

mod changes;
pub mod check;
pub mod chosen;
pub mod collection;
pub mod difference;
pub mod leaks;
pub mod logs;
pub mod memory;
pub mod outside;
pub mod phase;
pub mod place;
pub mod ps;
pub mod replay;
pub mod restarts;
pub mod runs;
pub mod standing;
pub mod status;
pub mod suspects;
pub mod top;
pub mod why;
pub mod within;

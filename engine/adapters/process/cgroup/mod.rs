//! Control groups, version 2, version 1 and both beside each other.

pub(in crate::adapters) mod containers;
pub(super) mod files;
pub(super) mod group;
pub(in crate::adapters) mod hierarchy;
mod limiting;
mod meter;
pub(super) mod pool;
mod setting;
mod shared;

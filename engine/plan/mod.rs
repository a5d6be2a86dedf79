//! Goal → Plan: the sealed, expanded DAG that the kernel carries out.

pub mod compile;
pub mod difference;
pub mod error;
pub mod explain;
pub mod memory;
pub mod sealed;

mod instances;
mod order;
mod reads;
mod requires;
mod steps;

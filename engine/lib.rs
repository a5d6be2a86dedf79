//! `sculpt` carries out goals: DAGs of phases whose resources, verification, budgets and daemons are declared.
//!
//! Floors are folders; a floor imports only floors below it:
//! base ← manifest ← plan ← kernel ← journal ← views ← ports ← adapters ← driver ← interface.

pub mod adapters;
pub mod base;
pub mod driver;
pub mod interface;
pub mod journal;
pub mod kernel;
pub mod manifest;
pub mod plan;
pub mod ports;
pub mod views;

//! Manifest text → Document (values with places) → Goal: schema, rules and templates.

pub mod agent;
pub mod check;
pub mod config;
pub mod daemon;
pub mod goal;
pub mod import;
pub mod kind;
pub mod load;
pub mod needs;
pub mod node;
pub mod param;
pub mod phase;
pub mod policy;
pub mod port;
pub mod process;
pub mod requires;
pub mod resource;
pub mod rules;
pub mod salvage;
pub mod schema;
pub mod settings;
pub mod template;
pub mod validate;
pub mod verify;
pub mod work;
pub mod yaml;

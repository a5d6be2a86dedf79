//! Plan → what `sculpt plan` shows: data first, then text, DOT and Mermaid from it.

pub mod budget;
pub mod course;
pub mod critical;
pub mod dot;
pub mod explanation;
pub mod graph;
pub mod holding;
pub mod limits;
pub mod mermaid;
pub mod text;

mod page;

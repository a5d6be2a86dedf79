//! What a run tells while it goes on, and at its end. Reporters consume events and nothing else.

pub mod event;
pub mod junit;
pub mod lines;
pub mod live;
pub mod plain;
pub mod reporter;
pub mod summary;

//! What every test stands on: a workspace of its own, the program, and looks at the host that do not ask the program.

pub(crate) mod bystander;
pub(crate) mod deadline;
pub(crate) mod engine;
pub(crate) mod journal;
pub(crate) mod program;
pub(crate) mod table;
pub(crate) mod workspace;

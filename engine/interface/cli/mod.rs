//! The command line: a file a verb.

pub mod answer;
pub mod audit;
pub mod completions;
pub mod context;
pub mod down;
pub mod goal;
pub mod help;
pub mod init;
pub mod logs;
pub mod plan;
pub mod prepare;
pub mod prompt;
pub mod ps;
pub mod remote;
pub mod run;
pub mod runs;
pub mod schema;
pub mod sculpt;
pub mod session;
pub mod status;
pub mod stop;
pub mod validate;
pub mod verify;
pub mod why;

//! `pocket-crm` is a small, real CRM: leads over HTTP, kept on disk so that they survive SIGKILL.
//!
//! It is the workload of `goals/crm.yaml`: something to build, start, seed, check, restart and tear down.
//!
//! | file | holds |
//! |---|---|
//! | `lead` | what a lead is, and which one is refused |
//! | `store` | leads on disk, one durable transaction a change |
//! | `api` | the routes and the shape of every answer |
//! | `auth` | the administrator's credential |
//! | `server` | listening, and stopping when told to |
//! | `csv`, `seed` | leads from a file, created through the API |

pub mod api;
pub mod auth;
pub mod csv;
pub mod lead;
pub mod seed;
pub mod server;
pub mod store;

//! How other processes talk to the supervisor: lines of JSON over a Unix socket.
//!
//! ```text
//! client                                      supervisor
//!   {"version":2,"do":{"run":{…}}}       →
//!                                        ←    {"accepted":17}     committed up to record 17; or {"refused":{…}}
//!                                        ←    {"seq":31}          there are records up to 31 to be read
//!                                        ←    {"settled":44}      what the request began is over, as of record 44
//! ```
//!
//! The journal itself is the stream of events: a client reads it, and is only told how far. So a slow client misses nothing, and nobody
//! waits for it.

pub mod client;
pub mod protocol;
pub mod server;

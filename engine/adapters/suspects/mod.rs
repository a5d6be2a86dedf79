//! What an attempt may start outside of every scope: looked for around it, suspected, never ended.
//!
//! | way out                     | seen by                                                                  |
//! |-----------------------------|--------------------------------------------------------------------------|
//! | systemd units and timers    | unit files, transient ones, and the control groups of running units      |
//! | crontabs                    | the spool of crontabs, `/etc/crontab`, `/etc/cron.*`                     |
//! | `at`                        | the spool of jobs, which holds each job's environment                    |
//! | a tmux or screen from before | processes below such a server that are new                               |
//! | another Docker context      | the client's configuration                                               |
//! | anything else               | new processes that carry the attempt's mark and run in no scope of ours  |
//!
//! A [`Snapshot`](snapshot::Snapshot) is taken before an attempt's work, shared with the attempts around it, and compared with one after
//! its end. The same is done around the commands of custom resources, and around services: until they are ready, and from then to their end.
//! No look is taken around containers, which have the host's files and processes only as far as their volumes say, nor around checks and
//! the commands of secrets: they are to look, often, and at the same time as others, so that most of what appears meanwhile is not theirs.
//! Nothing is asked of any daemon: only files are looked at.

mod change;
pub mod judge;
pub mod lookout;
pub mod places;
pub mod presence;
pub mod rounds;
pub mod snapshot;
mod stir;
pub(in crate::adapters) mod table;

#[cfg(test)]
mod tests;

//! What the members of a group used.
//!
//! | figure | version 2 | version 1 |
//! |---|---|---|
//! | peak of memory | `memory.peak` | `memory.max_usage_in_bytes` |
//! | killed for want of memory | `memory.events`: `oom_kill` | `memory.oom_control`: `oom_kill` |
//! | processor time | `cpu.stat`: `usage_usec` | `cpuacct.usage` |
//!
//! Memory is counted where a group has a directory of its own for it, which goes with its user: one that was limited, or serves a resource,
//! or is part of a goal that declares a limit. Of any other goal all kills are counted together: who among those that ended meanwhile were
//! killed is told by how they ended. Processor time is counted by every group of version 2. Those of attempts are used again and count
//! on: what a user used is the difference to what the one before has left.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::files;
use super::group::{Group, Version};
use crate::adapters::process::limits::Limit;
use crate::adapters::process::usage::Usage;

/// What is remembered of a group between its users.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Processor time, read for each user.
    stat: OnceLock<File>,
    readings: Mutex<Readings>,
}

#[derive(Debug, Default)]
struct Readings {
    /// What stood there when its user took it, in microseconds; none where nobody knows.
    begun: Option<u64>,
    /// What its user has read last.
    last: Option<u64>,
    /// How many of its goal had been killed for want of memory when its user took it.
    kills: u64,
}

impl Meter {
    /// One that stands there, or nobody knows where.
    pub(super) fn of(begun: Option<u64>) -> Self {
        Self { stat: OnceLock::new(), readings: Mutex::new(Readings { begun, last: None, kills: 0 }) }
    }

    /// Whether nobody knows where it stood when its user began.
    pub(super) fn is_unknown(&self) -> bool {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner).begun.is_none()
    }

    /// The processor time that its user has used.
    fn used(&self, dir: &Path) -> Option<u64> {
        let read = self.read(dir)?;
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        readings.last = Some(read);
        Some(read.saturating_sub(readings.begun?))
    }

    /// An open file of a group ends with it, though another of its name may be there.
    fn read(&self, dir: &Path) -> Option<u64> {
        let mut text = [0; 256];
        let open = |file: &File, text: &mut [u8]| file.read_at(text, 0).ok();
        let length = if let Some(length) = self.stat.get().and_then(|stat| open(stat, &mut text)) {
            length
        } else {
            let stat = File::open(dir.join("cpu.stat")).ok()?;
            let length = open(&stat, &mut text)?;
            // Where another thread was faster, its file serves as well.
            drop(self.stat.set(stat));
            length
        };
        files::after(&String::from_utf8_lossy(&text[..length]), "usage_usec")
    }
}

impl Group {
    /// What its user has used.
    pub(in super::super) fn usage(&self) -> Usage {
        let own = self.own();
        let memory = own.iter().find(|own| own.limit == Limit::Memory);
        let v1 = memory.is_some_and(|own| own.dir.join("memory.oom_control").exists());
        let (peak, events) = if v1 { ("memory.max_usage_in_bytes", "memory.oom_control") } else { ("memory.peak", "memory.events") };
        let kills = memory.and_then(|own| files::numbered(&own.dir.join(events), "oom_kill")).unwrap_or_default();
        let cpu_time = match self.version() {
            Version::V2 => self.meter().used(self.dir()),
            Version::V1 => own.iter().find_map(|own| files::number(&own.dir.join("cpuacct.usage"))).map(|nanos| nanos / 1_000),
        };
        Usage {
            peak_memory: memory.and_then(|own| files::number(&own.dir.join(peak))),
            largest_process: false,
            cpu_time,
            oom_kills: u32::try_from(kills).unwrap_or(u32::MAX),
            oom_kills_around: self.kills_around(),
        }
    }

    /// How many of its goal were killed for want of memory since its user took it, be they its own or not.
    fn kills_around(&self) -> u32 {
        let before = self.meter().readings.lock().unwrap_or_else(PoisonError::into_inner).kills;
        u32::try_from(self.kills_of_goal().saturating_sub(before)).unwrap_or(u32::MAX)
    }

    /// The memory that the members use now, where it is counted for them alone.
    pub(in super::super) fn memory(&self) -> Option<u64> {
        let own = self.own();
        let memory = own.iter().find(|own| own.limit == Limit::Memory)?;
        ["memory.usage_in_bytes", "memory.current"].into_iter().find_map(|file| files::number(&memory.dir.join(file)))
    }

    /// Whoever takes it now has used nothing yet: what it counts from here on is theirs.
    pub(super) fn begin_counting(&self) {
        let kills = self.kills_of_goal();
        let mut readings = self.meter().readings.lock().unwrap_or_else(PoisonError::into_inner);
        readings.kills = kills;
        if let Some(last) = readings.last.take() {
            readings.begun = Some(last);
            return;
        }
        drop(readings);
        let read = self.meter().read(self.dir());
        self.meter().readings.lock().unwrap_or_else(PoisonError::into_inner).begun = read;
    }

    /// It was made for whoever is in it, however long ago: all that it counts is theirs.
    pub(super) fn counts_from_its_start(&self) {
        self.meter().readings.lock().unwrap_or_else(PoisonError::into_inner).begun = Some(0);
    }
}

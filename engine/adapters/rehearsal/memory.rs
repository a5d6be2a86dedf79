//! The memory of a simulated world: there is plenty, except where a seed makes it short for a while. What runs there uses none of it.

use super::faults::Kind;
use super::simulation::Simulation;
use super::world::{Event, World};
use crate::kernel::pressure::Vitals;
use crate::ports::runtime::LookError;
use crate::ports::vitals::Gauge;

/// How much memory a world has, in bytes: as much as a large host.
const TOTAL: u64 = 1 << 40;

/// How much of it is left where nothing makes it short, in percent.
pub(super) const PLENTY: u8 = 90;

impl World {
    /// When memory will be short, and for how long.
    pub(super) fn draw_memory(&mut self) {
        if !self.faults.has(Kind::MemoryShort) {
            return;
        }
        let mut stream = self.seed.stream("memory");
        for _ in 0..stream.between(1, 3) {
            let (from, lasts) = (stream.between(0, 20_000), stream.between(1_000, 120_000));
            let left = [Some(20), Some(12), Some(5), None][usize::try_from(stream.between(0, 3)).unwrap_or_default()];
            self.later(from, Event::Memory(left));
            self.later(from + lasts, Event::Memory(Some(PLENTY)));
        }
    }

    pub(super) fn memory_changes(&mut self, left: Option<u8>) {
        self.memory_left = left;
        let what = match left {
            Some(PLENTY) => "the host has plenty of memory".to_owned(),
            Some(left) => format!("the host has {left} % of its memory left"),
            None => "nobody can see how much memory the host has".to_owned(),
        };
        self.note(None, Kind::MemoryShort, what);
    }
}

/// The memory of a world cannot be seen.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the memory of the simulated host")]
struct Unseen;

impl Gauge for Simulation {
    fn read(&self) -> Result<Vitals, LookError> {
        let left = self.world().memory_left.ok_or_else(|| LookError::from(Box::from(Unseen)))?;
        Ok(Vitals { total: TOTAL, available: TOTAL / 100 * u64::from(left), psi: None })
    }
}

//! This machine's memory, as the kernel tells it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::bound::{of_v1, of_v2};
use super::meminfo::{field, psi};
use crate::adapters::process::cgroup::hierarchy::{Hierarchies, Place};
use crate::adapters::process::limits::Limit;
use crate::kernel::pressure::{Psi, Vitals};
use crate::ports::runtime::LookError;
use crate::ports::vitals::Gauge;

/// This machine's gauge. The groups that we are in are found once: nobody moves a machine.
#[derive(Debug)]
pub struct HostGauge {
    proc: PathBuf,
    v1: Option<Place>,
    v2: Option<Place>,
}

/// The memory could not be seen.
#[derive(Debug, thiserror::Error)]
enum GaugeError {
    #[error("failed to read {}: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("failed to read {}: it has no {field}", .path.display())]
    Field { path: PathBuf, field: &'static str },
    #[error("failed to read the memory limits above this machine: {0}")]
    Bounds(io::Error),
}

impl HostGauge {
    /// The gauge of the machine that this process runs in.
    pub fn here() -> Self {
        let found = Hierarchies::read();
        let v1 = found.limits.into_iter().find(|(limit, _)| *limit == Limit::Memory).map(|(_, place)| place);
        Self { proc: PathBuf::from("/proc"), v1, v2: found.v2 }
    }

    fn look(&self) -> Result<Vitals, GaugeError> {
        let path = self.proc.join("meminfo");
        let text = fs::read_to_string(&path).map_err(|source| GaugeError::Read { path: path.clone(), source })?;
        let named = |name: &'static str| field(&text, name).ok_or_else(|| GaugeError::Field { path: path.clone(), field: name });
        let (mut total, mut available) = (named("MemTotal")?, named("MemAvailable")?);
        let v1 = self.v1.as_ref().map(of_v1).transpose().map_err(GaugeError::Bounds)?;
        let v2 = self.v2.as_ref().map(of_v2).transpose().map_err(GaugeError::Bounds)?;
        for bound in v1.into_iter().chain(v2).flatten() {
            // Where the limit is more than there is, there is no limit.
            if bound.limit < total {
                total = bound.limit;
            }
            available = available.min(bound.available);
        }
        Ok(Vitals { total, available, psi: self.psi() })
    }

    /// The worse of the host's stalls and of those of our own group, where the kernel counts them.
    fn psi(&self) -> Option<Psi> {
        let read = |path: &Path| psi(&fs::read_to_string(path).ok()?);
        let own = self.v2.as_ref().and_then(|place| read(&place.here.join("memory.pressure")));
        let (host, own) = (read(&self.proc.join("pressure/memory")), own);
        [host, own].into_iter().flatten().reduce(|one, other| Psi { some: one.some.max(other.some), full: one.full.max(other.full) })
    }
}

impl Gauge for HostGauge {
    fn read(&self) -> Result<Vitals, LookError> {
        self.look().map_err(|error| LookError::from(Box::from(error)))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write what the kernel would")]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  600 kB\n";

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn gauge(&self) -> HostGauge {
            let group = self.0.path().join("group");
            HostGauge { proc: self.0.path().join("proc"), v1: None, v2: Some(Place { mount: group.clone(), here: group.join("box") }) }
        }
    }

    #[test]
    fn the_least_of_what_is_left_counts() {
        let machine = Machine::new();
        machine.write("proc/meminfo", MEMINFO);
        assert_eq!(machine.gauge().look().unwrap(), Vitals { total: 1_024_000, available: 614_400, psi: None });
        machine.write("group/box/memory.max", "500000\n");
        machine.write("group/box/memory.current", "100000\n");
        assert_eq!(machine.gauge().look().unwrap(), Vitals { total: 500_000, available: 400_000, psi: None });
        machine.write("group/box/memory.max", "9223372036854771712\n");
        assert_eq!(machine.gauge().look().unwrap(), Vitals { total: 1_024_000, available: 614_400, psi: None });
    }

    #[test]
    fn the_worse_stall_counts() {
        let machine = Machine::new();
        machine.write("proc/meminfo", MEMINFO);
        machine.write("proc/pressure/memory", "some avg10=3.00 avg60=0\nfull avg10=2.00 avg60=0\n");
        machine.write("group/box/memory.pressure", "some avg10=7.00 avg60=0\nfull avg10=1.00 avg60=0\n");
        assert_eq!(machine.gauge().look().unwrap().psi, Some(Psi { some: 7_00, full: 2_00 }));
    }

    #[test]
    fn what_cannot_be_seen_is_not_known() {
        let machine = Machine::new();
        let error = machine.gauge().read().unwrap_err().to_string();
        assert!(error.starts_with("failed to read ") && error.contains("meminfo"), "{error}");
        machine.write("proc/meminfo", "MemTotal: 1 kB\n");
        let error = machine.gauge().read().unwrap_err().to_string();
        assert!(error.ends_with("it has no MemAvailable"), "{error}");
        machine.write("proc/meminfo", MEMINFO);
        machine.write("group/box/memory.max/a-folder", "");
        let error = machine.gauge().read().unwrap_err().to_string();
        assert!(error.starts_with("failed to read the memory limits above this machine: "), "{error}");
    }

    #[test]
    fn this_machine_has_memory() {
        let vitals = HostGauge::here().read().unwrap();
        assert!(vitals.total > 0 && vitals.available <= vitals.total, "{vitals:?}");
    }
}

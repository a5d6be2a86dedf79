//! What is written to limit a group.
//!
//! | limit | version 2 | version 1 |
//! |---|---|---|
//! | memory | `memory.max` | `memory.limit_in_bytes` |
//! | no swap beyond it | `memory.swap.max`: 0 | `memory.memsw.limit_in_bytes`: as much |
//! | cpus | `cpu.max` | `cpu.cfs_quota_us`, of `cpu.cfs_period_us` |
//! | pids | `pids.max` | `pids.max` |

use crate::adapters::process::limits::{Limit, Limits};

/// CPU time is handed out in periods of this many microseconds, as Docker and systemd do.
const CPU_PERIOD: u64 = 100_000;

/// What bounds memory and swap together, or swap alone; kernels that do not count swap have neither.
pub(super) const SWAP: [&str; 2] = ["memory.memsw.limit_in_bytes", "memory.swap.max"];

/// The files of a limit, and what to write into them.
pub(super) fn settings(limit: Limit, limits: &Limits, v1: bool) -> Vec<(&'static str, String)> {
    match limit {
        Limit::Memory => {
            let bytes = limits.memory.map_or(0, |memory| memory.0).to_string();
            if v1 {
                // Together they are never less than memory alone, whichever way the limit goes.
                vec![(SWAP[0], "-1".to_owned()), ("memory.limit_in_bytes", bytes.clone()), (SWAP[0], bytes)]
            } else {
                vec![("memory.max", bytes), (SWAP[1], "0".to_owned())]
            }
        }
        Limit::Cpus => {
            let quota = quota(limits.cpus.unwrap_or(0.0));
            if v1 {
                vec![("cpu.cfs_period_us", CPU_PERIOD.to_string()), ("cpu.cfs_quota_us", quota.to_string())]
            } else {
                vec![("cpu.max", format!("{quota} {CPU_PERIOD}"))]
            }
        }
        Limit::Pids => vec![("pids.max", limits.pids.unwrap_or(0).to_string())],
    }
}

/// The files of a limit, and what says that there is none.
pub(super) fn unlimited(limit: Limit, v1: bool) -> &'static [(&'static str, &'static str)] {
    match (limit, v1) {
        (Limit::Memory, true) => &[(SWAP[0], "-1"), ("memory.limit_in_bytes", "-1")],
        (Limit::Memory, false) => &[("memory.max", "max"), (SWAP[1], "max")],
        (Limit::Cpus, true) => &[("cpu.cfs_quota_us", "-1")],
        (Limit::Cpus, false) => &[("cpu.max", "max")],
        (Limit::Pids, _) => &[("pids.max", "max")],
    }
}

/// Microseconds in each period; the kernel takes no less than 1000.
fn quota(cpus: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of processors is small and positive")]
    let quota = (cpus * 100_000.0).round() as u64;
    quota.max(1_000)
}

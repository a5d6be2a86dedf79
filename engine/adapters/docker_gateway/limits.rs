//! The bounds of a container: set where none was asked for, lowered where more was asked for, never raised.

use super::json::{Json, Malformed};
use super::policy::Limits;

/// The engine's own period of a CPU quota, in microseconds.
const PERIOD: i64 = 100_000;

/// What was asked for within the bound. 0, less and nothing mean no bound of its own.
fn within(asked: Option<i64>, bound: i64) -> i64 {
    asked.filter(|asked| *asked > 0).map_or(bound, |asked| asked.min(bound))
}

/// A share of a period, in microseconds.
fn quota(nano_cpus: i64, period: i64) -> i64 {
    let share = i128::from(nano_cpus) * i128::from(period) / 1_000_000_000;
    // The engine takes no quota below a millisecond.
    i64::try_from(share).unwrap_or(i64::MAX).max(1_000)
}

/// Of a container that is about to be made.
pub fn create(host: &mut Json, limits: &Limits) -> Result<(), Malformed> {
    if let Some(bound) = limits.memory {
        let memory = within(host.number_of("Memory")?, bound);
        host.set("Memory", Json::number(memory))?;
        host.set("MemorySwap", Json::number(memory))?;
        if host.number_of("MemoryReservation")?.is_some_and(|reserved| reserved > memory) {
            host.set("MemoryReservation", Json::number(memory))?;
        }
    }
    if let Some(bound) = limits.pids {
        let pids = within(host.number_of("PidsLimit")?, bound);
        host.set("PidsLimit", Json::number(pids))?;
    }
    if let Some(bound) = limits.nano_cpus {
        let asked = |name: &str| host.number_of(name).map(|number| number.filter(|number| *number != 0));
        // The engine takes a share or a quota, not both.
        match (asked("CpuQuota")?, asked("CpuPeriod")?) {
            (None, None) => {
                let cpus = within(asked("NanoCpus")?, bound);
                host.set("NanoCpus", Json::number(cpus))?;
            }
            (asked, period) => {
                let quota = within(asked, quota(bound, period.unwrap_or(PERIOD)));
                host.set("CpuQuota", Json::number(quota))?;
            }
        }
    }
    Ok(())
}

/// Of a container that is there: what is not named stays as it is.
pub fn update(body: &mut Json, limits: &Limits) -> Result<(), Malformed> {
    if let Some(bound) = limits.memory {
        let asked = body.number_of("Memory")?.filter(|memory| *memory != 0);
        let swap = body.number_of("MemorySwap")?.filter(|swap| *swap != 0);
        if let Some(asked) = asked {
            let memory = within(Some(asked), bound);
            body.set("Memory", Json::number(memory))?;
            body.set("MemorySwap", Json::number(memory))?;
        } else if swap.is_some() {
            body.set("MemorySwap", Json::number(within(swap, bound)))?;
        }
    }
    if let (Some(bound), Some(asked)) = (limits.pids, body.number_of("PidsLimit")?) {
        body.set("PidsLimit", Json::number(within(Some(asked), bound)))?;
    }
    if let Some(bound) = limits.nano_cpus {
        if let Some(asked) = body.number_of("NanoCpus")?.filter(|cpus| *cpus != 0) {
            body.set("NanoCpus", Json::number(within(Some(asked), bound)))?;
        }
        let asked = body.number_of("CpuQuota")?.filter(|quota| *quota != 0);
        let period = body.number_of("CpuPeriod")?.filter(|period| *period != 0);
        if asked.is_some() || period.is_some() {
            let quota = within(asked, quota(bound, period.unwrap_or(PERIOD)));
            body.set("CpuQuota", Json::number(quota))?;
        }
    }
    Ok(())
}

/// The same for the steps of a build, whose bounds stand in the query. Returns the parameters to set.
pub fn build(asked: impl Fn(&str) -> Option<String>, limits: &Limits) -> Vec<(&'static str, String)> {
    let number = |name: &str| asked(name).and_then(|text| text.parse().ok());
    let mut set = Vec::new();
    if let Some(bound) = limits.memory {
        let memory = within(number("memory"), bound).to_string();
        set.extend([("memory", memory.clone()), ("memswap", memory)]);
    }
    if let Some(bound) = limits.nano_cpus {
        let period = number("cpuperiod").filter(|period| *period > 0).unwrap_or(PERIOD);
        set.extend([("cpuperiod", period.to_string()), ("cpuquota", within(number("cpuquota"), quota(bound, period)).to_string())]);
    }
    set
}

//! What an attempt's command or a service used, measured when it ended.

use serde::{Deserialize, Serialize};

use super::action::RunId;
use super::state::{Run, State};
use crate::base::name::Name;
use crate::base::size::ByteSize;
use crate::plan::sealed::PhaseIx;

/// What was used; none where the host does not count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The most memory of all its processes together at one time, in bytes, as the kernel counts it: with what it caches of files. Of a
    /// container it is that by the last look while it lived, at most two seconds before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// True where nobody counted all of them together: the peak is that of the largest one alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub largest_process: bool,
    /// Processor time of all of them, in milliseconds; of a container by the same look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// How many of them the kernel has killed for want of memory.
    #[serde(default, skip_serializing_if = "is_none")]
    pub oom_kills: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
const fn is_none(kills: &u32) -> bool {
    *kills == 0
}

impl Usage {
    /// True where nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// That the kernel has killed some of it for want of memory, in words, beside the limits that it had: its own, and the one around it.
    /// None where the kernel has not.
    pub fn want_of_memory(&self, own: Option<ByteSize>, around: Option<Around>) -> Option<String> {
        if self.oom_kills == 0 {
            return None;
        }
        let reached = |limit: ByteSize| self.peak_memory.is_none_or(|peak| peak >= limit.0 / 10 * 9);
        let limit = match (own, around) {
            (Some(own), around) if around.is_none() || reached(own) => format!("its limit is {}", own.rounded()),
            (_, Some(Around { whose, limit })) => format!("{whose} is {}", limit.rounded()),
            (_, None) => "the host, or what limits sculpt itself, had no more".to_owned(),
        };
        let peak = self.peak_memory.map(|peak| format!(", its peak was {}", ByteSize(peak).rounded())).unwrap_or_default();
        Some(format!("killed for want of memory: {limit}{peak}"))
    }
}

/// A limit that something shares with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around {
    /// Whose it is, as the beginning of a sentence.
    pub whose: &'static str,
    /// How much it allows.
    pub limit: ByteSize,
}

/// The tightest limit around what a run starts: its goal's, or the one that the workspace gives it, or that of the whole workspace.
fn around(run: &Run) -> Option<Around> {
    let declared = run.plan.limits.memory.map(|limit| Around { whose: "the limit of its goal", limit });
    let shared =
        run.options.shares.goal.map(|limit| Around { whose: "the default limit of its goal, `goal_memory` in config.yaml,", limit });
    let whole =
        run.options.shares.workspace.map(|limit| Around { whose: "the limit of the whole workspace, `memory` in config.yaml,", limit });
    declared.or(shared).into_iter().chain(whole).min_by_key(|around| around.limit)
}

impl State {
    /// The same of a phase's command, or of a service of it, with the limits that their plan declares.
    pub(super) fn want_of_memory(&self, run: &RunId, phase: PhaseIx, resource: Option<&Name>, usage: &Usage) -> Option<String> {
        let run = self.run(run)?;
        let planned = run.plan.phases.get(phase.at())?;
        let limits = match resource {
            Some(name) => planned.resource(name).and_then(|declared| declared.limits.as_ref()),
            None => planned.spec.limits.as_ref(),
        };
        if planned.is_contained(resource) && run.options.apart {
            return usage.want_of_memory(limits.cloned().unwrap_or_default().within(&run.plan.limits).memory, None);
        }
        usage.want_of_memory(limits.and_then(|limits| limits.memory), around(run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_memory_names_the_limit_that_was_reached() {
        let mib = |size: u64| Some(ByteSize(size << 20));
        let killed = |peak: u64| Usage { oom_kills: 1, peak_memory: Some(peak << 20), ..Usage::default() };
        assert_eq!(
            killed(64).want_of_memory(mib(64), None).as_deref(),
            Some("killed for want of memory: its limit is 64Mi, its peak was 64Mi")
        );
        let shared =
            killed(10).want_of_memory(mib(64), mib(128).map(|limit| Around { whose: "the limit of its goal", limit })).expect("words");
        assert_eq!(shared, "killed for want of memory: the limit of its goal is 128Mi, its peak was 10Mi");
        assert!(killed(10).want_of_memory(None, None).expect("words").contains("the host"));
        assert_eq!(Usage { oom_kills: 0, ..killed(64) }.want_of_memory(mib(64), None), None);
    }

    #[test]
    fn what_is_not_known_is_not_written() {
        assert_eq!(serde_json::to_string(&Usage::default()).expect("JSON"), "{}");
        assert_eq!(serde_json::from_str::<Usage>("{}").expect("a usage"), Usage::default());
        assert!(Usage::default().is_unknown());
    }
}

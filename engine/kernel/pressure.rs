//! How short the host's memory is.
//!
//! | pressure | rises to it at                    | falls from it below               |
//! |----------|-----------------------------------|-----------------------------------|
//! | calm     |                                   |                                   |
//! | warn     | 75 % used, or 10 % some stalled   | 70 % used, and 5 % some stalled   |
//! | act      | 90 % used, or 60 % all stalled    | 85 % used, and 30 % all stalled   |
//!
//! | stalls count for | from, beside them | down to |
//! |------------------|-------------------|---------|
//! | warn             | 50 % used         | 45 %    |
//! | act              | 75 % used         | 70 %    |
//!
//! Used is what is not available (`MemAvailable`, or what a control group's limit leaves). Stalled is the kernel's pressure stall information
//! over 10 s, where it has it: systemd warns its services when some tasks stall 200 ms of 2 s (`MemoryPressureThresholdSec=`,
//! systemd.resource-control(5)), and systemd-oomd kills where all tasks stall 60 % (`DefaultMemoryPressureLimit=`, oomd.conf(5)). What falls
//! must fall further than what made it rise, so that a host at a threshold does not flap.
//!
//! The kernel counts a task as stalled also where it waits for memory of its own control group (`psi_memstall_enter` in that group's reclaim,
//! mm/memcontrol.c), so that one command that thrashes inside a small limit stalls "the host" while memory is free. That is why stalls alone
//! say nothing here. Those who decide by them look at what is free as well: Android's lmkd, woken by stalls, ends nobody while free memory is
//! above the zones' watermarks. Where stalls are the host's own, memory is short, and they tell of it earlier than its amount would: hence they
//! count from half, and for the last level from where the amount alone would warn.

use serde::{Deserialize, Serialize};

/// A look at the memory of the host, or of the part of it that this machine may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vitals {
    /// How much there is, in bytes.
    pub total: u64,
    /// How much could be had without swapping, in bytes.
    pub available: u64,
    /// How much time is lost waiting for memory; none where the kernel does not count it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psi: Option<Psi>,
}

/// Pressure stall information: the share of the last 10 s that was lost waiting for memory, in hundredths of a percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Psi {
    /// By at least one task.
    pub some: u16,
    /// By all tasks at once.
    pub full: u16,
}

/// How short memory is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pressure {
    /// There is enough.
    #[default]
    Calm,
    /// Nothing more is admitted.
    Warn,
    /// What can be spared is collected.
    Act,
}

/// From where on, in hundredths of a percent: used memory, and stalled time.
struct Threshold {
    used: u64,
    stalled: u16,
    /// How much must be used for stalled time to count.
    beside: u64,
}

/// The whole, in hundredths of a percent.
const ALL: u128 = 10_000;

const WARN: Threshold = Threshold { used: 75_00, stalled: 10_00, beside: 50_00 };
const ACT: Threshold = Threshold { used: 90_00, stalled: 60_00, beside: 75_00 };
const WARN_ENDS: Threshold = Threshold { used: 70_00, stalled: 5_00, beside: 45_00 };
const ACT_ENDS: Threshold = Threshold { used: 85_00, stalled: 30_00, beside: 70_00 };

impl Vitals {
    /// The share of the memory that is used, in hundredths of a percent. Of no memory at all everything is.
    pub fn used(&self) -> u64 {
        let used = u128::from(self.total.saturating_sub(self.available));
        let share = (used * ALL).checked_div(u128::from(self.total)).unwrap_or(ALL);
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    fn warns(&self, from: &Threshold) -> bool {
        self.used() >= from.used || self.used() >= from.beside && self.psi.is_some_and(|psi| psi.some >= from.stalled)
    }

    fn acts(&self, from: &Threshold) -> bool {
        self.used() >= from.used || self.used() >= from.beside && self.psi.is_some_and(|psi| psi.full >= from.stalled)
    }
}

/// How short memory is, for who does not know how it was.
pub fn level(vitals: &Vitals) -> Pressure {
    Pressure::Calm.then(vitals)
}

impl Pressure {
    /// How short memory is now, after it was this short.
    #[must_use]
    pub fn then(self, vitals: &Vitals) -> Self {
        if vitals.acts(&ACT) || self == Self::Act && vitals.acts(&ACT_ENDS) {
            Self::Act
        } else if vitals.warns(&WARN) || self >= Self::Warn && vitals.warns(&WARN_ENDS) {
            Self::Warn
        } else {
            Self::Calm
        }
    }

    /// What makes it so, in words, beside where it begins: `82 % used (warn at 75 %)`.
    pub fn cause(self, vitals: &Vitals) -> String {
        let (from, until) = match self {
            Self::Calm => return format!("{} % used", vitals.used() / 100),
            Self::Warn => (WARN, WARN_ENDS),
            Self::Act => (ACT, ACT_ENDS),
        };
        let stalled = vitals.psi.map_or(0, |psi| if self == Self::Warn { psi.some } else { psi.full });
        if vitals.used() < until.used && stalled >= until.stalled {
            let who = if self == Self::Warn { "some tasks wait" } else { "all tasks wait" };
            return format!("{who} for memory {} % of the time ({} at {} %)", stalled / 100, self.word(), from.stalled / 100);
        }
        format!("{} % used ({} at {} %)", vitals.used() / 100, self.word(), from.used / 100)
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Warn => "warn",
            Self::Act => "act",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(percent: u64) -> Vitals {
        Vitals { total: 1000, available: 1000 - percent * 10, psi: None }
    }

    fn stalled(some: u16, full: u16) -> Vitals {
        beside(60, some, full)
    }

    fn beside(percent: u64, some: u16, full: u16) -> Vitals {
        Vitals { psi: Some(Psi { some, full }), ..used(percent) }
    }

    #[test]
    fn rises_where_the_table_says() {
        for (vitals, expected) in [
            (used(0), Pressure::Calm),
            (used(74), Pressure::Calm),
            (used(75), Pressure::Warn),
            (used(89), Pressure::Warn),
            (used(90), Pressure::Act),
            (used(100), Pressure::Act),
            (stalled(9_99, 9_99), Pressure::Calm),
            (stalled(10_00, 0), Pressure::Warn),
            (stalled(99_99, 99_99), Pressure::Warn),
            (beside(76, 99_99, 59_99), Pressure::Warn),
            (beside(75, 60_00, 60_00), Pressure::Act),
        ] {
            assert_eq!(level(&vitals), expected, "{vitals:?}");
        }
        assert_eq!(level(&Vitals { total: 0, available: 0, psi: None }), Pressure::Act, "nothing is not enough");
        assert_eq!(level(&Vitals { total: u64::MAX, available: u64::MAX / 2, psi: None }), Pressure::Calm);
        assert_eq!(level(&Vitals { total: 1, available: 2, psi: None }), Pressure::Calm);
    }

    #[test]
    fn falls_further_than_it_rose() {
        use Pressure::{Act, Calm, Warn};
        let story = [
            (used(76), Warn),
            (used(74), Warn),
            (used(70), Warn),
            (used(69), Calm),
            (used(74), Calm),
            (used(91), Act),
            (used(85), Act),
            (used(84), Warn),
            (used(89), Warn),
            (stalled(0, 0), Calm),
            (beside(75, 61_00, 61_00), Act),
            (beside(70, 31_00, 30_00), Act),
            (beside(69, 31_00, 30_00), Warn),
            (beside(75, 31_00, 30_00), Warn),
            (beside(46, 5_00, 0), Warn),
            (beside(46, 4_99, 0), Calm),
            (beside(49, 99_00, 99_00), Calm),
            (beside(50, 10_00, 0), Warn),
            (beside(44, 99_00, 99_00), Calm),
        ];
        let mut pressure = Calm;
        for (index, (vitals, expected)) in story.into_iter().enumerate() {
            pressure = pressure.then(&vitals);
            assert_eq!(pressure, expected, "step {index}: {vitals:?}");
        }
    }

    #[test]
    fn who_thrashes_inside_its_own_limit_does_not_make_the_host_short() {
        for percent in [0, 10, 49] {
            assert_eq!(level(&beside(percent, 99_99, 99_99)), Pressure::Calm, "{percent} % used: most of the memory is free");
        }
        for percent in [50, 74] {
            assert_eq!(level(&beside(percent, 99_99, 99_99)), Pressure::Warn, "{percent} % used: nothing is to be evicted for it");
        }
    }

    #[test]
    fn names_what_makes_it_short() {
        assert_eq!(Pressure::Warn.cause(&used(82)), "82 % used (warn at 75 %)");
        assert_eq!(Pressure::Act.cause(&used(93)), "93 % used (act at 90 %)");
        assert_eq!(Pressure::Warn.cause(&stalled(12_34, 0)), "some tasks wait for memory 12 % of the time (warn at 10 %)");
        assert_eq!(Pressure::Act.cause(&beside(75, 99_00, 70_00)), "all tasks wait for memory 70 % of the time (act at 60 %)");
        assert_eq!(Pressure::Calm.cause(&used(10)), "10 % used");
    }

    #[test]
    fn more_used_memory_is_never_less_pressure() {
        for was in [Pressure::Calm, Pressure::Warn, Pressure::Act] {
            for percent in 1..=100 {
                assert!(was.then(&used(percent)) >= was.then(&used(percent - 1)), "{was:?} at {percent} %");
            }
        }
    }
}

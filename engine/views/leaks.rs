//! What leaks: what was to be ended or removed and is still there, and when it is tried again. The JSON form is stable: fields are only ever
//! added.

use serde::Serialize;

use super::outside::Outside;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::kernel::leak::Leak;
use crate::kernel::state::Goal;

/// A leak.
#[derive(Clone, Debug, Serialize)]
pub struct LeakStatus {
    /// Its place: of a resource, or of a phase whose processes are left.
    pub owner: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// For how long, in milliseconds.
    pub age_ms: u64,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// The evidence of the last try.
    pub why: String,
    /// When it is tried again, RFC 3339, if its goal is at rest then.
    pub retry_at: String,
    /// In how many milliseconds; 0 where that is over.
    pub retry_in_ms: u64,
}

/// A leak, as somebody sees it who looks now.
pub fn leak_status(owner: &Owner, leak: &Leak, outside: &Outside<'_>) -> LeakStatus {
    LeakStatus {
        owner: owner.to_string(),
        since: leak.since.to_string(),
        age_ms: (outside.now - leak.since).0,
        attempts: leak.attempts,
        why: leak.why.clone(),
        retry_at: leak.retry_at.to_string(),
        retry_in_ms: (leak.retry_at - outside.now).0,
    }
}

/// Everything of a goal that leaks.
pub fn leaks(goal: &Goal, outside: &Outside<'_>) -> Vec<LeakStatus> {
    goal.leaks().map(|(owner, leak)| leak_status(owner, leak, outside)).collect()
}

/// The places of a goal that leak, in a sentence; none where none does.
pub fn in_short(goal: &Goal) -> Option<String> {
    let places: Vec<String> = goal.leaks().map(|(owner, _)| owner.to_string()).collect();
    let are = if places.len() == 1 { "is" } else { "are" };
    (!places.is_empty()).then(|| format!("{} {are} still there, and tried again until gone", places.join(", ")))
}

impl LeakStatus {
    /// It in a line, behind its place.
    pub fn line(&self) -> String {
        format!("leak: {}", self.words())
    }

    /// Since when, how often, why, and when again.
    pub fn words(&self) -> String {
        let times = if self.attempts == 1 { "once".to_owned() } else { format!("{} times", self.attempts) };
        let next = match self.retry_in_ms {
            0 => "tried again as soon as its goal is at rest".to_owned(),
            ms => format!("tried again in {}", Span(ms).human()),
        };
        format!("tried {times} in vain for {}: {}; {next}", Span(self.age_ms).human(), self.why)
    }
}

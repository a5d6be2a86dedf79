//! What of a journal is no longer kept.
//!
//! | goes | when |
//! |---|---|
//! | a run in a goal's history | it is not among the newest `runs` of its goal, or ended more than `days` ago; the latest never goes |
//! | a sealed segment | all runs within these bounds, and all that go on, began after its end; and two snapshots cover it |
//!
//! Segments go from the oldest on, so that what remains is one chain. What still lives stands in the state, and so in every snapshot.

use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use indexmap::IndexMap;

use super::chain::{Chain, MAX_LINE};
use super::head::Head;
use super::segment::{self, ACTIVE, Numbered};
use super::snapshot::{self, KEPT};
use crate::base::name::Name;
use crate::base::time::Timestamp;
use crate::kernel::state::{Goal, State};
use crate::manifest::config::Retention;

const DAY: u64 = 86_400_000;

/// How many of the oldest runs of each goal are no longer kept.
pub(super) fn forgotten(state: &State, now: Timestamp, retention: Retention) -> IndexMap<Name, u32> {
    let count = |goal: &Goal| {
        let too_many = goal.past.len().saturating_sub(usize::try_from(retention.runs).unwrap_or(usize::MAX));
        let since = since(now, retention);
        let too_old = goal.past.iter().take_while(|run| run.ended < since).count();
        let all_but_the_latest = goal.past.len().saturating_sub(1);
        u32::try_from(too_many.max(too_old).min(all_but_the_latest)).unwrap_or(u32::MAX)
    };
    state.goals.iter().map(|(name, goal)| (name.clone(), count(goal))).filter(|(_, count)| *count > 0).collect()
}

/// The instant from which on all records are kept: the earliest beginning of a run that is within the bounds, or goes on.
pub(super) fn horizon(state: &State, now: Timestamp, retention: Retention, forgotten: &IndexMap<Name, u32>) -> Timestamp {
    let since = since(now, retention);
    let kept = state.goals.iter().flat_map(|(name, goal)| {
        let gone = forgotten.get(name).map_or(0, |count| usize::try_from(*count).unwrap_or(usize::MAX));
        let past = goal.past.iter().skip(gone).filter(move |run| run.ended >= since).map(|run| run.started);
        past.chain(goal.run.iter().filter(|run| run.ended.is_none()).map(|run| run.started))
    });
    kept.min().unwrap_or(now)
}

fn since(now: Timestamp, retention: Retention) -> Timestamp {
    Timestamp(now.0.saturating_sub(u64::from(retention.days) * DAY))
}

/// The segments that go, and the last line in them.
pub(super) struct Outdated {
    pub(super) segments: Vec<Numbered>,
    pub(super) first: u64,
    pub(super) last: Head,
}

/// The oldest segments that end before the horizon and that two snapshots cover; none where there is no such.
pub(super) fn outdated(dir: &Path, horizon: Timestamp) -> io::Result<Option<Outdated>> {
    let sealed = segment::sealed(dir)?;
    let mut covered = None;
    let mut found: Option<Outdated> = None;
    for (index, one) in sealed.iter().enumerate() {
        // A segment ends where the next one begins, and when.
        let next = sealed.get(index + 1).map_or_else(|| dir.join(ACTIVE), |next| next.path.clone());
        let Some((last, at)) = beginning(&next)? else { break };
        if at >= horizon {
            break;
        }
        // Looked at only where there is something to let go of: each is read whole.
        let covered = match covered {
            Some(covered) => covered,
            None => *covered.insert(older_snapshot(dir)?),
        };
        if covered.is_none_or(|covered| last.seq > covered) {
            break;
        }
        let outdated = found.get_or_insert_with(|| Outdated { segments: Vec::new(), first: one.seq, last });
        outdated.last = last;
        outdated.segments.push(one.clone());
    }
    Ok(found)
}

/// The last line that the older of the snapshots covers that are kept; none where one of them is damaged.
fn older_snapshot(dir: &Path) -> io::Result<Option<u64>> {
    let newest: Vec<Numbered> = segment::snapshots(dir)?.into_iter().rev().take(KEPT).collect();
    let intact = newest.len() == KEPT && newest.iter().all(|found| snapshot::read(&found.path).is_ok());
    Ok(newest.last().filter(|_| intact).map(|older| older.seq))
}

/// The segments that were pruned by a record and are still there: an engine died before they were removed.
pub(super) fn undone(dir: &Path, pruned: Option<u64>) -> io::Result<Vec<Numbered>> {
    let Some(pruned) = pruned else { return Ok(Vec::new()) };
    let sealed = segment::sealed(dir)?;
    Ok(sealed.into_iter().take_while(|one| one.seq <= pruned).collect())
}

/// The snapshots that are no longer needed: all but the newest ones.
pub(super) fn old_snapshots(dir: &Path) -> io::Result<Vec<Numbered>> {
    let mut snapshots = segment::snapshots(dir)?;
    snapshots.truncate(snapshots.len().saturating_sub(KEPT));
    Ok(snapshots)
}

/// What the first line of a segment says: the line before it, and when it was written.
pub(super) fn beginning(path: &Path) -> io::Result<Option<(Head, Timestamp)>> {
    let mut line = Vec::new();
    io::Read::take(BufReader::new(std::fs::File::open(path)?), MAX_LINE as u64).read_until(b'\n', &mut line)?;
    let last = Chain::before(&line).and_then(|chain| chain.last());
    let at = last.and_then(|last| Chain::after(last).check(&line).ok().map(|frame| frame.at));
    Ok(last.zip(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::action::RunId;
    use crate::kernel::outcome::Verdict;
    use crate::kernel::state::PastRun;

    fn state(ends: &[u64]) -> State {
        let past = ends.iter().zip(1..).map(|(end, number)| PastRun {
            why: String::new(),
            retries: None,
            parent: None,
            id: RunId(format!("g.{number}")),
            started: Timestamp(end * DAY - 1),
            ended: Timestamp(end * DAY),
            verdict: Verdict::Verified,
        });
        let mut state = State::default();
        state.goals.insert(Name::from("g"), Goal { past: past.collect(), ..Goal::default() });
        state
    }

    #[test]
    fn what_is_beyond_either_bound_goes() {
        let (now, state) = (Timestamp(100 * DAY), state(&[10, 20, 30, 40]));
        let gone = |runs, days| forgotten(&state, now, Retention { runs, days }).get("g").copied();
        assert_eq!(gone(10, 1000), None);
        assert_eq!(gone(3, 1000), Some(1));
        assert_eq!(gone(10, 75), Some(2), "a run that ended 70 days ago is kept");
        assert_eq!(gone(1, 75), Some(3));
        assert_eq!(gone(10, 1), Some(3), "the latest is kept, however old it is");
        let horizon = |gone: u32, days| {
            let forgotten = IndexMap::from([(Name::from("g"), gone)]);
            horizon(&state, now, Retention { runs: 10, days }, &forgotten)
        };
        assert_eq!((horizon(1, 1000), horizon(3, 75)), (Timestamp(20 * DAY - 1), Timestamp(40 * DAY - 1)));
        assert_eq!(horizon(3, 1), now, "what happened in the latest is not");
    }
}

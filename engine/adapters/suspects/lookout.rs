//! Looks around attempts: once before the work and once after it, shared among the attempts that are at work at about the same time.
//!
//! As long as nothing stirs at any place, the latest snapshot is how the host looks, and nobody looks again. Where the host gives no watches,
//! an attempt that begins takes the latest one if that is younger than a second, and each end looks again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;

use super::judge::{Attempt, Time, difference};
use super::places::{User, places};
use super::snapshot::Snapshot;
use super::stir::Stir;
use crate::adapters::clock::HostClock;
use crate::adapters::process::containment::Containment;
use crate::adapters::process::stray::{LastPid, strays};
use crate::base::time::{Span, Timestamp};
use crate::kernel::suspect::Suspect;
use crate::ports::clock::Clock as _;

/// Without watches, a snapshot that is older is not what an attempt begins with.
const FRESH: Span = Span::seconds(1);

/// The snapshots of so many users are kept. Of more, all are taken anew.
const USERS: usize = 16;

/// Looks around the attempts of one engine.
#[derive(Debug)]
pub struct Lookout {
    root: PathBuf,
    clock: HostClock,
    latest: Mutex<HashMap<User, Latest>>,
}

/// The latest look at the places of one user.
#[derive(Debug)]
struct Latest {
    at: Timestamp,
    snapshot: Arc<Snapshot>,
    /// Listens since before that look; none where the host gives no watches.
    stir: Option<Stir>,
}

impl Latest {
    fn holds(&self, now: Timestamp, fresh: Span) -> bool {
        self.stir.as_ref().map_or(now < self.at + fresh, |stir| !stir.heard())
    }
}

/// How the host looked before an attempt's work.
#[derive(Debug)]
pub struct Before {
    user: User,
    attempt: Attempt,
    snapshot: Arc<Snapshot>,
    last_pid: Option<LastPid>,
    time: Time,
}

impl Before {
    /// The same for what is ready, and may live for long.
    pub(super) fn of_service(self) -> Self {
        Self { time: Time::OfService, ..self }
    }
}

impl Lookout {
    /// Looks at this host.
    pub fn of_host() -> Self {
        Self { root: PathBuf::from("/"), clock: HostClock::default(), latest: Mutex::default() }
    }

    /// The look before the work of an attempt whose command has this environment.
    pub fn before(&self, environment: &IndexMap<String, String>) -> Before {
        // The number first: whatever is started from here on is new.
        let last_pid = LastPid::now();
        let (user, attempt) = (User::of(environment), Attempt::of(environment));
        let snapshot = self.look(&user, FRESH);
        Before { user, attempt, snapshot, last_pid, time: Time::OfWork }
    }

    /// The look after its end: what it may have started that no scope of this workspace holds. Looks only at files, and waits for nobody
    /// but, for a moment, for the program of a pane that has just been opened.
    pub fn after(&self, before: &Before, containment: &Containment) -> Vec<Suspect> {
        compare(before, &self.look(&before.user, Span(0)), containment)
    }

    /// The look at something that is ready and goes on: what it may have started until now, and what its later looks are compared with.
    pub fn meanwhile(&self, before: &Before, containment: &Containment) -> (Vec<Suspect>, Before) {
        let last_pid = LastPid::now();
        let snapshot = self.look(&before.user, Span(0));
        let found = compare(before, &snapshot, containment);
        (found, Before { user: before.user.clone(), attempt: before.attempt.clone(), snapshot, last_pid, time: Time::OfService })
    }

    /// The latest snapshot where that still holds, else a new one. Whoever comes meanwhile waits for it.
    fn look(&self, user: &User, fresh: Span) -> Arc<Snapshot> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let (stir, snapshot) = match latest.get(user) {
            Some(known) if known.holds(now, fresh) => return Arc::clone(&known.snapshot),
            // It listens before the look: what changes during it is heard.
            Some(known) => (Stir::at(known.snapshot.places()).ok(), known.snapshot.again(now)),
            None => {
                let places = places(&self.root, user);
                (Stir::at(&places).ok(), Snapshot::take(places, now))
            }
        };
        if latest.len() >= USERS && !latest.contains_key(user) {
            latest.clear();
        }
        let snapshot = Arc::new(snapshot);
        latest.insert(user.clone(), Latest { at: now, snapshot: Arc::clone(&snapshot), stir });
        snapshot
    }
}

fn compare(before: &Before, after: &Snapshot, containment: &Containment) -> Vec<Suspect> {
    let Before { attempt, snapshot, last_pid, time, .. } = before;
    let strays = last_pid.map(|since| strays(since, containment, |environment| attempt.is_of(environment))).unwrap_or_default();
    difference(snapshot, after, &strays, (attempt, *time))
}

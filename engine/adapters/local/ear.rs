//! What becomes of containers, told to the kernel: one stream of events for each container engine. Of those that a manifest declares only
//! their health is: whoever has started one waits for its end.
//!
//! It is listened to from the first of them on, for as long as this engine lives. Where the stream breaks, those that are known are
//! looked at once it is there again, so that nothing that happened meanwhile is missed.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::task::AbortHandle;

use super::contain::mark;
use super::container_meter::ContainerMeter;
use super::fleets::Fleets;
use crate::adapters::clock::HostClock;
use crate::adapters::docker::changes::{Change, ChangeKind};
use crate::adapters::docker::fleet::Fleet;
use crate::adapters::docker::standing::{Health, Standing};
use crate::adapters::docker::stop::Ended;
use crate::base::label::Origin;
use crate::base::name::Name;
use crate::base::time::{Span, Timestamp};
use crate::kernel::action::Exit;
use crate::kernel::input::Input;
use crate::kernel::told::Told;
use crate::kernel::usage::Usage;
use crate::ports::clock::Clock as _;
use crate::ports::container::{Known, Reach};
use crate::ports::runtime::Tell;

/// How long to wait for a container engine that is gone, between two tries.
const AGAIN: Duration = Duration::from_secs(1);

/// How much of what happened before is told once more: what has just been made may have been started before anybody listened.
const BEFORE: Span = Span::seconds(5);

/// Who listens to container engines.
#[derive(Debug, Default)]
pub(super) struct Ears {
    /// How they were reached.
    reaches: Mutex<HashSet<Reach>>,
    /// The sockets behind which they were found.
    engines: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Ears {
    /// Begins to listen to an engine, where nobody does yet. These of its containers are known already.
    pub(super) fn listen(&self, fleets: &Arc<Fleets>, reach: &Reach, known: Vec<Known>, tell: &Tell) {
        if !self.reaches.lock().unwrap_or_else(PoisonError::into_inner).insert(reach.clone()) {
            return;
        }
        let engines = Arc::clone(&self.engines);
        let ear =
            Ear { fleets: Arc::clone(fleets), tell: tell.clone(), known: HashMap::new(), unseen: HashSet::new(), engines, engine: None };
        drop(tokio::spawn(ear.hear(reach.clone(), known)));
    }
}

/// A container that is heard of.
#[derive(Debug)]
struct Heard {
    goal: Name,
    /// Whether a command made it.
    caught: bool,
    meter: Option<(Arc<ContainerMeter>, AbortHandle)>,
    out_of_memory: bool,
}

/// Who listens to one engine.
struct Ear {
    fleets: Arc<Fleets>,
    tell: Tell,
    known: HashMap<String, Heard>,
    /// Of these it is to be seen how they are.
    unseen: HashSet<String>,
    engines: Arc<Mutex<HashSet<PathBuf>>>,
    /// Which of them it has.
    engine: Option<PathBuf>,
}

impl Ear {
    async fn hear(mut self, reach: Reach, known: Vec<Known>) {
        let clock = HostClock::default();
        self.known.extend(known.into_iter().map(|Known { goal, id, caught }| (id, Heard::of(goal, caught))));
        let mut reach = reach;
        loop {
            if let Ok(fleet) = self.fleets.find(&reach).await
                && self.takes(&fleet)
            {
                // From here on it is that one: what is known of it says nothing of another, which may answer while it is away.
                reach = fleet.engine().socket().map_or(reach, Reach::at);
                self.hear_in(&fleet, clock.now()).await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Listens until the stream ends.
    async fn hear_in(&mut self, fleet: &Fleet, now: Timestamp) {
        let mut changes = pin!(fleet.changes(Timestamp(now.0.saturating_sub(BEFORE.0))));
        // What is told from here on is not missed while they are looked at.
        self.unseen.extend(self.known.keys().cloned());
        loop {
            self.look_again(fleet).await;
            let next = changes.next();
            // What could not be seen is never told again: it is looked at anew, whatever is told meanwhile.
            let next = if self.unseen.is_empty() { Ok(next.await) } else { tokio::time::timeout(AGAIN, next).await };
            match next {
                Ok(Some(Ok(change))) => self.changed(fleet, change).await,
                Ok(_) => return,
                Err(_) => {}
            }
        }
    }

    /// Looks at those that were not seen yet.
    async fn look_again(&mut self, fleet: &Fleet) {
        for id in std::mem::take(&mut self.unseen) {
            if !self.look(fleet, &id).await {
                self.unseen.insert(id);
            }
        }
    }

    /// Whether this engine is for it to listen to: however it is reached, one does so.
    fn takes(&mut self, fleet: &Fleet) -> bool {
        let Some(socket) = fleet.engine().socket() else { return true };
        let socket = socket.canonicalize().unwrap_or_else(|_| socket.to_owned());
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        if self.engine.as_ref() == Some(&socket) {
            return true;
        }
        let free = engines.insert(socket.clone());
        self.engine = free.then_some(socket);
        free
    }

    /// Looks at one that is known. False where the engine gives no answer.
    async fn look(&mut self, fleet: &Fleet, id: &str) -> bool {
        let caught = self.known.get(id).is_some_and(|heard| heard.caught);
        match fleet.standing(id).await {
            Ok(Some(standing)) if standing.running => {
                if caught {
                    self.started(fleet, id).await;
                }
                self.health(id, standing);
            }
            Ok(Some(standing)) => {
                if let Some(ended) = standing.ended.filter(|_| caught) {
                    self.ended(id, ended);
                }
            }
            Ok(None) if caught => self.removed(id),
            // It is in another engine, or has ended: whoever has started it knows.
            Ok(None) => drop(self.known.remove(id)),
            Err(_) => return false,
        }
        true
    }

    /// How it is, where somebody asks for that and it is known.
    fn health(&self, id: &str, standing: Standing) {
        let well = match standing.health {
            Health::Healthy => true,
            Health::Unhealthy => false,
            Health::Unasked | Health::Starting => return,
        };
        self.tell.say(Input::Health { container: id.to_owned(), well });
    }

    /// Something has happened.
    async fn changed(&mut self, fleet: &Fleet, Change { id, label, kind }: Change) {
        let caught = label.origin == Origin::Caught;
        self.known.entry(id.clone()).or_insert_with(|| Heard::of(label.owner.goal.clone(), caught));
        match kind {
            ChangeKind::Started => self.started(fleet, &id).await,
            ChangeKind::OutOfMemory => {
                if let Some(heard) = self.known.get_mut(&id) {
                    heard.out_of_memory = true;
                }
            }
            ChangeKind::Ended(code) => {
                let oom = self.known.get(&id).is_some_and(|heard| heard.out_of_memory)
                    || matches!(fleet.standing(&id).await, Ok(Some(standing)) if standing.ended.is_some_and(|ended| ended.oom));
                self.ended(&id, Ended { code, oom, at: None });
            }
            ChangeKind::Health => drop(self.unseen.insert(id)),
            ChangeKind::Renamed(name) => self.tell(&id, Told::Renamed { name }),
            ChangeKind::Removed => self.removed(&id),
        }
    }

    /// It runs, by one look: what is told late may be over.
    async fn started(&mut self, fleet: &Fleet, id: &str) {
        let Some(goal) = self.known.get(id).map(|heard| heard.goal.clone()) else { return };
        let Ok(process) = mark(fleet, &goal, id).await else { return };
        if let Some(heard) = self.known.get_mut(id).filter(|heard| heard.meter.is_none()) {
            let meter = self.fleets.measure(&process);
            let looks = Arc::clone(&meter);
            let looking = tokio::spawn(async move { match looks.keep_looking().await {} });
            heard.meter = Some((meter, looking.abort_handle()));
        }
        self.tell(id, Told::Started { process });
    }

    fn ended(&mut self, id: &str, ended: Ended) {
        let Some(heard) = self.known.get_mut(id) else { return };
        heard.out_of_memory = false;
        let usage = heard.meter.take().map_or_else(Usage::default, |(meter, looking)| {
            looking.abort();
            meter.used(Some(ended))
        });
        self.fleets.forget_meter(id);
        let exit = Exit::Code(i32::try_from(ended.code).unwrap_or(i32::MAX));
        self.tell(id, Told::Ended { exit, usage });
    }

    fn removed(&mut self, id: &str) {
        if let Some((_, looking)) = self.known.remove(id).and_then(|heard| heard.meter) {
            looking.abort();
        }
        self.fleets.forget_meter(id);
        self.tell(id, Told::Removed);
    }

    fn tell(&self, id: &str, told: Told) {
        self.tell.say(Input::Told { container: id.to_owned(), told });
    }
}

impl Heard {
    fn of(goal: Name, caught: bool) -> Self {
        Self { goal, caught, meter: None, out_of_memory: false }
    }
}

//! A small simulated world: a virtual clock, and scripts that say what becomes of looks and effects. It never sleeps.
//!
//! It holds every turn to what must always be so: state is the fold of the records, an effect ends once,
//! no place has two processes at once, and no more phases are at work than may be.

use std::collections::{BTreeMap, HashMap, HashSet};

use indexmap::IndexMap;
use opensculpt::base::name::Name;
use opensculpt::base::owner::Owner;
use opensculpt::base::time::Timestamp;
use opensculpt::kernel::action::{About, Brief, Effect, EffectId, Exit, Look, ProcessMark, QuestionId, RunId, Seen, Shown, StopPolicy};
use opensculpt::kernel::answer::{Answer, Stage};
use opensculpt::kernel::engine::Kernel;
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::input::{Input, Refusal, Request};
use opensculpt::kernel::memory::Sighting;
use opensculpt::kernel::record::Record;
use opensculpt::kernel::state::State;
use opensculpt::kernel::stock::Kind;
use opensculpt::kernel::suspect::Suspect;
use opensculpt::plan::sealed::PhaseIx;

enum Event {
    Say(Input),
    /// A process ends by itself.
    Dies(EffectId, Owner, Exit),
    /// All processes of a place are ended for this effect.
    Swept(EffectId, Owner),
    /// A service that took a while to start is there.
    Starts(EffectId, Owner),
}

use super::script::{Play, Service, Try, nth, says};

/// The world, and the kernel in it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and none rules another out")]
pub(crate) struct World {
    pub kernel: Kernel,
    pub now: u64,
    pub records: Vec<(u64, Record)>,
    pub plays: HashMap<String, Play>,
    /// Places where somebody else has made something.
    pub there: HashSet<String>,
    /// How many endings of a place leave survivors.
    pub stubborn: HashMap<String, u32>,
    /// Scopes in which somebody runs whom no record knows.
    pub unknown: Vec<String>,
    /// The scopes that were swept, in that order.
    pub swept: Vec<String>,
    /// Places that cannot be removed.
    pub unremovable: HashSet<String>,
    /// Where a place's directory or file is; elsewhere than at its owner's name.
    pub paths: HashMap<String, String>,
    /// The folders that are made on the way to a place's directory or file.
    pub above: HashMap<String, String>,
    /// Custom resources whose create command makes something and fails.
    pub half_made: HashSet<String>,
    /// Ports that are taken.
    pub taken: HashSet<String>,
    /// Things of the container engine cannot be looked at.
    pub engine_is_away: bool,
    /// What cannot be looked into where it is looked who is there.
    pub unseen: Vec<String>,
    /// The id of the container that a service is.
    pub container: Option<String>,
    pub no_secrets: bool,
    /// The limits of a goal cannot be set anew.
    pub no_limits: bool,
    /// What the next looks around these places show, each once.
    pub around: Vec<(&'static str, Vec<Suspect>)>,
    /// The looks around something, in their order: around whom, and whether it was over.
    pub rounds: Vec<(String, bool)>,
    /// What a look at the memory shows; none where no engine ever looks.
    pub memory: Option<Sighting>,
    /// How long a gentle ending takes, and making something.
    pub end_takes: u64,
    pub make_takes: u64,
    pub look_takes: u64,
    /// How long until the process of a service is there: until then nobody finds it.
    pub start_takes: u64,
    /// Observations come up to so much later, at random: they change places.
    pub jitter: u64,
    /// Compare the fold after every turn.
    pub folding: bool,
    pub peak: usize,
    pub alive: HashMap<Owner, EffectId>,
    pub processed: usize,
    /// How many records are written until the engine dies: in the middle of a commit nothing of it is carried out.
    pub dies_after: Option<usize>,
    /// The goal that a person stops with the next engine.
    pub stops: Option<Name>,
    /// How often engines have died.
    pub deaths: u32,
    /// How often each service was started, or was to be.
    pub starts: HashMap<Owner, u32>,
    born: HashMap<Owner, u64>,
    ending: HashMap<Owner, Vec<EffectId>>,
    engines: u32,
    working: HashMap<EffectId, PhaseIx>,
    tries_of_question: HashMap<QuestionId, u64>,
    ended: HashSet<EffectId>,
    adopted: HashSet<EffectId>,
    shadow: State,
    queue: BTreeMap<(u64, u64), Event>,
    last: u64,
    rng: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            kernel: Kernel::default(),
            now: 1000,
            records: Vec::new(),
            plays: HashMap::new(),
            there: HashSet::new(),
            stubborn: HashMap::new(),
            unknown: Vec::new(),
            swept: Vec::new(),
            unremovable: HashSet::new(),
            paths: HashMap::new(),
            above: HashMap::new(),
            half_made: HashSet::new(),
            taken: HashSet::new(),
            engine_is_away: false,
            unseen: Vec::new(),
            container: None,
            no_secrets: false,
            no_limits: false,
            around: Vec::new(),
            rounds: Vec::new(),
            memory: None,
            end_takes: 5,
            make_takes: 2,
            look_takes: 1,
            start_takes: 0,
            jitter: 0,
            folding: true,
            peak: 0,
            alive: HashMap::new(),
            processed: 0,
            dies_after: None,
            stops: None,
            deaths: 0,
            starts: HashMap::new(),
            born: HashMap::new(),
            ending: HashMap::new(),
            engines: 1,
            working: HashMap::new(),
            tries_of_question: HashMap::new(),
            ended: HashSet::new(),
            adopted: HashSet::new(),
            shadow: State::default(),
            queue: BTreeMap::new(),
            last: 0,
            rng: 0x9E37_79B9_7F4A_7C15,
        }
    }

    pub(crate) fn seed(&mut self, seed: u64, jitter: u64) {
        self.rng = seed.wrapping_mul(2).wrapping_add(1);
        self.jitter = jitter;
    }

    pub(crate) fn play(&mut self, phase: &str) -> &mut Play {
        self.plays.entry(phase.to_owned()).or_default()
    }

    /// Lets the work of a phase end like this, attempt by attempt.
    pub(crate) fn exits(&mut self, phase: &str, exits: &[i32]) {
        self.play(phase).tries = exits.iter().map(|code| Try { exit: Exit::Code(*code), ..Try::default() }).collect();
    }

    fn random(&mut self, bound: u64) -> u64 {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        self.rng % (bound + 1)
    }

    fn later(&mut self, delay: u64, event: Event) {
        let jitter = if self.jitter > 0 { self.random(self.jitter) } else { 0 };
        self.last += 1;
        self.queue.insert((self.now + delay + jitter, self.last), event);
    }

    fn seen(&mut self, delay: u64, id: EffectId, seen: Seen) {
        self.later(delay, Event::Say(Input::Seen { id, seen }));
    }

    /// Asks for something; refusals come back.
    pub(crate) fn ask(&mut self, request: Request) -> Option<Refusal> {
        self.give(Input::Request(request))
    }

    pub(crate) fn give(&mut self, input: Input) -> Option<Refusal> {
        self.processed += 1;
        let told = if self.folding { format!("{input:?}") } else { String::new() };
        let decision = self.kernel.handle(Timestamp(self.now), input).unwrap_or_else(|misfit| panic!("{misfit} on {told}"));
        for record in &decision.records {
            if self.dies_after.is_some_and(|count| self.records.len() >= count) {
                self.dies_after = None;
                self.restart();
                return None;
            }
            if self.folding {
                self.shadow.apply(Timestamp(self.now), record).unwrap_or_else(|misfit| panic!("replay: {misfit} on {told}"));
            }
            self.records.push((self.now, record.clone()));
        }
        for record in decision.records {
            match record {
                Record::Requested { id, owner, effect } => self.act(id, &owner, &effect),
                Record::Adopted { id, owner, effect } => self.watch(id, &owner, &effect),
                Record::Observed { id, seen } => {
                    if seen.is_end() {
                        assert!(self.ended.insert(id), "effect {} ended twice", id.0);
                        self.adopted.remove(&id);
                    }
                    if seen.is_end() || !self.is_work(id) && !matches!(seen, Seen::Begun { .. } | Seen::Unenforced { .. }) {
                        self.working.remove(&id);
                    }
                    if let Seen::Begun { path, .. } = seen {
                        self.proceed(id, path);
                    }
                }
                _ => {}
            }
        }
        for look in decision.looks {
            self.see(look);
        }
        if self.folding {
            assert!(self.shadow == *self.kernel.state(), "state is not the fold of the records after {told}");
            let goes_on = self.kernel.state().goals.get("g").is_some_and(opensculpt::kernel::state::Goal::is_running);
            let cared_for = goes_on && self.kernel.asked().is_empty();
            assert!(!cared_for || self.kernel.is_busy(), "the run goes on and nobody would know after {told}: {:#?}", self.standing());
        }
        self.watch_slots();
        decision.refused
    }

    fn is_work(&self, id: EffectId) -> bool {
        matches!(self.kernel.state().effects.get(&id), Some(open) if matches!(open.effect, Effect::Work { .. }))
    }

    fn watch_slots(&mut self) {
        let Some(run) = self.kernel.state().goals.get("g").and_then(|goal| goal.run.as_ref()) else { return };
        if run.plan.concurrency > 100 {
            return; // Counting them at every turn would be the only quadratic thing here.
        }
        let open = |phase: &PhaseIx| run.phase(*phase).state.outcome().is_none();
        let phases: HashSet<PhaseIx> = self.working.values().copied().filter(open).collect();
        self.peak = self.peak.max(phases.len());
        assert!(phases.len() <= run.plan.concurrency as usize, "{} phases at work: {:#?}", phases.len(), self.standing());
    }

    fn act(&mut self, id: EffectId, owner: &Owner, effect: &Effect) {
        match effect {
            Effect::Prepare { .. } if self.no_secrets => {
                self.seen(1, id, Seen::Failed { fault: Fault::Secret, evidence: "CRM_PASSWORD is not set".to_owned() });
            }
            Effect::Limit { .. } if self.no_limits => {
                self.seen(1, id, Seen::Failed { fault: Fault::System, evidence: "no cgroup".to_owned() });
            }
            Effect::Prepare { .. } | Effect::Limit { .. } | Effect::Forget => self.seen(0, id, Seen::Done),
            // Its answer is the test's to give.
            Effect::Ask { .. } | Effect::Call { .. } => {}
            Effect::Sweep { scope } if self.stubborn.get(scope).is_some_and(|left| *left > 0) => {
                *self.stubborn.get_mut(scope).unwrap() -= 1;
                self.seen(1, id, Seen::Ended { survivors: vec![78], killed: 1 });
            }
            Effect::Sweep { scope } => {
                self.alive.retain(|owner, _| owner.to_string() != *scope);
                self.unknown.retain(|unknown| unknown != scope);
                self.swept.push(scope.clone());
                self.seen(1, id, Seen::Ended { survivors: Vec::new(), killed: 1 });
            }
            Effect::Make { run, phase, .. } => {
                self.is_at_work(id, run, owner, *phase);
                if self.taken.contains(&owner.to_string()) {
                    return self.seen(1, id, Seen::Failed { fault: Fault::PortTaken, evidence: "held by nginx".to_owned() });
                }
                let made = self.kernel.state().resource(owner).unwrap().kind;
                let place = self.place(owner);
                let path = matches!(made, Kind::Directory | Kind::File).then(|| place.clone());
                if made != Kind::Port && !self.there.contains(&place) {
                    return self.seen(
                        0,
                        id,
                        Seen::Begun { above: path.as_ref().and_then(|_| self.above.get(&owner.to_string()).cloned()), path },
                    );
                }
                self.there.insert(place);
                self.seen(self.make_takes, id, Seen::Made { created: made == Kind::Port, path, outputs: IndexMap::new() });
            }
            Effect::Serve { run, phase, .. } => {
                self.is_at_work(id, run, owner, *phase);
                let service = self.play_of(run, *phase).service;
                let start = *self.starts.entry(owner.clone()).and_modify(|starts| *starts += 1).or_insert(1);
                if service.broken || service.broken_at.contains(&start) {
                    return self.seen(1, id, Seen::Failed { fault: Fault::MissingCommand, evidence: "no such program".to_owned() });
                }
                if self.start_takes > 0 {
                    return self.later(self.start_takes, Event::Starts(id, owner.clone()));
                }
                self.is_born(id, owner);
                let dies = service.dies.is_none_or(|dies| start <= dies);
                if let Some(lives) = service.lives.filter(|_| dies) {
                    self.later(lives, Event::Dies(id, owner.clone(), service.exit));
                }
            }
            Effect::Work { run, phase, attempt } => {
                self.is_at_work(id, run, owner, *phase);
                self.is_born(id, owner);
                let this = nth(&self.play_of(run, *phase).tries, *attempt as usize - 1);
                if let Some(takes) = this.takes {
                    self.later(takes, Event::Dies(id, owner.clone(), this.exit));
                }
            }
            Effect::End { stop } => {
                let takes = if *stop == StopPolicy::KILL { 1 } else { self.end_takes };
                self.ending.entry(owner.clone()).or_default().push(id);
                self.later(takes, Event::Swept(id, owner.clone()));
            }
            Effect::Remove => {
                if self.unremovable.contains(&owner.to_string()) {
                    return self.seen(1, id, Seen::Failed { fault: Fault::System, evidence: "device busy".to_owned() });
                }
                let mut paths = self.kernel.state().resource(owner).unwrap().paths.clone();
                if paths.is_empty() {
                    paths.push(owner.to_string());
                }
                for path in paths {
                    let removed = self.there.remove(&path);
                    assert!(removed || self.engines > 1, "{path} was removed twice, or never made");
                }
                self.seen(1, id, Seen::Done);
            }
        }
    }

    /// The slots of the goal `g` are counted; what is started again, for a rollback or since it had ended, needs none.
    fn is_at_work(&mut self, id: EffectId, run: &RunId, owner: &Owner, phase: PhaseIx) {
        let again = self.kernel.state().resource(owner).is_some_and(|made| made.restarts.done > 0);
        if !again && owner.goal.as_str() == "g" && self.run().id == *run {
            self.working.insert(id, phase);
        }
    }

    fn place(&self, owner: &Owner) -> String {
        self.paths.get(&owner.to_string()).cloned().unwrap_or_else(|| owner.to_string())
    }

    /// It is recorded that something is about to be made: it is made.
    fn proceed(&mut self, id: EffectId, path: Option<String>) {
        let Some(owner) = self.kernel.state().effects.get(&id).map(|open| open.owner.clone()) else { return };
        self.there.insert(self.place(&owner));
        if self.half_made.contains(&owner.to_string()) {
            let evidence = "its create command ended with exit 1".to_owned();
            return self.seen(self.make_takes, id, Seen::Failed { fault: Fault::WorkFailed, evidence });
        }
        self.seen(self.make_takes, id, Seen::Made { created: true, path, outputs: IndexMap::new() });
    }

    /// What an earlier engine started is watched: where it has ended meanwhile, that is seen at once.
    fn watch(&mut self, id: EffectId, owner: &Owner, effect: &Effect) {
        if let Effect::Work { run, phase, .. } = effect {
            self.is_at_work(id, run, owner, *phase);
        }
        if self.alive.get(owner) != Some(&id) {
            self.exited(id, Exit::Unseen, Vec::new());
        }
        self.adopted.insert(id);
    }

    fn is_born(&mut self, id: EffectId, owner: &Owner) {
        assert!(!self.alive.contains_key(owner), "a second process at {owner}");
        self.alive.insert(owner.clone(), id);
        self.born.insert(owner.clone(), self.now);
        let process = ProcessMark {
            pid: 1,
            start: id.0,
            boot: "b".to_owned(),
            unique: None,
            scope: owner.to_string(),
            container: self.container.clone(),
        };
        self.seen(1, id, Seen::Started { process });
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Say(input) => {
                self.give(input);
            }
            Event::Dies(id, owner, exit) => {
                if self.alive.get(&owner) == Some(&id) {
                    self.alive.remove(&owner);
                    let survivors = match self.kernel.state().effects.get(&id).map(|open| open.effect.clone()) {
                        Some(Effect::Work { run, phase, attempt }) => nth(&self.play_of(&run, phase).tries, attempt as usize - 1).survivors,
                        _ => Vec::new(),
                    };
                    self.exited(id, exit, survivors);
                }
            }
            Event::Starts(id, owner) => self.is_born(id, &owner),
            Event::Swept(id, owner) => {
                let Some(ends) = self.ending.get_mut(&owner).filter(|ends| ends.contains(&id)) else { return };
                // Once nothing is left, everybody who was to end it sees so.
                let ends = std::mem::take(ends);
                let left = self.stubborn.entry(owner.to_string()).or_default();
                if *left > 0 {
                    *left -= 1;
                    self.ending.insert(owner, ends.into_iter().filter(|end| *end != id).collect());
                    return self.seen(0, id, Seen::Ended { survivors: vec![77], killed: 0 });
                }
                if let Some(process) = self.alive.remove(&owner) {
                    self.exited(process, Exit::Signal(15), Vec::new());
                }
                for end in ends {
                    self.seen(0, end, Seen::Ended { survivors: Vec::new(), killed: 0 });
                }
            }
        }
    }

    pub(crate) fn exited(&mut self, id: EffectId, exit: Exit, survivors: Vec<u32>) {
        let contained = self.kernel.state().effects.get(&id).map(|open| open.owner.clone()).and_then(|owner| self.sweep_caught(&owner));
        let exit = if self.adopted.contains(&id) { Exit::Unseen } else { exit };
        let suspects = match self.kernel.state().effects.get(&id).map(|open| open.effect.clone()) {
            Some(Effect::Work { run, phase, attempt }) => nth(&self.play_of(&run, phase).tries, attempt as usize - 1).suspects,
            _ => Vec::new(),
        };
        let seen = Seen::Exited {
            exit,
            leftovers: 0,
            survivors,
            outputs: IndexMap::new(),
            artifacts: Vec::new(),
            usage: opensculpt::kernel::usage::Usage::default(),
            suspects,
            contained,
        };
        self.seen(0, id, seen);
    }

    /// What becomes of a phase; phases of different goals have different names. `g.2/a` is only for that run.
    fn play_of(&self, run: &RunId, phase: PhaseIx) -> Play {
        let name = self.run_of(run).plan.phase(phase).name.as_str().to_owned();
        self.plays.get(&format!("{run}/{name}")).or_else(|| self.plays.get(&name)).cloned().unwrap_or_default()
    }

    fn see(&mut self, look: Look) {
        let shown = match look {
            Look::Brief { run, phase } => {
                let play = self.play_of(&run, phase);
                let planned = self.run_of(&run).plan.phase(phase);
                let brief = Brief {
                    subjects: play.subjects.clone(),
                    wanted: play.wanted,
                    fingerprint: play.fingerprint.clone(),
                    outputs: IndexMap::new(),
                    checks: (0..planned.checks()).map(|check| format!("{}#{check}", planned.name)).collect(),
                    unconnected: play.unconnected.clone(),
                    ports: Vec::new(),
                };
                let brief = play.unbriefed.map_or(Ok(brief), |fault| Err((fault, "it cannot be rendered".to_owned())));
                Shown::Brief { run, phase, brief }
            }
            Look::Unexplained => {
                let here = self.alive.keys().map(ToString::to_string).chain(self.unknown.iter().cloned());
                let scopes = here.filter(|scope| !self.kernel.state().explains(scope, true)).collect();
                Shown::Unexplained { scopes, unseen: self.unseen.clone() }
            }
            Look::Try { question, about, .. } => {
                *self.tries_of_question.entry(question).or_default() += 1;
                Shown::Answer { question, answer: self.answer(&about) }
            }
            Look::Memory => Shown::Memory(self.memory.clone().unwrap()),
            Look::Around { by, over } => {
                let place = self.requested(by).to_string();
                let at = self.around.iter().position(|(around, _)| *around == place);
                let suspects = at.map(|at| self.around.remove(at).1).unwrap_or_default();
                self.rounds.push((place, over));
                Shown::Around { by, over, suspects }
            }
        };
        self.later(self.look_takes, Event::Say(Input::Shown(shown)));
    }

    /// The place of an effect, which may be over.
    fn requested(&self, by: EffectId) -> Owner {
        let asked = self.records.iter().rev().find_map(|(_, record)| match record {
            Record::Requested { id, owner, .. } if *id == by => Some(owner.clone()),
            _ => None,
        });
        asked.unwrap()
    }

    fn answer(&self, about: &About) -> Answer {
        match about {
            About::Check { run, phase, check, stage } => {
                let play = self.play_of(run, *phase);
                match stage {
                    Stage::Before => nth(&play.before, usize::from(*check)),
                    Stage::After => {
                        let attempt = self.run_of(run).phase(*phase).attempt as usize;
                        says(nth(&nth(&play.tries, attempt.saturating_sub(1)).after, usize::from(*check)))
                    }
                    Stage::Again | Stage::Gone => says(play.again),
                }
            }
            About::Ready { run, phase, resource } => {
                let plan = &self.run_of(run).plan;
                let owner = Owner::resource(&plan.goal, &plan.phase(*phase).name, resource);
                let Service { ready_after: ready, replaced, sick, .. } = self.play_of(run, *phase).service;
                if let Some((.., says)) = sick.iter().find(|(from, to, _)| (*from..*to).contains(&self.now)) {
                    return says.clone();
                }
                let age = self.alive.get(&owner).and(self.born.get(&owner)).map(|born| self.now - born);
                match (ready, age) {
                    (Some(ready), Some(age)) if age >= ready => Answer::pass("it listens"),
                    (_, None) if replaced => Answer::pass("somebody listens"),
                    _ => Answer::fail(Fault::ConnectionRefused, "connection refused"),
                }
            }
        }
    }

    /// Lets one thing happen; false where nothing would without somebody.
    pub(crate) fn step(&mut self) -> bool {
        let event = self.queue.first_key_value().map(|((at, _), _)| *at);
        let deadline = self.kernel.next_deadline().map(|at| at.0);
        match (event, deadline) {
            (Some(event), due) if due.is_none_or(|due| event <= due) => {
                self.now = self.now.max(event);
                if let Some((_, event)) = self.queue.pop_first() {
                    self.happen(event);
                }
            }
            (_, Some(due)) if self.kernel.is_busy() => {
                self.now = self.now.max(due);
                self.give(Input::Tick);
            }
            _ => {
                assert!(!self.kernel.is_busy(), "stalled: {:?}", self.standing());
                return false;
            }
        }
        true
    }

    /// Lets things happen until nothing more would.
    pub(crate) fn settle(&mut self) {
        let mut steps = 0_u64;
        while self.step() {
            steps += 1;
            assert!(steps < 3_000_000, "it never ends: {:?}", self.standing());
        }
    }

    /// Lets things happen until a person is asked, or nothing more would.
    pub(crate) fn settle_until_asked(&mut self) {
        while self.kernel.asked().is_empty() && self.step() {}
    }

    /// Lets things happen for so long.
    pub(crate) fn settle_for(&mut self, ms: u64) {
        self.until(self.now + ms);
    }

    /// Lets things happen until then, and due deadlines too, even when only a person is waited for.
    pub(crate) fn until(&mut self, at: u64) {
        loop {
            let event = self.queue.first_key_value().map(|((at, _), _)| *at);
            let due = self.kernel.next_deadline().map(|at| at.0);
            let Some(next) = event.into_iter().chain(due).min().filter(|next| *next <= at) else { break };
            self.now = self.now.max(next);
            if event == Some(next) {
                if let Some((_, event)) = self.queue.pop_first() {
                    self.happen(event);
                }
            } else {
                self.give(Input::Tick);
            }
        }
        self.now = at;
    }

    /// The process of a place is gone, and no engine has seen it.
    pub(crate) fn bury(&mut self, place: &str) {
        self.alive.remove(&place.parse::<Owner>().unwrap()).unwrap();
    }

    /// The process of a place ends by itself, now.
    pub(crate) fn exit(&mut self, place: &str, code: i32) {
        let owner: Owner = place.parse().unwrap();
        let id = *self.alive.get(&owner).unwrap_or_else(|| panic!("nothing runs at {place}: {:?}", self.standing()));
        self.later(0, Event::Dies(id, owner, Exit::Code(code)));
    }

    /// Kills the engine, and opens the journal with another: what the old one was told is lost, what is there stays.
    pub(crate) fn restart(&mut self) {
        let mut state = State::default();
        for (at, record) in &self.records {
            state.apply(Timestamp(*at), record).unwrap();
        }
        if self.folding {
            self.shadow = state.clone();
        }
        let marks = state.live_resources().filter_map(|resource| resource.process.as_ref());
        let at_work = state.effects.values().filter_map(|open| open.process.as_ref());
        let known: HashSet<u64> = marks.chain(at_work).map(|process| process.start).collect();
        let unknown = self.alive.iter().filter(|(_, id)| !known.contains(&id.0));
        let leftovers = unknown.map(|(owner, _)| owner.to_string()).collect();
        self.kernel = Kernel::new(state);
        self.deaths += 1;
        self.engines += 1;
        self.working.clear();
        self.ending.clear();
        self.queue.retain(|_, event| matches!(event, Event::Dies(..)));
        let alive: HashSet<EffectId> = self.alive.values().copied().collect();
        let open = self.kernel.state().effects.iter().filter(|(_, open)| open.process.is_some());
        let ended = open.map(|(id, _)| *id).filter(|id| !alive.contains(id)).collect();
        self.ask(Request::Open {
            version: "0".to_owned(),
            pid: 2,
            torn: 0,
            leftovers,
            ended,
            memory: self.memory.clone(),
            stop: self.stops.clone(),
        });
    }

    pub(super) fn standing(&self) -> Vec<String> {
        let run = self.run();
        let phases = run.plan.indexed().map(|(ix, planned)| format!("{}: {}", planned.name, run.phase(ix).state.word())).take(50);
        let last = self.records.iter().skip(self.records.len().saturating_sub(60)).filter(|(_, record)| record.event() != "run_started");
        phases.chain(last.map(|(at, record)| format!("{at} {record:?}").chars().take(240).collect())).collect()
    }

    /// Nothing of what the engine waits for is left behind in a run that is over.
    pub(crate) fn is_at_rest(&self) -> bool {
        let effects = self.kernel.state().effects.values();
        !self.kernel.is_busy() && effects.into_iter().all(|open| matches!(open.effect, Effect::Serve { .. }))
    }
}

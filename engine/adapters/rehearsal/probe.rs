//! The simulated world as a probe: what a look finds there, with the seed's doubts.

use super::cast::Role;
use super::faults::Kind;
use super::planned::strikes;
use super::simulation::Simulation;
use super::watch::Purpose;
use super::world::{Event, World};
use crate::adapters::local::ports::parse;
use crate::base::owner::Owner;
use crate::journal::permit::Permit;
use crate::kernel::action::{ProcessMark, Shown};
use crate::kernel::answer::{Answer, Said};
use crate::kernel::fault::Fault;
use crate::kernel::input::Input;
use crate::ports::job::Command;
use crate::ports::probe::{Asked, Probe, Probing};
use crate::ports::runtime::Tell;

impl Probe for Simulation {
    fn ask(&self, probing: Probing, permit: Option<&Permit>, tell: &Tell) {
        let mut world = self.world();
        if !world.acts() {
            return;
        }
        let Probing { question, place, timeout, asked } = probing;
        let answer = match asked {
            Asked::Look { kind, workspace, .. } => {
                let found = world.find(&place, &kind, &workspace);
                let what = serde_json::to_string(&kind).unwrap_or_default();
                world.doubt(&place, &what, found)
            }
            Asked::Contained { of, .. } => {
                let found = world.contained(&of);
                world.doubt(&place, "the container", found)
            }
            Asked::Inside { .. } => {
                let found = world.contained(&place);
                world.doubt(&place, "inside the container", found)
            }
            Asked::Serving { process, ports } => {
                let found = world.serves(process.as_ref(), &ports);
                world.doubt(&place, "serving", found)
            }
            Asked::Execute { command, contains, matches, .. } => {
                if let Some(permit) = permit {
                    let wanted = Wanted { contains, matches };
                    let (id, took) = world.check(tell, permit.owner(), &place, question, &command, &wanted);
                    let life = world.life;
                    if took {
                        world.later(timeout.0, Event::TooLate(life, id, timeout));
                    }
                    return;
                }
                Answer::unknown(Fault::CheckerBroken, "the command of this check has no permit")
            }
        };
        world.say(1, tell, Input::Shown(Shown::Answer { question, answer }));
    }
}

/// What the output of a check's command must have.
struct Wanted {
    contains: Option<String>,
    matches: Option<String>,
}

impl World {
    /// Whether a service listens on all of its ports, or, where it has none, whether it runs.
    fn serves(&self, process: Option<&ProcessMark>, ports: &[String]) -> Answer {
        let Some(mark) = process else { return Answer::fail(Fault::NotReady, "it was not started") };
        let Some(process) = self.marked(mark).and_then(|number| self.processes.get(&number)) else {
            return Answer::fail(Fault::ServiceExited, format!("process {} is gone", mark.pid));
        };
        for text in ports {
            let Some(port) = parse(text) else { return Answer::unknown(Fault::CheckerBroken, format!("`{text}` is not a port")) };
            if process.listens(port, self.elapsed) {
                continue;
            }
            return match self.holder(port) {
                Some(holder) => Answer::fail(Fault::PortTaken, format!("port {text} is held by {holder}, not by this service")),
                None => Answer::fail(Fault::NotReady, format!("nothing listens on port {text}")),
            };
        }
        Answer::pass(if ports.is_empty() { "it runs".to_owned() } else { format!("it listens on {}", ports.join(", ")) })
    }

    /// Whether the container of a place runs.
    fn contained(&self, place: &Owner) -> Answer {
        if self.processes.values().any(|process| process.owner == *place) {
            return Answer::pass("it runs");
        }
        Answer::fail(Fault::ServiceExited, "its container is gone")
    }

    /// Starts the command of a check. False where it could not be started.
    fn check(
        &mut self,
        tell: &Tell,
        owner: &Owner,
        place: &Owner,
        question: crate::kernel::action::QuestionId,
        command: &Command,
        wanted: &Wanted,
    ) -> (u64, bool) {
        let performance = self.cast.perform(owner, Role::Check, command);
        if performance.absent {
            let answer = Answer::unknown(Fault::MissingCommand, "its program is not there");
            self.say(1, tell, Input::Shown(Shown::Answer { question, answer }));
            return (0, false);
        }
        let answer = match (&self.plan, &performance.says) {
            (Some(_), _) => {
                let found = if self.is_so(place) { Answer::pass("exit 0") } else { Answer::fail(Fault::CheckFailed, "exit 1") };
                let what = command.argv.join(" ");
                self.doubt(place, &what, found)
            }
            (None, Some(text)) => wanted.weigh(text),
            (None, None) => Answer::pass("exit 0"),
        };
        let scope = self.fresh_scope(owner);
        let main = self.start(owner, Role::Check, &scope, &performance, &[]);
        (self.watch(tell, owner, &scope, main, Purpose::Check(question, answer)), true)
    }

    /// The answer that is given for what was found: the same, except for the seed's faults.
    fn doubt(&mut self, place: &Owner, what: &str, found: Answer) -> Answer {
        let key = format!("{place} {what}");
        let times = self.asked.entry(key.clone()).and_modify(|times| *times += 1).or_insert(1).to_owned();
        let of_phase = place.resource.is_none();
        let (seed, faults) = (self.seed, self.faults.clone());
        if let Some(mut stream) = strikes(seed, &faults, Kind::Unknown, &key) {
            let ever = of_phase && stream.chance(1, 2);
            if ever || times == 2 {
                self.note(Some(place), Kind::Unknown, "its check cannot be asked".to_owned());
                return Answer::unknown(Fault::CheckerBroken, "the checker could not run");
            }
        }
        if of_phase && strikes(seed, &faults, Kind::Vacuous, &key).is_some() {
            if found.said != Said::Pass {
                self.note(Some(place), Kind::Vacuous, "its check passes, although it is not so".to_owned());
            }
            return Answer::pass("it is so, whatever was done");
        }
        if of_phase && found.said == Said::Pass && strikes(seed, &faults, Kind::Red, &key).is_some() {
            self.note(Some(place), Kind::Red, "its check does not pass, although it should".to_owned());
            return Answer::fail(Fault::WrongAnswer, "another answer than was wanted");
        }
        if found.said == Said::Pass
            && strikes(seed, &faults, Kind::Flap, &key).is_some()
            && seed.stream(&format!("flap {key} {times}")).chance(1, 3)
        {
            self.note(Some(place), Kind::Flap, "its check fails for once".to_owned());
            return Answer::fail(Fault::WrongAnswer, "no answer for once");
        }
        found
    }
}

impl Wanted {
    fn weigh(&self, text: &str) -> Answer {
        if let Some(missing) = self.contains.as_ref().filter(|wanted| !text.contains(wanted.as_str())) {
            return Answer::fail(Fault::WrongAnswer, format!("its output does not contain `{missing}`"));
        }
        match self.matches.as_ref().map(|pattern| regex::Regex::new(pattern)) {
            Some(Ok(regex)) if !regex.is_match(text) => Answer::fail(Fault::WrongAnswer, format!("its output does not match `{regex}`")),
            Some(Err(error)) => Answer::unknown(Fault::CheckerBroken, error.to_string()),
            _ => Answer::pass("exit 0"),
        }
    }
}

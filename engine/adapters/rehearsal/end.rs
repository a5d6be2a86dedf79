//! Ending a place, as a host does: the stop signal, the rest, SIGKILL, and a look at what is left.

use super::process::Number;
use super::watch::{KILL_LIMIT, Purpose};
use super::world::{Event, World};
use crate::base::time::Span;
use crate::kernel::action::{EffectId, Seen, StopPolicy};
use crate::kernel::answer::Answer;
use crate::kernel::fault::Fault;
use crate::kernel::input::Input;
use crate::manifest::process::{Signal, StopTo};
use crate::ports::job::EndJob;
use crate::ports::runtime::Tell;

/// A place that is being ended.
#[derive(Debug)]
pub(super) struct Ending {
    id: EffectId,
    tell: Tell,
    scopes: Vec<String>,
    killed: u32,
}

impl World {
    /// Ends the processes of a place.
    pub(super) fn end(&mut self, tell: &Tell, id: EffectId, job: &EndJob) {
        self.stop_checks(job);
        let mut scopes: Vec<String> =
            self.watches.values().filter(|watch| watch.owner == job.owner).map(|watch| watch.scope.clone()).collect();
        scopes.extend(job.processes.iter().map(|mark| mark.scope.clone()));
        self.end_scopes(tell, id, scopes, job.stop);
    }

    /// Kills everybody in a scope.
    pub(super) fn sweep(&mut self, tell: &Tell, id: EffectId, scope: String) {
        self.end_scopes(tell, id, vec![scope], StopPolicy::KILL);
    }

    fn end_scopes(&mut self, tell: &Tell, id: EffectId, mut scopes: Vec<String>, stop: StopPolicy) {
        scopes.sort_unstable();
        scopes.dedup();
        let ending = self.number();
        let inside: Vec<Number> = scopes.iter().flat_map(|scope| self.inside(scope)).collect();
        self.endings.insert(ending, Ending { id, tell: tell.clone(), scopes, killed: 0 });
        if stop.signal == Signal::SigKill || stop.grace == Span(0) {
            for number in inside {
                self.kill_for_ending(number);
            }
        } else {
            for number in inside {
                let first = stop.to == StopTo::All || self.processes.get(&number).is_some_and(|process| process.main);
                // The rest is asked once the main process is gone.
                self.ask_to_end(number, Span(if first { 0 } else { 25 }));
                self.later(stop.grace.0, Event::Kill(self.life, number));
            }
        }
        self.later(stop.grace.0 + KILL_LIMIT.0, Event::LooksAgain(self.life, ending));
        self.endings_changed();
    }

    /// Kills a process, and counts it where a place is being ended.
    pub(super) fn kill_for_ending(&mut self, number: Number) {
        let Some(scope) = self.processes.get(&number).map(|process| process.scope.clone()) else { return };
        for ending in self.endings.values_mut().filter(|ending| ending.scopes.contains(&scope)) {
            ending.killed += 1;
        }
        self.kill(number);
    }

    /// Whoever waits for places that are empty by now is told.
    pub(super) fn endings_changed(&mut self) {
        let empty = |ending: &Ending| ending.scopes.iter().all(|scope| self.inside(scope).is_empty());
        let over: Vec<u64> = self.endings.iter().filter(|(_, ending)| empty(ending)).map(|(id, _)| *id).collect();
        for id in over {
            self.ending_over(id);
        }
    }

    /// The end of a place is over: what is seen now are the survivors.
    pub(super) fn ending_over(&mut self, id: u64) {
        let Some(ending) = self.endings.remove(&id) else { return };
        let left = ending.scopes.iter().flat_map(|scope| self.inside(scope));
        let survivors = left.filter_map(|number| self.processes.get(&number)).map(|process| process.pid).collect();
        self.say(1, &ending.tell, Input::Seen { id: ending.id, seen: Seen::Ended { survivors, killed: ending.killed } });
    }

    /// The commands of checks that are at work at a place are killed before it is ended.
    fn stop_checks(&mut self, job: &EndJob) {
        let at_work = self.watches.iter().filter(|(_, watch)| watch.owner == job.owner && matches!(watch.purpose, Purpose::Check(..)));
        for id in at_work.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.stop_check(id, Answer::unknown(Fault::Stopped, "its command was stopped"));
        }
    }

    /// A check's command has used up its time.
    pub(super) fn check_late(&mut self, id: u64, timeout: Span) {
        self.stop_check(id, Answer::unknown(Fault::TimedOut, format!("its command took longer than {timeout}")));
    }

    fn stop_check(&mut self, id: u64, instead: Answer) {
        let Some(watch) = self.watches.get_mut(&id) else { return };
        if let Purpose::Check(_, answer) = &mut watch.purpose {
            *answer = instead;
        }
        let scope = watch.scope.clone();
        for number in self.inside(&scope) {
            self.kill(number);
        }
    }
}

//! What an attempt asks of its checks, before the work and after it, and what their answers make of it.

use super::action::{About, Exit};
use super::answer::{Answer, Said, Stage};
use super::attempt::{Doing, Ending};
use super::fault::Fault;
use super::input::At;
use super::outcome::{Outcome, Proof};
use super::question::{Asker, Patience};
use super::record::Record;
use super::turn::Turn;
use crate::manifest::check::{Check, DEFAULT_INTERVAL, DEFAULT_TIMEOUT};

/// How patiently a check is asked.
pub(super) fn patience(check: &Check, before: bool) -> Patience {
    let interval = check.interval.unwrap_or(DEFAULT_INTERVAL);
    Patience {
        timeout: check.timeout.unwrap_or(DEFAULT_TIMEOUT),
        // Before the work one look is enough: what passes only after retries was not there.
        retries: Some(if before { 0 } else { check.retries.unwrap_or(0) }),
        interval: (interval, interval),
        until: None,
    }
}

impl Turn<'_> {
    /// Asks the checks that have no answer from before the work.
    pub(super) fn ask_before(&mut self, at: &At) {
        let Some(run) = self.run(&at.run) else { return };
        let unasked = run.phase(at.phase).unasked();
        if let Some(attempt) = self.live.attempt(at) {
            attempt.doing = Doing::Asking(unasked.len());
        }
        if unasked.is_empty() {
            return self.asked_before(at);
        }
        for check in unasked {
            self.ask_check(at, check, Stage::Before);
        }
    }

    /// Asks one check.
    pub(super) fn ask_check(&mut self, at: &At, check: usize, stage: Stage) {
        let Some(run) = self.run(&at.run) else { return };
        let Some(declared) = run.plan.phase(at.phase).spec.verify.as_ref().and_then(|verify| verify.checks.get(check)) else { return };
        let patience = patience(declared, stage == Stage::Before);
        let check = u16::try_from(check).unwrap_or(u16::MAX);
        let about = About::Check { run: at.run.clone(), phase: at.phase, check, stage };
        self.ask(about, Asker::Check { at: at.clone(), check, stage }, patience);
    }

    /// A check of this attempt has its answer.
    pub(super) fn check_answered(&mut self, at: &At, check: u16, stage: Stage, answer: Answer) {
        self.record(Record::Answered { run: at.run.clone(), phase: at.phase, check, stage, answer });
        let Some(attempt) = self.live.attempt(at) else { return };
        match &mut attempt.doing {
            Doing::Asking(left) if stage == Stage::Before => {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.asked_before(at);
                }
            }
            Doing::Checking(left) if stage == Stage::After => {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.checked(at);
                }
            }
            _ => {}
        }
    }

    /// All steps are done: the checks are asked.
    pub(super) fn check(&mut self, at: &At) {
        self.free_slot(at);
        let outputs = self.run(&at.run).map(|run| run.phase(at.phase).written.clone()).unwrap_or_default();
        self.record(Record::Worked { run: at.run.clone(), phase: at.phase, outputs });
        self.ask_after(at);
    }

    /// Asks the checks that have no answer from after the work.
    pub(super) fn ask_after(&mut self, at: &At) {
        let unchecked = self.run(&at.run).map(|run| run.phase(at.phase).unchecked()).unwrap_or_default();
        if let Some(attempt) = self.live.attempt(at) {
            attempt.doing = Doing::Checking(unchecked.len());
        }
        if unchecked.is_empty() {
            return self.checked(at);
        }
        for check in unchecked {
            self.ask_check(at, check, Stage::After);
        }
    }

    /// Every check has its answer.
    fn checked(&mut self, at: &At) {
        let Some(run) = self.run(&at.run) else { return };
        let phase = run.phase(at.phase);
        let planned = run.plan.phase(at.phase);
        let said = |wanted: Said| {
            phase.after.iter().enumerate().find_map(|(index, answer)| {
                let answer = answer.as_ref().filter(|answer| answer.said == wanted)?;
                Some((answer.fault.unwrap_or(Fault::CheckFailed), format!("check {}: {}", index + 1, answer.evidence)))
            })
        };
        let unseen = phase.exit == Some(Exit::Unseen);
        if let Some((_, why)) = said(Said::Fail).or_else(|| said(Said::Unknown)).filter(|_| unseen) {
            return self.fail(at, Fault::EngineDied, format!("its command ended while no engine watched, and {why}"));
        }
        if let Some((fault, mut why)) = said(Said::Fail) {
            if phase.leftovers > 0 {
                let (n, s) = (phase.leftovers, if phase.leftovers == 1 { "" } else { "es" });
                why = format!(
                    "{why}; the command left {n} process{s} behind, which ended with it: what must live on is a resource (`process:`)"
                );
            }
            if phase.contained > 0 {
                let (n, s) = (phase.contained, if phase.contained == 1 { "" } else { "s" });
                why = format!(
                    "{why}; the command left {n} thing{s} in the container engine, which ended with it: what must live on is a resource \
                     (`container:`), or kept (`capabilities: {{ docker: [keep] }}`)"
                );
            }
            return self.fail(at, fault, why);
        }
        if let Some((fault, why)) = said(Said::Unknown) {
            return self.close(at, Ending::Phase { outcome: Outcome::Unknown, proof: Proof::None, fault: Some(fault), why });
        }
        if let Some((fault, dead)) = self.dead_promise(at) {
            return self.fail(at, fault, dead);
        }
        let goal = &self.state.goals[&run.plan.goal];
        let verdict = super::proof::weigh(planned, phase, goal);
        // What no engine saw to end well is believed only where its checks were seen to fail before it.
        let (verdict, believed) = if unseen { super::proof::believe(verdict) } else { (verdict, true) };
        if !believed {
            let why = "its command ended while no engine watched, and its checks were never seen to fail".to_owned();
            return self.fail(at, Fault::EngineDied, why);
        }
        let ask = planned.tier() == crate::manifest::verify::Tier::AskUser && phase.reply.is_none();
        if ask {
            let question = planned.spec.verify.as_ref().and_then(|verify| verify.question.clone());
            let question = question.unwrap_or_else(|| format!("Is {} right?", planned.name));
            self.record(Record::Asked { run: at.run.clone(), phase: at.phase, question });
            if let Some(attempt) = self.live.attempt(at) {
                attempt.doing = Doing::Person;
            }
            return;
        }
        self.close(at, verdict);
    }
}

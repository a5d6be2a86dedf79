//! The proof rule: green means that a check which has been seen to fail now passes.
//!
//! | before the work | after it | earlier runs            | proof    | outcome    |
//! |-----------------|----------|-------------------------|----------|------------|
//! | fail            | pass     | –                       | proven   | verified   |
//! | 127: no such program | pass | –                      | proven   | verified   |
//! | pass or unknown | pass     | `once` and a red is recorded | once | verified   |
//! | pass or unknown | pass     | –                       | unproven | unverified |
//! | any             | pass     | `red_before_green: false` | waived | verified   |
//! | pass            | –        | same hash proved, alive | already  | verified   |
//!
//! A phase without work is asked after the work of others too; a pass before it is `already` where the same hash was proved.
//! So is one whose work a person wanted done anew. A phase that is carried over keeps the proof that it had.
//!
//! Several checks count as their weakest. A declared port that no check connects to leaves the phase unverified:
//! what cannot be curled is not deployed.

use super::action::RunId;
use super::answer::{Answer, Said};
use super::attempt::Ending;
use super::fault::Fault;
use super::input::At;
use super::outcome::{Outcome, Proof};
use super::resource::ResourceState;
use super::state::{Goal, PhaseRun};
use super::turn::Turn;
use crate::base::owner::Owner;
use crate::manifest::resource::Scope;
use crate::manifest::verify::{RedBeforeGreen, Tier};
use crate::plan::sealed::PlannedPhase;

/// Weighs a phase whose checks all pass.
pub(super) fn weigh(planned: &PlannedPhase, phase: &PhaseRun, goal: &Goal) -> Ending {
    let end = |outcome, proof, why: String| Ending::Phase { outcome, proof, fault: None, why };
    if let Some(reply) = &phase.reply {
        return if reply.yes {
            let text = reply.text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            end(Outcome::Verified, Proof::Person, format!("{} said yes{text}", reply.by))
        } else {
            Ending::Phase {
                outcome: Outcome::Failed,
                proof: Proof::Person,
                fault: Some(Fault::Refused),
                why: format!("{} said no{}", reply.by, reply.text.as_ref().map(|text| format!(": {text}")).unwrap_or_default()),
            }
        };
    }
    let Some(verify) = planned.spec.verify.as_ref().filter(|verify| verify.tier != Tier::None) else {
        return end(Outcome::Unverified, Proof::None, "nothing verifies it".to_owned());
    };
    if verify.checks.is_empty() && verify.tier == Tier::Auto {
        return end(Outcome::Unverified, Proof::None, "it declares no check".to_owned());
    }
    let mut weakest = Proof::Proven;
    let mut why = String::new();
    for (index, check) in verify.checks.iter().enumerate() {
        let rule = check.red_before_green.or(verify.red_before_green).unwrap_or_default();
        let before = phase.before.get(index).and_then(Option::as_ref);
        let red_once = phase.brief.checks.get(index).is_some_and(|key| goal.reds.contains(key));
        let proof = match (rule, before.map(|answer| answer.said)) {
            (RedBeforeGreen::Waived, _) => Proof::Waived,
            (_, Some(_)) if before.is_some_and(Answer::is_red) => Proof::Proven,
            (RedBeforeGreen::Once, _) if red_once => Proof::Once,
            _ => Proof::Unproven,
        };
        if proof == Proof::Unproven && weakest != Proof::Unproven {
            why = match before {
                Some(answer) if answer.said == Said::Pass => format!("check {} passed before the work did", index + 1),
                Some(answer) => format!(
                    "check {} could not be asked before the work: {}; what only the work can tell proves nothing by itself",
                    index + 1,
                    answer.evidence
                ),
                None => format!("check {} was not asked before the work", index + 1),
            };
        }
        if weight(proof) > weight(weakest) {
            weakest = proof;
        }
    }
    let anew = goal.run.as_ref().is_some_and(|run| run.options.does_anew());
    if weakest == Proof::Unproven && (!planned.works() || anew) && passed_before(phase) {
        // It is about the work of others, or was done anew as asked, and an earlier run has seen its red.
        if let Some(proved) = goal.proofs.get(&planned.name).filter(|proved| proved.fingerprint == phase.brief.fingerprint) {
            return end(Outcome::Verified, Proof::Already, format!("proved by {}", proved.run));
        }
    }
    if weakest == Proof::Unproven {
        return end(Outcome::Unverified, weakest, why);
    }
    if let Some(port) = phase.brief.unconnected.first() {
        return end(Outcome::Unverified, Proof::Unproven, format!("no check connects to port {port}"));
    }
    let count = verify.checks.len();
    let (s, es) = if count == 1 { ("", "es") } else { ("s", "") };
    let why = match weakest {
        Proof::Waived => format!("{count} check{s} pass{es}; proof is waived"),
        Proof::Once => format!("{count} check{s} pass{es}; an earlier run saw the red"),
        _ => format!("{count} check{s} red before, green after"),
    };
    end(Outcome::Verified, weakest, why)
}

/// What a phase amounts to whose command ended while no engine watched, and whether that may be believed: its checks must be proven.
pub(super) fn believe(verdict: Ending) -> (Ending, bool) {
    match verdict {
        Ending::Phase { outcome, proof: proof @ (Proof::Proven | Proof::Once), fault, why } => {
            let why = format!("{why}; its command ended while no engine watched");
            (Ending::Phase { outcome, proof, fault, why }, true)
        }
        other => (other, false),
    }
}

/// True where every check passed before the work.
fn passed_before(phase: &PhaseRun) -> bool {
    !phase.before.is_empty() && phase.before.iter().all(|answer| answer.as_ref().is_some_and(|answer| answer.said == Said::Pass))
}

/// How weak a proof is.
const fn weight(proof: Proof) -> u8 {
    match proof {
        Proof::Proven | Proof::Already | Proof::Person => 0,
        Proof::Once => 1,
        Proof::Waived => 2,
        Proof::Unproven | Proof::None => 3,
    }
}

impl Turn<'_> {
    /// The run that has proved the phase already: its checks pass, it amounts to the same, and what it made is alive.
    pub(super) fn is_already(&self, at: &At) -> Option<RunId> {
        let run = self.run(&at.run)?;
        let (planned, phase) = (run.plan.phase(at.phase), run.phase(at.phase));
        if run.options.does_anew() || !passed_before(phase) || planned.tier() != Tier::Auto || !planned.works() {
            return None;
        }
        let goal = self.state.goals.get(&run.plan.goal)?;
        let proved = goal.proofs.get(&planned.name).filter(|proved| proved.fingerprint == phase.brief.fingerprint)?;
        let alive = planned.spec.resources.iter().filter(|(_, declared)| declared.scope == Scope::Goal).all(|(name, _)| {
            let owner = Owner::resource(&run.plan.goal, &planned.name, name);
            goal.resources.get(&owner).is_some_and(|resource| resource.state == ResourceState::Ready && resource.exit.is_none())
        });
        alive.then(|| proved.run.clone())
    }
}

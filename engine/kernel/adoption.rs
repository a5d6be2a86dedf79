//! Adoption: a person says that what is suspected is the goal's. From then on it is a resource of it, and goes with it.
//!
//! | somebody adopts                                     | then |
//! |------------------------------------------------------|------|
//! | what nothing is known of, or is not suspected         | refused, with what is suspected |
//! | what was adopted before, and is there still           | refused: it is the goal's |
//! | anything of a goal that goes down                     | refused, until it is down |
//! | what is not exactly known, so that nothing else would be removed with it | refused: only a person can remove that |
//! | what a look does not find as it was seen, or not at all | refused, with what was found |
//! | anything else                                         | recorded: who, when, and what |
//!
//! | it is then    | until |
//! |---------------|-------|
//! | ready         | its goal goes down, or is run with `--once`: it is removed before whatever was there when it was started |
//! | a leak        | what was not as it was seen, or would not go, is gone |
//!
//! What a person has adopted is wanted: no collection ends it, whatever became of the attempt that had started it.

use serde::{Deserialize, Serialize};

use super::input::Refusal;
use super::record::Record;
use super::resource::ResourceState;
use super::state::{Goal, State};
use super::stock::{Kind, Resource};
use super::suspect::{Subject, Suspected};
use super::turn::Turn;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::manifest::resource::Scope;
use crate::plan::sealed::PhaseIx;

/// What a look at a suspect has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is there, exactly as it was seen.
    AsSeen,
    /// It is there and is not as it was seen: why, in words.
    Changed(String),
    /// It is not there any more.
    Gone,
    /// It could not be looked at: why, in words.
    Unknown(String),
}

/// What a person has adopted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    /// What it is.
    pub subject: Subject,
    /// Who adopted it.
    pub by: String,
}

impl Subject {
    /// Why it cannot be told from everything else on the host; none where it can.
    pub fn inexact(&self) -> Option<&'static str> {
        const OLD: &str = "nobody has seen exactly enough of it: an older sculpt had looked";
        let is_altered = |line: &String| line.ends_with('…') || line.contains("***");
        match self {
            Self::Crontab { path, mark: None, .. } if is_script(path) => {
                Some("it is a script that was there before, and not a table: without some of its lines it is another one")
            }
            Self::Crontab { lines, .. } if lines.is_empty() => Some("its lines could not be read when it was seen"),
            Self::Crontab { more: 1.., .. } => Some("more of its lines are new than were written down"),
            Self::Crontab { lines, .. } if lines.iter().any(is_altered) => {
                Some("a line of it is too long to be written down, or a secret stands in it")
            }
            Self::AtJob { job: None, .. } => Some("its folder could not be looked into when it was seen"),
            Self::DockerContext { name: None, .. } => Some("its name could not be read when it was seen"),
            Self::DockerContext { path, .. } if path.ends_with("config.json") => None,
            Self::Unit { mark: None, .. } => Some("it was there before and was changed, or an older sculpt had looked"),
            Self::AtJob { mark: None, .. } | Self::DockerContext { mark: None, .. } => Some(OLD),
            _ => None,
        }
    }
}

/// Whether cron runs a file as it is, and does not read it as a table.
fn is_script(path: &str) -> bool {
    ["hourly", "daily", "weekly", "monthly"].iter().any(|often| path.starts_with(&format!("/etc/cron.{often}/")))
}

impl State {
    /// What is suspected at a place, where somebody may adopt it.
    ///
    /// # Errors
    /// Where nobody may.
    pub fn adoptable(&self, owner: &Owner) -> Result<&Suspected, Refusal> {
        let goal = self.goals.get(&owner.goal).ok_or_else(|| Refusal::NoGoal { goal: owner.goal.clone() })?;
        if goal.falling {
            return Err(Refusal::Falling { goal: owner.goal.clone() });
        }
        let Some(known) = goal.suspects.iter().rev().find(|known| known.place() == *owner) else {
            if let Some(adopted) = goal.resources.get(owner).filter(|made| made.state.is_live()).and_then(|made| made.adopted.as_ref()) {
                return Err(Refusal::AdoptedBefore { owner: owner.clone(), by: adopted.by.clone() });
            }
            let suspected = self.goals.values().flat_map(|goal| &goal.suspects).map(Suspected::place).collect();
            return Err(Refusal::NotSuspected { owner: owner.clone(), suspected });
        };
        match known.suspect.subject.inexact() {
            Some(why) => Err(Refusal::NotAdopted { owner: owner.clone(), why: why.to_owned() }),
            None => Ok(known),
        }
    }

    /// Somebody has adopted it: it is the goal's, and suspected of nobody any more.
    pub(super) fn adopt_suspect(&mut self, at: Timestamp, owner: &Owner, suspected: &Suspected, by: &str) {
        for goal in self.goals.values_mut() {
            goal.suspects.retain(|known| !known.suspect.subject.is(&suspected.suspect.subject));
        }
        let Some(goal) = self.goals.get_mut(&owner.goal) else { return };
        let resource = adopted(goal, at, owner, suspected, by);
        goal.resources.shift_remove(owner);
        goal.resources.insert(owner.clone(), resource);
    }

    /// Whether it is some goal's already, exactly as it was seen now.
    pub(super) fn has_adopted(&self, subject: &Subject) -> bool {
        self.live_resources().filter_map(|made| made.adopted.as_ref()).any(|adopted| adopted.subject == *subject)
    }
}

fn adopted(goal: &Goal, at: Timestamp, owner: &Owner, suspected: &Suspected, by: &str) -> Resource {
    let runs = || goal.run.iter().chain(&goal.older);
    let run = runs().find(|run| run.id == suspected.run).or(goal.run.as_ref());
    let planned = owner.phase.as_ref().and_then(|phase| run?.plan.find(phase.as_str()));
    let (phase, wave) = planned.map_or((PhaseIx(0), 0), |(ix, planned)| (ix, planned.wave));
    let mut resource = Resource::at(owner.clone(), Kind::Adopted, &suspected.run, phase, suspected.attempt, at);
    resource.state = ResourceState::Ready;
    resource.scope = Scope::Goal;
    resource.created = true;
    // It may use whatever its phase had made. What makes a context the current one goes before that context.
    let is_current = matches!(&suspected.suspect.subject, Subject::DockerContext { path, .. } if path.ends_with("config.json"));
    resource.rank = (wave, u32::MAX - u32::from(!is_current));
    resource.evidence = format!("adopted by {by}");
    resource.adopted = Some(Box::new(Adoption { subject: suspected.suspect.subject.clone(), by: by.to_owned() }));
    resource
}

impl Turn<'_> {
    /// Somebody adopts what is suspected at a place; a look has just found this of it.
    pub(super) fn adopt_suspected(&mut self, owner: Owner, by: String, found: Option<Found>) {
        let suspected = match self.state.adoptable(&owner) {
            Ok(suspected) => Box::new(suspected.clone()),
            Err(refusal) => return self.refuse(refusal),
        };
        let why = match found {
            Some(Found::AsSeen) => return self.record(Record::SuspectAdopted { owner, suspected, by }),
            Some(Found::Gone) => "it is not there any more".to_owned(),
            Some(Found::Changed(why)) => format!("it is not as it was seen: {why}"),
            Some(Found::Unknown(why)) => format!("it cannot be looked at: {why}"),
            None => "nobody has looked at it".to_owned(),
        };
        self.refuse(Refusal::NotAdopted { owner, why });
    }
}

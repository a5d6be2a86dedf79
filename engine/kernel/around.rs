//! Looks around what may leave something behind beside a phase's own command: a service, the commands of a custom resource.
//!
//! | it is looked around                        | when                                | since                     |
//! |--------------------------------------------|-------------------------------------|---------------------------|
//! | a service                                  | it is ready, or ended before it was | before it was started     |
//! | a service that was ready                   | it has ended                        | it was ready              |
//! | a custom resource                          | it is made, destroyed, or could not be | before its first command |
//! | a phase's command                          | it has ended: its exit tells        | before it was started     |
//! | a container, a check, a secret's command   | never                               |                           |
//!
//! Such a look is taken beside whatever follows: nothing waits for it, least of all a restart; only the goal is under way until it is told.
//!
//! | it finds                                            | then it is suspected of |
//! |------------------------------------------------------|------------------------|
//! | what is new                                          | the resource           |
//! | what somebody else of its phase is suspected of too  | the phase: which of the two it was is not known |
//! | after a service was ready: what is suspected or adopted exactly so | nobody else: around whom it was found, it was looked for a shorter time |

use super::action::{Effect, EffectId, Look, RunId};
use super::record::Record;
use super::state::State;
use super::stock::Kind;
use super::suspect::{Subject, Suspect};
use super::turn::Turn;
use crate::base::owner::Owner;

/// A look that is under way.
#[derive(Debug)]
pub(super) struct Around {
    /// Who is looked around.
    pub(super) owner: Owner,
    run: RunId,
    attempt: u32,
    /// Whether it was ready before, so that the look is at a long time.
    long: bool,
}

impl State {
    /// Around whom it is looked with an effect; none where it is looked around nobody.
    pub(super) fn looked_at(&self, id: EffectId) -> Option<Around> {
        let open = self.effects.get(&id)?;
        let made = self.resource(&open.owner)?;
        let (run, attempt, long) = match &open.effect {
            Effect::Serve { run, attempt, .. } if made.kind == Kind::Process => (run, *attempt, made.made_by == id && made.restarts.ready),
            Effect::Make { run, attempt, .. } if made.kind == Kind::Custom => (run, *attempt, false),
            Effect::Remove if made.kind == Kind::Custom => (&made.run, made.attempt, false),
            _ => return None,
        };
        Some(Around { owner: open.owner.clone(), run: run.clone(), attempt, long })
    }

    /// What of it is not suspected or adopted exactly so already.
    fn unexplained(&self, mut suspect: Suspect) -> Option<Suspect> {
        let suspected = self.goals.values().flat_map(|goal| &goal.suspects).map(|known| &known.suspect.subject);
        let adopted = self.live_resources().filter_map(|made| made.adopted.as_ref()).map(|adopted| &adopted.subject);
        for known in suspected.chain(adopted) {
            match (&mut suspect.subject, known) {
                (Subject::Crontab { path, lines, mark, .. }, Subject::Crontab { path: same, lines: others, .. })
                    if path == same && !lines.is_empty() =>
                {
                    let all = lines.len();
                    lines.retain(|line| !others.contains(line));
                    if lines.is_empty() {
                        return None;
                    }
                    // Then not all of the table is what is suspected here.
                    *mark = mark.filter(|_| lines.len() == all);
                }
                (subject, known) if *subject == *known || subject.process().is_some() && subject.is(known) => return None,
                _ => {}
            }
        }
        Some(suspect)
    }
}

impl Turn<'_> {
    /// A service is ready, and it is looked what it may have started until then.
    pub(super) fn service_is_ready(&mut self, owner: Owner, evidence: String) {
        let by = self.state.resource(&owner).map(|made| made.made_by);
        let around = by.and_then(|by| Some((by, self.state.looked_at(by)?)));
        self.record(Record::ResourceReady { owner, evidence });
        if let Some((by, around)) = around {
            self.look_around(by, false, Around { long: false, ..around });
        }
    }

    /// Asks for the look.
    pub(super) fn look_around(&mut self, by: EffectId, over: bool, around: Around) {
        self.live.around.insert((by, over), around);
        self.look(Look::Around { by, over });
    }

    /// It was looked.
    pub(super) fn looked_around(&mut self, by: EffectId, over: bool, found: Vec<Suspect>) {
        let Some(Around { owner, run, attempt, long }) = self.live.around.remove(&(by, over)) else { return };
        let new = |suspect| if long { self.state.unexplained(suspect) } else { Some(suspect) };
        let suspects: Vec<Suspect> = found.into_iter().filter_map(new).collect();
        if !suspects.is_empty() {
            self.record(Record::Suspected { owner, run, attempt, suspects });
        }
    }
}

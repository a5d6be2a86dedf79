//! What a suspect is called: a short name of what it is and which one, in the phase that it may be of.
//!
//! | it is                                    | its name |
//! |------------------------------------------|----------|
//! | a unit of the system, or of the user     | `suspect:unit-poll.timer`, `suspect:user-unit-poll.timer` |
//! | lines of a user's crontab, or of a table | `suspect:crontab-ann`, `suspect:cron-backup` |
//! | a job of `at`                            | `suspect:at-12` |
//! | a process, in a pane or window too       | `suspect:process-4711`, `suspect:tmux-4711`, `suspect:screen-4711` |
//! | another context, or one that became the current one | `suspect:context-far`, `suspect:current-context-far` |
//! | where something else of its phase has that name | `suspect:crontab-ann-0a1b2c`, with a few letters of its own |

use super::suspect::{Manager, Subject, Suspected};
use crate::base::digest::Digest;
use crate::base::name::Name;
use crate::base::owner::Owner;

/// Begins the name of a suspect in its phase: no resource of a manifest can have such a name.
const PREFIX: &str = "suspect:";

impl Suspected {
    /// Its place: what it is called in its phase. A letter that a shell, or a place, reads otherwise is not in it.
    pub fn place(&self) -> Owner {
        let subject = &self.suspect.subject;
        let is_plain = |letter: &char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | '@');
        let mut name: String = subject.short_name().chars().map(|letter| if is_plain(&letter) { letter } else { '_' }).collect();
        if self.is_namesake {
            name = format!("{name}-{}", subject.distinction());
        }
        Owner { resource: Some(Name::new(format!("{PREFIX}{name}"))), ..self.owner.clone() }
    }
}

impl Subject {
    /// What it is called in its phase, for a person to write: what it is and which one.
    fn short_name(&self) -> String {
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        match self {
            Self::Unit { name, manager: Manager::System, .. } => format!("unit-{name}"),
            Self::Unit { name, manager: Manager::User, .. } => format!("user-unit-{name}"),
            Self::Crontab { user: Some(user), .. } => format!("crontab-{user}"),
            Self::Crontab { user: None, path, .. } => format!("cron-{}", last(path)),
            Self::AtJob { job: Some(job), .. } => format!("at-{job}"),
            Self::AtJob { job: None, path, .. } => format!("at-{}", last(path)),
            Self::Tmux { process, .. } => format!("tmux-{}", process.pid),
            Self::Screen { process, .. } => format!("screen-{}", process.pid),
            Self::DockerContext { name, path, .. } => {
                let what = if path.ends_with("config.json") { "current-context" } else { "context" };
                format!("{what}-{}", name.clone().unwrap_or_else(|| last(path)))
            }
            Self::Process { process } => format!("process-{}", process.pid),
        }
    }

    /// What tells it from others of its short name, in a few letters.
    fn distinction(&self) -> String {
        let identity = match (self, self.process()) {
            (_, Some(process)) => format!("{} {} {}", process.pid, process.start, process.boot),
            (Self::Crontab { path, lines, .. }, None) => format!("{path}\n{}", lines.join("\n")),
            (_, None) => self.path().unwrap_or_default().to_owned(),
        };
        let digest = Digest::of(identity.as_bytes()).hex();
        digest.iter().take(6).map(|digit| char::from(*digit)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;
    use crate::kernel::action::RunId;
    use crate::kernel::state::Goal;
    use crate::kernel::suspect::{Rank, Suspect};

    #[test]
    fn each_has_a_name_of_its_own_in_its_phase_and_keeps_it() {
        let (owner, run) = (Owner::phase(&Name::from("crm"), &Name::from("build")), RunId("crm.1".to_owned()));
        let line = |text: &str| {
            let subject =
                Subject::Crontab { user: Some("root".into()), path: "/c/root".into(), lines: vec![text.into()], more: 0, mark: None };
            Suspect { subject, rank: Rank::Marked, evidence: "new".to_owned(), when: Timestamp(1) }
        };
        let job = Subject::AtJob { job: Some(12), path: "/a".into(), mark: None };
        let job = Suspect { subject: job, ..line("") };
        let mut goal = Goal::default();
        let places = |goal: &Goal| goal.suspects.iter().map(|known| known.place().to_string()).collect::<Vec<_>>();
        goal.suspect(&owner, &run, 1, &[job, line("one")]);
        assert_eq!(places(&goal), ["crm/build/suspect:at-12", "crm/build/suspect:crontab-root"]);
        goal.suspect(&owner, &run, 2, &[line("two"), line("one")]);
        let told = places(&goal);
        assert!(told[1].starts_with("crm/build/suspect:crontab-root-") && told[1].len() == "crm/build/suspect:crontab-root-abcdef".len());
        assert_eq!(told[2], "crm/build/suspect:crontab-root", "the first keeps its name, and its line");
        let subject = Subject::Unit { name: r"a/b\x2d$(c).timer".into(), manager: Manager::User, path: "/u".into(), mark: None };
        goal.suspect(&owner, &run, 2, &[Suspect { subject, ..line("") }]);
        assert_eq!(places(&goal)[3], "crm/build/suspect:user-unit-a_b_x2d__c_.timer");
        assert!(places(&goal).iter().all(|place| place.parse::<Owner>().expect(place).to_string() == *place));
    }
}

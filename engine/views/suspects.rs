//! What may be of a goal though nothing of ours holds it, as it is shown: what it is, why, and how to look at it and remove it by hand.

use serde::Serialize;

use super::outside::Outside;
use crate::kernel::adoption::Adoption;
use crate::kernel::state::Goal;
use crate::kernel::suspect::{Manager, Rank, Stray, Subject, Suspected};

/// Something that an attempt may have started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SuspectStatus {
    /// What it is: `unit`, `crontab`, `at`, `tmux`, `screen`, `docker-context`, `process`.
    pub kind: &'static str,
    /// Which one, in words.
    pub what: String,
    /// How strong the evidence is.
    pub rank: Rank,
    /// Why it is suspected.
    pub evidence: String,
    /// The phase that it may be of, or the resource of it.
    pub owner: String,
    /// Its run.
    pub run: String,
    /// Its attempt, from 1.
    pub attempt: u32,
    /// When it appeared or was changed, RFC 3339.
    pub since: String,
    /// The command that shows it.
    pub look: String,
    /// The command that removes it, or opens what is to be edited. Nobody but a person runs it.
    pub remove: String,
    /// Its place, for a person to write.
    pub place: String,
    /// The command that gives it to its goal; none where it is not known exactly enough for that.
    pub adopt: Option<String>,
}

/// What is suspected of a goal and still there, the strongest first.
pub(super) fn suspected(goal: &Goal, outside: &Outside<'_>) -> Vec<SuspectStatus> {
    let mut found: Vec<SuspectStatus> =
        goal.suspects.iter().filter(|known| (outside.there)(&known.suspect.subject)).map(suspect_status).collect();
    found.sort_by_key(|suspect| suspect.rank);
    found
}

/// One sentence about them, where there are some that carry a mark or name the workspace. A coincidence is not worth one.
pub fn in_short(suspects: &[SuspectStatus]) -> Option<String> {
    let marked: Vec<&SuspectStatus> = suspects.iter().filter(|suspect| suspect.rank == Rank::Marked).collect();
    let first = marked.first()?;
    let more = if marked.len() > 1 { format!(" and {} more", marked.len() - 1) } else { String::new() };
    Some(format!("suspected: {} {}{more} may run on outside of it", first.kind, first.what))
}

fn suspect_status(known: &Suspected) -> SuspectStatus {
    let subject = &known.suspect.subject;
    let (look, remove) = by_hand(subject);
    let place = known.place().to_string();
    let adopt = subject.inexact().is_none().then(|| format!("sculpt adopt {}", word(&place)));
    SuspectStatus {
        kind: kind(subject),
        what: what(subject),
        rank: known.suspect.rank,
        evidence: known.suspect.evidence.clone(),
        owner: known.owner.to_string(),
        run: known.run.to_string(),
        attempt: known.attempt,
        since: known.suspect.when.to_string(),
        look,
        remove,
        place,
        adopt,
    }
}

/// What was adopted, in words: what it is, and which one.
pub fn adopted(adoption: &Adoption) -> String {
    format!("{} {}", kind(&adoption.subject), what(&adoption.subject))
}

const fn kind(subject: &Subject) -> &'static str {
    match subject {
        Subject::Unit { .. } => "unit",
        Subject::Crontab { .. } => "crontab",
        Subject::AtJob { .. } => "at",
        Subject::Tmux { .. } => "tmux",
        Subject::Screen { .. } => "screen",
        Subject::DockerContext { .. } => "docker-context",
        Subject::Process { .. } => "process",
    }
}

fn what(subject: &Subject) -> String {
    let named = |Stray { pid, command, .. }: &Stray| format!("process {pid} (`{command}`)");
    match subject {
        Subject::Unit { name, manager: Manager::System, .. } => name.clone(),
        Subject::Unit { name, manager: Manager::User, .. } => format!("{name} of the user"),
        Subject::Crontab { user: Some(user), lines, .. } => format!("of {user}{}", quoted(lines)),
        Subject::Crontab { user: None, path, lines, .. } => format!("{path}{}", quoted(lines)),
        Subject::AtJob { job: Some(job), .. } => format!("job {job}"),
        Subject::AtJob { job: None, path, .. } => path.clone(),
        Subject::Tmux { process, .. } | Subject::Screen { process, .. } | Subject::Process { process } => named(process),
        Subject::DockerContext { name, path, .. } => name.clone().unwrap_or_else(|| path.clone()),
    }
}

fn quoted(lines: &[String]) -> String {
    match lines {
        [] => String::new(),
        [one] => format!(": `{one}`"),
        [first, rest @ ..] => format!(": `{first}` and {} more", rest.len()),
    }
}

/// The commands that show it and remove it.
fn by_hand(subject: &Subject) -> (String, String) {
    match subject {
        Subject::Unit { name, manager, path, .. } => {
            let systemctl = if *manager == Manager::System { "systemctl" } else { "systemctl --user" };
            let name = word(name);
            // One without a file of its own is only stopped; one with a file would be there again at the next start.
            let kept = path.contains("/systemd/system/") || path.contains("/systemd/user/");
            let remove = if kept { format!("{systemctl} disable --now {name}") } else { format!("{systemctl} stop {name}") };
            (format!("{systemctl} status {name}; {systemctl} cat {name}"), remove)
        }
        Subject::Crontab { user: Some(user), .. } => (format!("crontab -u {} -l", word(user)), format!("crontab -u {} -e", word(user))),
        Subject::Crontab { path, lines, .. } if lines.is_empty() => (format!("ls -l {}", word(path)), "crontab -e".to_owned()),
        Subject::Crontab { path, .. } => (format!("cat {}", word(path)), format!("${{EDITOR:-vi}} {}", word(path))),
        Subject::AtJob { job: Some(job), .. } => (format!("at -c {job}"), format!("atrm {job}")),
        Subject::AtJob { job: None, .. } => ("atq".to_owned(), "atrm JOB".to_owned()),
        Subject::Tmux { process, socket, pane } => {
            let tmux = socket.as_ref().map_or_else(|| "tmux".to_owned(), |socket| format!("tmux -S {}", word(socket)));
            let remove = pane.as_ref().map_or_else(|| end(process), |pane| format!("{tmux} kill-pane -t {}", word(pane)));
            (format!("{tmux} list-panes -a"), remove)
        }
        Subject::Screen { process, session, window } => {
            let remove = match (session, window) {
                (Some(session), Some(window)) => format!("screen -S {} -p {} -X kill", word(session), word(window)),
                _ => end(process),
            };
            ("screen -ls".to_owned(), remove)
        }
        Subject::DockerContext { name, path, .. } => {
            let shown = name.as_deref().map_or_else(String::new, |name| format!(" {}", word(name)));
            let remove = match name {
                Some(_) if path.ends_with("config.json") => "docker context use default".to_owned(),
                Some(name) => format!("docker context rm {}", word(name)),
                None => "docker context rm NAME".to_owned(),
            };
            (format!("docker context inspect{shown}"), remove)
        }
        Subject::Process { process } => (format!("ps -o pid,ppid,user,lstart,args -p {}", process.pid), end(process)),
    }
}

fn end(process: &Stray) -> String {
    format!("kill {}", process.pid)
}

/// A word as a shell takes it: what is shown is copied.
fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@%+,=".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_may_be_copied_into_a_shell() {
        let unit = |name: &str, path: &str| Subject::Unit { name: name.into(), manager: Manager::User, path: path.into(), mark: None };
        let (look, remove) = by_hand(&unit("a b's.timer", "/root/.config/systemd/user/x"));
        assert_eq!(look, r"systemctl --user status 'a b'\''s.timer'; systemctl --user cat 'a b'\''s.timer'");
        assert_eq!(remove, r"systemctl --user disable --now 'a b'\''s.timer'");
        assert_eq!(by_hand(&unit("run-1.service", "/run/systemd/transient/run-1.service")).1, "systemctl --user stop run-1.service");
        assert_eq!(by_hand(&Subject::AtJob { job: Some(12), path: String::new(), mark: None }), ("at -c 12".into(), "atrm 12".into()));
        let process = Stray { pid: 7, start: 1, boot: String::new(), command: "sleep".into() };
        let tmux = Subject::Tmux { process, socket: Some("/tmp/tmux-0/default".into()), pane: Some("%3".into()) };
        assert_eq!(by_hand(&tmux).1, "tmux -S /tmp/tmux-0/default kill-pane -t %3");
    }
}

//! The removal of what was adopted: of exactly that, where it is as it was seen. Whatever is not is left, and said.
//!
//! | it is                 | it is removed by |
//! |-----------------------|------------------|
//! | a process, a pane, a window | ending that process: SIGTERM, grace, SIGKILL |
//! | a job of `at`         | removing its file, as `atrm` does |
//! | lines of a table      | writing the table without them, whole or not at all; the file, where all of it was new and nobody has changed it |
//! | a unit with a file    | `systemctl disable --now`, removing the file, `systemctl daemon-reload` |
//! | a unit that only runs | `systemctl stop` |
//! | another Docker context | `docker context rm`; one that became the current one: `docker context use default` |
//!
//! Where no systemd runs on this host nothing of it can run either, and its file is all that there is of a unit.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::custom::{Around, run};
use super::work::WorkError;
use crate::adapters::process::alone;
use crate::adapters::suspects::presence::{find, identity, is_as_marked};
use crate::adapters::suspects::table::without;
use crate::base::time::Span;
use crate::kernel::action::Seen;
use crate::kernel::adoption::Found;
use crate::kernel::fault::Fault;
use crate::kernel::suspect::{Manager, Stray, Subject};
use crate::manifest::process::DEFAULT_GRACE;
use crate::ports::job::{Command, DismantleJob};

/// How long a command may take. A unit has 90 seconds to stop, where it does not say otherwise.
const PATIENCE: Span = Span::seconds(120);

/// There where systemd runs (`sd_booted(3)`).
const BOOTED: &str = "/run/systemd/system";

/// Why something is not removed, or not seen to be.
type Refused = (Fault, String);

/// Removes it.
pub(super) async fn dismantle(around: &Around<'_>, job: &DismantleJob) -> Seen {
    let removed = match find(&job.subject) {
        Found::AsSeen => Hand { around, command: &job.command }.remove(&job.subject).await,
        Found::Gone => return Seen::Done,
        Found::Changed(why) => Err(refused(format!("it is not as it was seen, and is left alone: {why}"))),
        Found::Unknown(why) => Err(refused(why)),
    };
    let failed = |(fault, evidence)| Seen::Failed { fault, evidence };
    match removed.map(|()| find(&job.subject)) {
        Ok(Found::Gone) => Seen::Done,
        // Somebody else may have a line like it.
        Ok(_) if matches!(job.subject, Subject::Crontab { .. }) => Seen::Done,
        Ok(_) => failed(refused("it is still there after its removal".to_owned())),
        Err(refused) => failed(refused),
    }
}

const fn refused(evidence: String) -> Refused {
    (Fault::System, evidence)
}

fn failed(step: impl Into<String>) -> impl FnOnce(io::Error) -> Refused {
    let step = step.into();
    move |error| told(&WorkError::io(step)(error))
}

fn told(error: &WorkError) -> Refused {
    (error.fault(), error.to_string())
}

/// What removes things, for one place.
struct Hand<'a> {
    around: &'a Around<'a>,
    command: &'a Command,
}

impl Hand<'_> {
    async fn remove(&self, subject: &Subject) -> Result<(), Refused> {
        if let Some(process) = subject.process() {
            return end(process.clone()).await;
        }
        match subject {
            Subject::Unit { name, manager, path, .. } => self.unit(name, *manager, path, subject).await,
            Subject::Crontab { path, lines, mark, .. } => {
                let whole = mark.is_some_and(|mark| is_as_marked(Path::new(path), &mark));
                if whole { unlink(path) } else { rewrite(Path::new(path), lines).map_err(failed(format!("take lines out of {path}"))) }
            }
            Subject::AtJob { path, .. } => unlink(path),
            Subject::DockerContext { name: Some(name), path, .. } => self.context(name, Path::new(path)).await,
            _ => Err(refused("it is not known how to remove it".to_owned())),
        }
    }

    async fn unit(&self, name: &str, manager: Manager, path: &str, subject: &Subject) -> Result<(), Refused> {
        let has_file = path.contains("/systemd/system/") || path.contains("/systemd/user/");
        let booted = Path::new(BOOTED).is_dir();
        if booted {
            let verbs: &[&str] = if has_file { &["disable", "--now"] } else { &["stop"] };
            self.systemctl(manager, &[verbs, &[name]].concat()).await?;
        }
        if !has_file {
            return Ok(());
        }
        match find(subject) {
            Found::AsSeen => unlink(path)?,
            Found::Gone => {}
            Found::Changed(why) | Found::Unknown(why) => return Err(refused(format!("it is stopped, and its file is left alone: {why}"))),
        }
        if booted { self.systemctl(manager, &["daemon-reload"]).await } else { Ok(()) }
    }

    async fn systemctl(&self, manager: Manager, arguments: &[&str]) -> Result<(), Refused> {
        let whose: &[&str] = if manager == Manager::User { &["--user"] } else { &[] };
        self.run(&[&["systemctl"], whose, arguments].concat(), &[]).await
    }

    /// The client's folder is where its files were seen.
    async fn context(&self, name: &str, path: &Path) -> Result<(), Refused> {
        let is_current = path.ends_with("config.json");
        let folder = path.ancestors().nth(if is_current { 1 } else { 3 }).unwrap_or(path).to_string_lossy().into_owned();
        let verbs: &[&str] = if is_current { &["use", "default"] } else { &["rm", name] };
        // A variable that names another context, or an engine, would have the client say that the command has no effect.
        self.run(&[&["docker", "--config", &folder, "context"], verbs].concat(), &["DOCKER_CONTEXT", "DOCKER_HOST"]).await
    }

    async fn run(&self, argv: &[&str], without: &[&str]) -> Result<(), Refused> {
        let mut command = self.command.clone();
        command.argv = argv.iter().map(|word| (*word).to_owned()).collect();
        command.env.retain(|name, _| !without.contains(&name.as_str()));
        let before = fs::metadata(&command.log).map_or(0, |metadata| metadata.len());
        match run(self.around, &command, None, ("removing", PATIENCE)).await {
            Ok(exit) if exit.is_success() => Ok(()),
            Ok(exit) => {
                let said = last_line(&command.log, before).map_or_else(String::new, |line| format!(": {line}"));
                Err(refused(format!("`{}` ended with {exit}{said}", argv.join(" "))))
            }
            Err(error) => Err(told(&error)),
        }
    }
}

/// The last line that a command has said, where it has said any since then.
fn last_line(log: &PathBuf, since: u64) -> Option<String> {
    let said = fs::read(log).ok()?;
    let said = String::from_utf8_lossy(said.get(usize::try_from(since).ok()?..)?).into_owned();
    said.lines().rfind(|line| !line.trim().is_empty()).map(|line| line.chars().take(200).collect())
}

async fn end(process: Stray) -> Result<(), Refused> {
    let pid = process.pid;
    let ended = tokio::task::spawn_blocking(move || alone::end(&identity(&process), DEFAULT_GRACE)).await;
    match ended.map_err(io::Error::other).and_then(|ended| ended) {
        Ok(true) => Ok(()),
        Ok(false) => Err((Fault::Survivors, format!("process {pid} would not end, or may not be asked to"))),
        Err(error) => Err(failed(format!("end process {pid}"))(error)),
    }
}

fn unlink(path: &str) -> Result<(), Refused> {
    match super::files::remove(Path::new(path)) {
        Seen::Failed { fault, evidence } => Err((fault, evidence)),
        _ => Ok(()),
    }
}

/// Writes a table without these lines, beside it and then in its place, with its mode and its owner. Where somebody else has written it
/// meanwhile, nothing is changed.
#[expect(clippy::disallowed_methods, reason = "under the permit of a removal")]
fn rewrite(path: &Path, lines: &[String]) -> io::Result<()> {
    // Where a link leads to it, the link stays.
    let path = path.canonicalize()?;
    let before = fs::metadata(&path)?;
    let text = without(&fs::read_to_string(&path)?, lines);
    let mut name = std::ffi::OsString::from(".sculpt-new.");
    name.push(path.file_name().unwrap_or_default());
    // cron reads nothing with such a name.
    let fresh = path.with_file_name(name);
    // An engine may have died over it.
    if let Seen::Failed { evidence, .. } = super::files::remove(&fresh) {
        return Err(io::Error::other(evidence));
    }
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&fresh)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| fchown(&file, Some(before.uid()), Some(before.gid())))
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(before.mode() & 0o7777)))
        .and_then(|()| file.sync_all())
        .and_then(|()| {
            let now = fs::metadata(&path)?;
            let same = (now.ino(), now.size(), now.mtime(), now.mtime_nsec())
                == (before.ino(), before.size(), before.mtime(), before.mtime_nsec());
            if same { Ok(()) } else { Err(io::Error::other("somebody else has written it in this very moment")) }
        })
        .and_then(|()| fs::rename(&fresh, &path));
    if written.is_err() {
        drop(super::files::remove(&fresh));
    }
    written
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write what cron would")]
mod tests {
    use super::*;

    #[test]
    fn a_table_keeps_its_mode_its_links_and_every_other_line() {
        let dir = tempfile::tempdir().unwrap();
        let (table, link) = (dir.path().join("table"), dir.path().join("link"));
        fs::write(&table, "@daily a\n# mine\n@daily b\n").unwrap();
        fs::set_permissions(&table, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&table, &link).unwrap();
        rewrite(&link, &["@daily a".to_owned()]).unwrap();
        assert_eq!(fs::read_to_string(&table).unwrap(), "# mine\n@daily b\n");
        assert_eq!(fs::metadata(&table).unwrap().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside it");
    }
}

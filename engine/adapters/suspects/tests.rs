//! Each way out in a tree of its own: what is new is suspected, whom it names ranks it, and what was there before is left out.
#![expect(clippy::disallowed_methods, reason = "the tests write what cron, at and systemd would")]

use std::fs;
use std::path::PathBuf;

use indexmap::IndexMap;

use super::judge::{Attempt, Time, difference};
use super::places::{User, places};
use super::presence::is_there;
use super::snapshot::Snapshot;
use crate::base::time::Timestamp;
use crate::kernel::suspect::{Manager, Rank, Subject, Suspect};

struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn look(&self) -> Snapshot {
        let user = User { home: Some(self.path("root")), config: None, runtime: Some(self.path("run/user/0")), docker: None, id: 0 };
        // At the beginning of all times everything was written just now: then nothing rests on the times alone.
        Snapshot::take(places(self.folder.path(), &user), Timestamp(0))
    }

    fn suspects(&self, before: &Snapshot) -> Vec<Suspect> {
        let found = difference(before, &before.again(Timestamp(0)), &[], (&attempt(), Time::OfWork));
        // A look that follows from the one before sees what a new one sees.
        assert_eq!(found, difference(before, &self.look(), &[], (&attempt(), Time::OfWork)));
        found
    }

    /// The only suspect.
    fn suspect(&self, before: &Snapshot) -> Suspect {
        let mut suspects = self.suspects(before);
        assert_eq!(suspects.len(), 1, "{suspects:#?}");
        suspects.remove(0)
    }
}

fn attempt() -> Attempt {
    let marks = [
        ("SCULPT_WORKSPACE", "/home/me/shop"),
        ("SCULPT_GOAL", "crm"),
        ("SCULPT_RUN", "crm.3"),
        ("SCULPT_PHASE", "leads"),
        ("SCULPT_ATTEMPT", "1"),
    ];
    Attempt::of(&marks.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<IndexMap<_, _>>())
}

#[test]
fn nothing_that_was_there_before_is_suspected() {
    let tree = Tree::new();
    tree.write("etc/crontab", "* * * * * root /home/me/shop/x\n").write("var/spool/cron/crontabs/me", "@daily /home/me/shop/y\n");
    tree.write("usr/lib/systemd/system/crm.service", "[Service]\n").write("root/.docker/config.json", r#"{"currentContext":"far"}"#);
    let before = tree.look();
    assert_eq!(tree.suspects(&before), []);
    // What is removed or only touched starts no work either.
    fs::remove_file(tree.path("etc/crontab")).unwrap();
    tree.write("var/spool/cron/crontabs/me", "# a comment\n@daily /home/me/shop/y\n");
    tree.write("root/.docker/config.json", r#"{"auths":{"x":"secret"},"currentContext":"far"}"#);
    assert_eq!(tree.suspects(&before), []);
}

#[test]
fn the_new_lines_of_a_crontab_are_the_evidence() {
    let tree = Tree::new();
    tree.write("var/spool/cron/crontabs/me", "@daily old\n");
    let before = tree.look();
    tree.write("var/spool/cron/crontabs/me", "@daily old\n* * * * * /home/me/shop/poll.sh\n");
    let suspect = tree.suspect(&before);
    assert_eq!(suspect.rank, Rank::Marked);
    assert_eq!(suspect.evidence, "was changed while the attempt was at work; it names the workspace");
    let Subject::Crontab { user, lines, .. } = &suspect.subject else { panic!("{suspect:?}") };
    assert_eq!((user.as_deref(), &lines[..]), (Some("me"), &["* * * * * /home/me/shop/poll.sh".to_owned()][..]));
    // It is there for as long as one of these lines is.
    assert!(is_there(&suspect.subject));
    tree.write("var/spool/cron/crontabs/me", "@daily old\n");
    assert!(!is_there(&suspect.subject));
    fs::remove_file(tree.path("var/spool/cron/crontabs/me")).unwrap();
    assert!(!is_there(&suspect.subject));
}

#[test]
fn a_stranger_who_writes_meanwhile_is_a_coincidence() {
    let tree = Tree::new();
    let before = tree.look();
    tree.write("etc/cron.d/backup", "@daily root /home/me/shopping/backup crm2\n");
    let suspect = tree.suspect(&before);
    assert_eq!(suspect.rank, Rank::Coincident, "a longer name is another name");
    assert!(suspect.evidence.ends_with("somebody else may have written it"), "{}", suspect.evidence);
    tree.write("etc/cron.d/backup", "@daily root backup --of crm\n");
    let suspect = tree.suspect(&before);
    assert_eq!((suspect.rank, suspect.evidence.as_str()), (Rank::Coincident, "is new since the attempt began; it names the goal"));
}

#[test]
fn while_a_service_lives_only_what_names_its_attempt_or_its_workspace_is_of_it() {
    let tree = Tree::new();
    let before = tree.look();
    tree.write("etc/cron.d/backup", "@daily root backup --of crm\n").write("etc/systemd/system/other.service", "[Service]\n");
    tree.write("sys/fs/cgroup/systemd/system.slice/other.service/cgroup.procs", "8\n");
    tree.write("root/.docker/config.json", r#"{"currentContext":"far"}"#).write("etc/crontab", "@daily root /home/me/shop/poll\n");
    tree.write("var/spool/cron/atjobs/a0001201c0ffee", &job("crm.3")).write("var/spool/cron/atjobs/a0001301c0ffee", &job("crm.4"));
    let found = difference(&before, &before.again(Timestamp(0)), &[], (&attempt(), Time::OfService));
    let told: Vec<_> = found.iter().map(|suspect| (suspect.rank, suspect.evidence.as_str())).collect();
    let expected = [
        (Rank::Marked, "is new since the service was ready; it names the workspace"),
        (Rank::Marked, "is new since the service was ready; it carries the attempt's mark"),
    ];
    assert_eq!(told, expected);
    assert_eq!(tree.suspects(&before).len(), 5, "around work all but the other attempt's are told");
}

#[test]
fn a_table_that_is_changed_in_place_is_seen() {
    let tree = Tree::new();
    tree.write("etc/crontab", "@daily root a\n").write("etc/cron.d/one", "@daily root b\n");
    let before = tree.look();
    // Neither a folder's times nor a length tell of these.
    tree.write("etc/crontab", "@daily root c\n").write("etc/cron.d/one", "@daily root d\n");
    assert_eq!(tree.suspects(&before).len(), 2);
}

/// The environment is written as `at` writes it.
fn job(run: &str) -> String {
    format!(
        "#!/bin/sh\n# atrun uid=0 gid=0\numask 22\nSCULPT_WORKSPACE=/home/me/shop; export SCULPT_WORKSPACE\nSCULPT_RUN={run}; export \
         SCULPT_RUN\nSCULPT_PHASE=leads; export SCULPT_PHASE\nSCULPT_ATTEMPT=1; export SCULPT_ATTEMPT\ncd /home/me/shop || {{\n}}\nsleep 1\n"
    )
}

#[test]
fn a_job_of_at_carries_the_mark_of_its_attempt() {
    let tree = Tree::new();
    let spool = "var/spool/cron/atjobs";
    tree.write(&format!("{spool}/.SEQ"), "00001").write(&format!("{spool}/a0000101c0ffee"), &job("crm.3"));
    let before = tree.look();
    tree.write(&format!("{spool}/.SEQ"), "00003").write(&format!("{spool}/a0001201c0ffee"), &job("crm.3"));
    // Another attempt's job is told of around that one. One from before, which runs now, has only another name.
    tree.write(&format!("{spool}/a0001301c0ffee"), &job("crm.4"));
    fs::rename(tree.path(&format!("{spool}/a0000101c0ffee")), tree.path(&format!("{spool}/=0000101c0ffee"))).unwrap();
    let suspect = tree.suspect(&before);
    assert_eq!((suspect.rank, suspect.evidence.as_str()), (Rank::Marked, "is new since the attempt began; it carries the attempt's mark"));
    assert!(matches!(suspect.subject, Subject::AtJob { job: Some(0x12), .. }), "{suspect:?}");
}

#[test]
fn units_are_seen_as_files_and_as_what_runs_and_told_once() {
    let tree = Tree::new();
    tree.write("sys/fs/cgroup/systemd/system.slice/cron.service/cgroup.procs", "");
    let before = tree.look();
    tree.write("run/systemd/transient/run-r1.service", "[Service]\nExecStart=/home/me/shop/serve\n");
    tree.write("sys/fs/cgroup/systemd/system.slice/run-r1.service/cgroup.procs", "7\n");
    tree.write("sys/fs/cgroup/systemd/system.slice/other.service/cgroup.procs", "8\n");
    tree.write("root/.config/systemd/user/poll.timer", "[Timer]\nOnCalendar=daily\n").write("etc/systemd/system/notes.txt", "no unit\n");
    let told: Vec<_> = tree
        .suspects(&before)
        .into_iter()
        .map(|suspect| match suspect.subject {
            Subject::Unit { name, manager, .. } => (name, manager, suspect.rank),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        ("run-r1.service", Manager::System, Rank::Marked),
        ("poll.timer", Manager::User, Rank::Coincident),
        ("other.service", Manager::System, Rank::Coincident),
    ];
    assert_eq!(told, expected.map(|(name, manager, rank)| (name.to_owned(), manager, rank)));
}

#[test]
fn another_docker_context_is_seen_and_no_credential_is_read() {
    let tree = Tree::new();
    tree.write("root/.docker/config.json", r#"{"auths":{}}"#);
    let before = tree.look();
    tree.write("root/.docker/config.json", r#"{"auths":{"hub":{"auth":"c2VjcmV0"}},"currentContext":"far"}"#);
    tree.write("root/.docker/contexts/meta/0a1b/meta.json", r#"{"Name":"far","Endpoints":{"docker":{"Host":"ssh://far"}}}"#);
    let suspects = tree.suspects(&before);
    let names = suspects.iter().map(|suspect| match &suspect.subject {
        Subject::DockerContext { name, .. } => name.clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(names.collect::<Vec<_>>(), [Some("far".to_owned()), Some("far".to_owned())]);
    assert!(!format!("{suspects:?}").contains("c2VjcmV0"));
    assert!(suspects.iter().all(|suspect| is_there(&suspect.subject)));
    tree.write("root/.docker/config.json", r#"{"auths":{}}"#);
    assert!(suspects.iter().any(|suspect| !is_there(&suspect.subject)), "it is not the current one any more");
}

#[test]
fn of_many_the_strongest_are_told_and_the_rest_is_counted() {
    let tree = Tree::new();
    let before = tree.look();
    for number in 0..40 {
        tree.write(&format!("etc/systemd/system/{number}.service"), "[Service]\n");
    }
    tree.write("etc/systemd/system/z.service", "[Service]\nEnvironment=\"SCULPT_RUN=crm.3\" SCULPT_PHASE=leads\n");
    let suspects = tree.suspects(&before);
    assert_eq!((suspects.len(), suspects[0].rank), (32, Rank::Marked));
    assert!(suspects[31].evidence.ends_with("and 9 more like it, not listed"), "{}", suspects[31].evidence);
}

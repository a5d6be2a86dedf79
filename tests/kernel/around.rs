//! What services and custom resources may have started outside of everything: looked for beside whatever follows, and suspected of the right
//! place, or of their phase.

use opensculpt::base::time::Timestamp;
use opensculpt::kernel::action::Exit;
use opensculpt::kernel::adoption::Found;
use opensculpt::kernel::input::Request;
use opensculpt::kernel::outcome::Verdict;
use opensculpt::kernel::record::Record;
use opensculpt::kernel::resource::ResourceState;
use opensculpt::kernel::suspect::{FileMark, Rank, Stray, Subject, Suspect};
use opensculpt::manifest::process::{Restart, RestartLimits};
use opensculpt::manifest::resource::Scope;

use super::plans::{Draft, job, phase, plan, server};
use super::script::Try;
use super::world::World;

const SVC: &str = "g/a/svc";

fn suspect(subject: Subject) -> Suspect {
    Suspect { subject, rank: Rank::Marked, evidence: "new".to_owned(), when: Timestamp(1) }
}

fn at(job: u32) -> Suspect {
    let mark = FileMark { inode: u64::from(job), size: 9, written: (1, 0), changed: (1, 0) };
    suspect(Subject::AtJob { job: Some(job), path: format!("/spool/{job}"), mark: Some(mark) })
}

fn table(lines: &[&str]) -> Suspect {
    let mark = FileMark { inode: 3, size: lines.len() as u64, written: (1, 0), changed: (1, 0) };
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    suspect(Subject::Crontab { user: Some("ann".into()), path: "/spool/ann".into(), lines, more: 0, mark: Some(mark) })
}

fn process(pid: u32, command: &str) -> Suspect {
    suspect(Subject::Process { process: Stray { pid, start: 3, boot: "b".to_owned(), command: command.to_owned() } })
}

impl World {
    /// What is suspected, and of whom.
    fn blamed(&self) -> Vec<(String, String)> {
        let known = self.kernel.state().goals.values().flat_map(|goal| &goal.suspects);
        known.map(|known| (known.place().to_string(), known.owner.to_string())).collect()
    }

    fn rounds(&mut self) -> Vec<(String, bool)> {
        std::mem::take(&mut self.rounds)
    }

    fn suspicions(&self) -> usize {
        self.records.iter().filter(|(_, record)| matches!(record, Record::Suspected { .. })).count()
    }
}

fn pair(place: &str, owner: &str) -> (String, String) {
    (place.to_owned(), owner.to_owned())
}

fn done(drafts: Vec<Draft>, around: Vec<(&'static str, Vec<Suspect>)>) -> World {
    let mut world = World::new();
    world.around = around;
    world.carry_out(plan(2, drafts));
    world
}

#[test]
fn a_service_is_looked_around_when_it_is_ready_and_when_it_is_over_and_a_custom_resource_at_its_ends() {
    let mut world = done(vec![server("a"), phase("b").custom("db", Scope::Goal).needs(&["a"]).checks(1)], Vec::new());
    assert_eq!(world.verdict(), Verdict::Verified);
    assert_eq!(world.rounds(), [pair2(SVC, false), pair2("g/b/db", true)]);
    world.down(false);
    world.settle();
    assert_eq!(world.rounds(), [pair2("g/b/db", true), pair2(SVC, true)]);
    assert_eq!(world.suspicions(), 0, "nothing is recorded where nothing was found");
    // Neither a command of a phase, whose exit tells, nor what starts nothing.
    let mut world = done(
        vec![phase("c").directory("d", Scope::Goal).file("f").work().checks(1), phase("e").serve("box", Scope::Goal).contained("box")],
        Vec::new(),
    );
    world.down(false);
    world.settle();
    assert_eq!(world.rounds(), []);
}

fn pair2(place: &str, over: bool) -> (String, bool) {
    (place.to_owned(), over)
}

#[test]
fn what_is_found_is_suspected_of_the_resource_and_named_in_its_phase() {
    let mut world =
        done(vec![server("a"), phase("b").custom("db", Scope::Goal).checks(1)], vec![(SVC, vec![at(1)]), ("g/b/db", vec![at(2)])]);
    let mut blamed = world.blamed();
    blamed.sort();
    assert_eq!(blamed, [pair("g/a/suspect:at-1", SVC), pair("g/b/suspect:at-2", "g/b/db")]);
    assert!(world.kernel.state().goals["g"].suspects.iter().all(|known| (known.run.0.as_str(), known.attempt) == ("g.1", 1)));
    // It is not touched when the service ends, unless a person says so.
    let owner = "g/a/suspect:at-1".parse().unwrap();
    assert_eq!(world.ask(Request::Adopt { owner, by: "ann".to_owned(), found: Some(Found::AsSeen) }), None);
    world.there.insert("g/a/suspect:at-1".to_owned());
    world.down(false);
    world.settle();
    assert_eq!(world.resource("g/a/suspect:at-1"), ResourceState::Gone);
    assert_eq!(world.blamed(), [pair("g/b/suspect:at-2", "g/b/db")]);
}

#[test]
fn what_failed_to_start_is_looked_around_too() {
    let mut world = World::new();
    world.play("a").service.ready_after = None;
    world.play("a").service.lives = Some(5);
    world.half_made.insert("g/b/db".to_owned());
    world.around = vec![(SVC, vec![at(1)]), ("g/b/db", vec![at(2)])];
    world.carry_out(plan(2, vec![server("a"), phase("b").custom("db", Scope::Goal).checks(1)]));
    assert_eq!(world.verdict(), Verdict::Failed);
    let mut blamed = world.blamed();
    blamed.sort();
    assert_eq!(blamed, [pair("g/a/suspect:at-1", SVC), pair("g/b/suspect:at-2", "g/b/db")]);
}

#[test]
fn what_two_of_a_phase_may_have_started_is_told_once_and_of_the_phase() {
    let mut world = World::new();
    world.play("a").tries = vec![Try { suspects: vec![at(1), at(3)], ..Try::default() }];
    world.around = vec![(SVC, vec![at(1), at(2)])];
    world.carry_out(plan(2, vec![server("a").work()]));
    let mut blamed = world.blamed();
    blamed.sort();
    let places = [pair("g/a/suspect:at-1", "g/a"), pair("g/a/suspect:at-2", SVC), pair("g/a/suspect:at-3", "g/a")];
    assert_eq!(blamed, places, "the first is of either");
    // Nor is it known of two services.
    let two = phase("a").serve("svc", Scope::Goal).serve("other", Scope::Goal).checks(1);
    let world = done(vec![two], vec![(SVC, vec![at(1)]), ("g/a/other", vec![at(1)])]);
    assert_eq!(world.blamed(), [pair("g/a/suspect:at-1", "g/a")]);
    // Of two phases that were at work at once each is suspected, as ever.
    let mut world = World::new();
    world.play("b").tries = vec![Try { suspects: vec![at(1)], ..Try::default() }];
    world.around = vec![(SVC, vec![at(1)])];
    world.carry_out(plan(2, vec![server("a"), job("b")]));
    let mut blamed = world.blamed();
    blamed.sort();
    assert_eq!(blamed, [pair("g/a/suspect:at-1", SVC), pair("g/b/suspect:at-1", "g/b")]);
}

#[test]
fn a_service_that_lived_long_is_not_suspected_of_what_somebody_else_is() {
    let mut world = World::new();
    let of_job = vec![at(1), process(7, "sleep 1"), table(&["@daily one"]), table(&["@daily three"])];
    world.play("b").tries = vec![Try { suspects: of_job, ..Try::default() }];
    world.carry_out(plan(2, vec![server("a"), job("b").needs(&["a"])]));
    let owner = "g/b/suspect:crontab-ann".parse().unwrap();
    assert_eq!(world.ask(Request::Adopt { owner, by: "ann".to_owned(), found: Some(Found::AsSeen) }), None);
    let before = world.blamed();
    // Its command is another by now; the table has one line more, and what was seen of it then was adopted.
    world.around = vec![(SVC, vec![at(1), process(7, "sleep"), table(&["@daily one", "@daily two"]), table(&["@daily three"]), at(2)])];
    world.exit(SVC, 1);
    world.settle();
    let told = world.blamed().split_off(before.len());
    assert_eq!(told, [pair("g/a/suspect:crontab-ann", SVC), pair("g/a/suspect:at-2", SVC)]);
    let goal = &world.kernel.state().goals["g"];
    let known = goal.suspects.iter().find(|known| known.place().to_string() == "g/a/suspect:crontab-ann").unwrap();
    assert!(matches!(&known.suspect.subject, Subject::Crontab { lines, mark: None, .. } if lines == &["@daily two"]), "{known:?}");
}

#[test]
fn a_restart_waits_for_no_look_and_the_goal_is_under_way_until_it_is_told() {
    let mut world = World::new();
    world.carry_out(plan(1, vec![server("a").restart("svc", Restart::Always, RestartLimits::default())]));
    world.look_takes = 5_000;
    let (died, owner) = (world.now, SVC.parse().unwrap());
    let id = world.alive.remove(&owner).unwrap();
    world.around = vec![(SVC, vec![at(1)])];
    world.rounds();
    world.exited(id, Exit::Code(1), Vec::new());
    world.until(died + 100);
    assert!(world.alive.contains_key(&owner), "it runs again");
    assert_eq!((world.rounds(), world.suspicions()), (vec![pair2(SVC, true)], 0), "and the look goes on");
    assert!(world.kernel.is_busy_with(&"g".into()) && world.kernel.is_busy());
    world.settle_for(20_000);
    assert_eq!(world.blamed(), [pair("g/a/suspect:at-1", SVC)]);
    assert!(!world.kernel.is_busy_with(&"g".into()));
    assert_eq!(world.rounds(), [pair2(SVC, false)], "and that the new one is ready was seen");
}

#[test]
fn a_suspicion_is_read_as_it_is_written() {
    let world = done(vec![server("a")], vec![(SVC, vec![at(1)])]);
    let (_, record) = world.records.iter().find(|(_, record)| matches!(record, Record::Suspected { .. })).unwrap();
    let text = serde_json::to_string(record).unwrap();
    assert!(text.starts_with(r#"{"event":"suspected","owner":"g/a/svc","run":"g.1","attempt":1,"suspects":[{"subject":"#), "{text}");
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), *record);
}

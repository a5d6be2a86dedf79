//! What a person adopts is the goal's from then on: it stands until the goal goes down, goes with it, and leaks where it would not.

use opensculpt::base::owner::Owner;
use opensculpt::base::time::Timestamp;
use opensculpt::kernel::action::Exit;
use opensculpt::kernel::adoption::Found;
use opensculpt::kernel::input::{Refusal, Request};
use opensculpt::kernel::outcome::Verdict;
use opensculpt::kernel::record::{Record, StopReason};
use opensculpt::kernel::resource::ResourceState;
use opensculpt::kernel::state::State;
use opensculpt::kernel::stock::Kind;
use opensculpt::kernel::suspect::{FileMark, Rank, Stray, Subject, Suspect};
use opensculpt::manifest::resource::Scope;
use opensculpt::plan::sealed::Plan;

use super::plans::{job, phase, plan};
use super::script::Try;
use super::world::World;

const AT: &str = "g/a/suspect:at-12";

fn suspect(subject: Subject) -> Suspect {
    Suspect { subject, rank: Rank::Marked, evidence: "new".to_owned(), when: Timestamp(1) }
}

fn at(job: Option<u32>) -> Subject {
    let mark = FileMark { inode: 7, size: 9, written: (1, 0), changed: (1, 0) };
    Subject::AtJob { job, path: format!("/spool/{job:?}"), mark: Some(mark) }
}

fn process(pid: u32) -> Subject {
    Subject::Process { process: Stray { pid, start: 3, boot: "b".to_owned(), command: "sleep 1".to_owned() } }
}

/// A world in which `a` has been done, and these things were seen around it.
fn seen(subjects: Vec<Subject>, drawn: Plan) -> World {
    let mut world = World::new();
    world.play("a").tries = vec![Try { suspects: subjects.into_iter().map(suspect).collect(), ..Try::default() }];
    world.carry_out(drawn);
    world
}

impl World {
    /// Somebody adopts it; where that is accepted, it is on the host.
    fn adopt(&mut self, place: &str, found: Found) -> Option<Refusal> {
        let owner: Owner = place.parse().unwrap();
        let refusal = self.ask(Request::Adopt { owner, by: "ann".to_owned(), found: Some(found) });
        if refusal.is_none() {
            self.there.insert(place.to_owned());
        }
        refusal
    }

    fn suspected(&self) -> Vec<String> {
        self.kernel.state().goals["g"].suspects.iter().map(|known| known.place().to_string()).collect()
    }
}

#[test]
fn what_is_adopted_is_the_goals_and_goes_down_with_it_and_nothing_else_does() {
    let made = phase("a").custom("db", Scope::Goal).custom("rows", Scope::Goal).custom("index", Scope::Goal).work();
    let mut world = seen(vec![at(Some(12)), process(4711)], plan(2, vec![made]));
    assert_eq!(world.suspected(), [AT, "g/a/suspect:process-4711"]);
    world.settle_for(7);
    let when = world.now;
    assert_eq!(world.adopt(AT, Found::AsSeen), None);
    let made = world.kernel.state().resource(&AT.parse().unwrap()).unwrap().clone();
    assert_eq!((made.kind, made.scope, made.state, made.since), (Kind::Adopted, Scope::Goal, ResourceState::Ready, Timestamp(when)));
    assert_eq!(made.adopted.map(|adopted| (adopted.subject, adopted.by)), Some((at(Some(12)), "ann".to_owned())));
    assert_eq!(world.suspected(), ["g/a/suspect:process-4711"], "it is suspected of nobody any more");
    world.down(false);
    world.settle();
    assert_eq!(world.resource(AT), ResourceState::Gone);
    let ends: Vec<String> = world.effects().into_iter().filter(|effect| effect.starts_with("remove")).collect();
    let places = [AT, "g/a/index", "g/a/rows", "g/a/db"].map(|place| format!("remove {place}"));
    assert_eq!(ends, places, "before whatever it may use, and nobody touches the process");
    assert_eq!(world.suspected(), ["g/a/suspect:process-4711"]);
}

#[test]
fn the_stop_of_the_run_around_which_it_was_seen_leaves_it() {
    let mut world = World::new();
    world.play("a").tries = vec![Try { suspects: vec![suspect(at(Some(12)))], ..Try::default() }];
    world.play("b").tries = vec![Try { takes: Some(60_000), ..Try::default() }];
    world.start(plan(2, vec![job("a"), job("b")]));
    world.settle_for(5_000);
    assert_eq!(world.adopt(AT, Found::AsSeen), None);
    world.ask(Request::Stop { goal: "g".into(), reason: StopReason::Person, force: false });
    world.settle();
    assert_eq!((world.verdict(), world.resource(AT)), (Verdict::Cancelled, ResourceState::Ready));
    world.down(false);
    world.settle();
    assert_eq!(world.resource(AT), ResourceState::Gone);
}

#[test]
fn what_cannot_be_adopted_is_refused_with_the_reason_and_nothing_is_recorded() {
    let mut world = seen(vec![at(Some(12)), at(None)], plan(2, vec![job("a")]));
    let known = world.records.len();
    let no = |why: &str| Some(Refusal::NotAdopted { owner: AT.parse().unwrap(), why: why.to_owned() });
    assert_eq!(world.adopt(AT, Found::Gone), no("it is not there any more"));
    assert_eq!(world.adopt(AT, Found::Changed("it has another length".to_owned())), no("it is not as it was seen: it has another length"));
    assert_eq!(world.adopt(AT, Found::Unknown("closed".to_owned())), no("it cannot be looked at: closed"));
    let Some(Refusal::NotSuspected { suspected, .. }) = world.adopt("g/a/suspect:at-13", Found::AsSeen) else { panic!("nothing is there") };
    assert_eq!(suspected.iter().map(ToString::to_string).collect::<Vec<_>>()[0], AT);
    assert!(matches!(world.adopt("h/a/suspect:at-12", Found::AsSeen), Some(Refusal::NoGoal { .. })));
    let folder = world.suspected().pop().unwrap();
    assert!(matches!(world.adopt(&folder, Found::AsSeen), Some(Refusal::NotAdopted { .. })), "of a folder nothing exact is known");
    assert_eq!(world.records.len(), known);
    assert_eq!(world.adopt(AT, Found::AsSeen), None);
    assert!(matches!(world.adopt(AT, Found::AsSeen), Some(Refusal::AdoptedBefore { by, .. }) if by == "ann"));
}

#[test]
fn nothing_is_adopted_while_its_goal_goes_down() {
    let mut world = seen(vec![at(Some(12))], plan(2, vec![phase("a").custom("db", Scope::Goal).work()]));
    world.unremovable.insert("g/a/db".to_owned());
    world.down(false);
    assert!(matches!(world.adopt(AT, Found::AsSeen), Some(Refusal::Falling { .. })));
    world.settle();
    assert_eq!(world.adopt(AT, Found::AsSeen), None, "it is down, and what it left may still be adopted");
    world.unremovable.clear();
    world.settle_for(700_000);
    assert_eq!(world.resource(AT), ResourceState::Ready, "no collection ends what a person wants");
    world.down(false);
    world.settle();
    assert_eq!(world.resource(AT), ResourceState::Gone);
}

#[test]
fn what_would_not_go_leaks_like_anything_else() {
    let mut world = seen(vec![at(Some(12))], plan(2, vec![job("a")]));
    assert_eq!(world.adopt(AT, Found::AsSeen), None);
    world.unremovable.insert(AT.to_owned());
    world.down(false);
    world.settle();
    let owner: Owner = AT.parse().unwrap();
    assert_eq!(world.kernel.state().leak(&owner).map(|leak| leak.why.clone()), Some("device busy".to_owned()));
    assert_eq!(world.resource(AT), ResourceState::Stopping);
    world.unremovable.clear();
    world.settle_for(10_000);
    assert_eq!((world.kernel.state().leak(&owner), world.resource(AT)), (None, ResourceState::Gone));
}

#[test]
fn another_run_a_failed_attempt_and_a_collection_leave_it() {
    let mut world = seen(vec![at(Some(12))], plan(2, vec![job("a")]));
    assert_eq!(world.adopt(AT, Found::AsSeen), None);
    world.play("a").tries = vec![Try { exit: Exit::Code(1), suspects: vec![suspect(process(5))], ..Try::default() }];
    world.carry_out(plan(2, vec![job("a")]));
    assert_eq!(world.verdict(), Verdict::Failed);
    // What the failed attempt itself has left may be adopted as well.
    let left = "g/a/suspect:process-5";
    assert_eq!(world.adopt(left, Found::AsSeen), None);
    world.ask(Request::Collect { evict: true });
    world.settle();
    assert_eq!((world.resource(AT), world.resource(left)), (ResourceState::Ready, ResourceState::Ready));
    // Nor is it in the way of a plan that no longer has its phase.
    world.carry_out(plan(2, vec![job("b")]));
    world.carry_out(plan(2, vec![job("b")]));
    assert_eq!(world.resource(AT), ResourceState::Ready);
    world.down(false);
    world.settle();
    assert_eq!(world.resource(AT), ResourceState::Gone, "its run is not known any more");
}

#[test]
fn what_is_adopted_is_not_suspected_again_as_it_was() {
    let mut world = seen(vec![at(Some(12))], plan(2, vec![job("a")]));
    assert_eq!(world.adopt(AT, Found::AsSeen), None);
    world.play("a").tries = vec![Try { suspects: vec![suspect(at(Some(12))), suspect(process(5))], ..Try::default() }];
    world.play("a").fingerprint = "f2".to_owned();
    world.carry_out(plan(2, vec![job("a")]));
    assert_eq!(world.suspected(), ["g/a/suspect:process-5"]);
}

#[test]
fn whichever_record_its_engine_dies_after_it_is_removed_once_or_not_at_all() {
    let until_down = |dies_after: Option<usize>| {
        let mut world = seen(vec![at(Some(12))], plan(2, vec![job("a")]));
        let begun = world.records.len();
        world.dies_after = dies_after.map(|count| begun + count);
        world.adopt(AT, Found::AsSeen);
        let adopted = world.kernel.state().resource(&AT.parse().unwrap()).is_some();
        if adopted {
            world.down(false);
            world.settle();
        }
        (world, begun, adopted)
    };
    let (whole, begun, _) = until_down(None);
    for died in 0..whole.records.len() - begun {
        let (mut world, _, adopted) = until_down(Some(died));
        assert_eq!(world.deaths, 1, "died after {died}");
        assert_eq!(adopted, died > 0, "died after {died}");
        world.down(false);
        world.settle();
        let removed = |world: &World| world.resource(AT) == ResourceState::Gone && !world.there.contains(AT);
        assert!(!adopted || removed(&world), "died after {died}: {:?}", world.standing());
    }
}

#[test]
fn the_record_says_who_and_what_and_is_read_back() {
    let mut world = seen(vec![at(Some(12))], plan(2, vec![job("a")]));
    assert_eq!(world.adopt(AT, Found::AsSeen), None);
    let (_, record) = world.records.last().unwrap();
    let text = serde_json::to_string(record).unwrap();
    assert!(
        text.starts_with(r#"{"event":"suspect_adopted","owner":"g/a/suspect:at-12","suspected":{"suspect":{"subject":{"kind":"at_job""#)
    );
    assert!(text.ends_with(r#""by":"ann"}"#), "{text}");
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), *record);
    // A state that was written down has it too.
    let state = serde_json::to_string(world.kernel.state()).unwrap();
    assert_eq!(&serde_json::from_str::<State>(&state).unwrap().restored(), world.kernel.state());
}

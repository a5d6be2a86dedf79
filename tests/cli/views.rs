//! Views over hand-made lists of records: what no run shows easily.

use std::fmt::Write as _;

use opensculpt::base::owner::Owner;
use opensculpt::base::time::{Span, Timestamp};
use opensculpt::interface::report::run::summary::summary;
use opensculpt::interface::terminal::Look;
use opensculpt::kernel::action::{Effect, EffectId, Exit, ProcessMark, RunId, Seen};
use opensculpt::kernel::answer::{Answer, Stage};
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::outcome::{Outcome, Proof, Verdict};
use opensculpt::kernel::record::{Record, RunOptions};
use opensculpt::manifest::load::load;
use opensculpt::plan::compile::{Inputs, compile};
use opensculpt::plan::sealed::{PhaseIx, Plan};
use opensculpt::views::outside::Outside;
use opensculpt::views::ps::ps;
use opensculpt::views::replay::Replay;
use opensculpt::views::runs::runs;
use opensculpt::views::status::{GoalStatus, status};
use opensculpt::views::why::{Explanation, why};

const SERVE: &str = r#"
version: "1"
name: crm
phases:
  store: { run: "true", verify: { checks: [ { file: a } ] } }
  server:
    needs: [store]
    resources: { crm: { process: { run: sleep 9 }, scope: goal } }
    verify: { checks: [ { tcp: "127.0.0.1:1" } ] }
  leads: { needs: [server], run: "true" }
  handover: { needs: [leads], verify: { tier: ask_user, question: All good? } }
  publish: { needs: { handover: { when: finished } }, run: "true" }
  end: { needs: [publish], run: "true" }
"#;

/// A story that is told record by record, a second each.
struct Story {
    replay: Replay,
    at: u64,
    run: RunId,
    effects: u64,
}

/// Where the story begins, in milliseconds.
const BEGIN: u64 = 1_795_000_000_000;

fn plan(text: &str) -> Plan {
    let goal = load("goals/crm.yaml", &|_| Ok(text.as_bytes().to_vec())).expect("a good manifest").goal;
    compile(&goal, &Inputs { manifest: "goals/crm.yaml".to_owned(), ..Inputs::default() }).expect("a plan")
}

impl Story {
    fn of(text: &str) -> Self {
        let run = RunId("crm.1".to_owned());
        let mut story = Self { replay: Replay::default(), at: BEGIN, run: run.clone(), effects: 0 };
        story.then(Record::EngineStarted { version: "1".to_owned(), pid: 7, torn: 0 });
        story.then(Record::RunStarted { run, plan: Box::new(plan(text)), options: RunOptions::default() });
        story
    }

    #[expect(clippy::needless_pass_by_value, reason = "a story reads better without borrows")]
    fn then(&mut self, record: Record) -> &mut Self {
        self.at += 1000;
        self.replay.fold(Timestamp(self.at), &record).unwrap();
        self
    }

    fn begin(&mut self, phase: u32) -> &mut Self {
        let run = self.run.clone();
        self.then(Record::AttemptStarted { run, phase: PhaseIx(phase), attempt: 1 })
    }

    fn answer(&mut self, phase: u32, stage: Stage, answer: Answer) -> &mut Self {
        let run = self.run.clone();
        self.then(Record::Answered { run, phase: PhaseIx(phase), check: 0, stage, answer })
    }

    fn worked(&mut self, phase: u32) -> &mut Self {
        let run = self.run.clone();
        self.then(Record::Worked { run, phase: PhaseIx(phase), outputs: indexmap::IndexMap::new() })
    }

    fn end(&mut self, phase: u32, outcome: Outcome, proof: Proof, why: &str) -> &mut Self {
        let (run, why) = (self.run.clone(), why.to_owned());
        let fault = matches!(outcome, Outcome::Failed).then_some(Fault::WorkFailed);
        self.then(Record::PhaseEnded { run, phase: PhaseIx(phase), outcome, proof, fault, why })
    }

    /// A phase whose check was red before and is green after.
    fn green(&mut self, phase: u32) -> &mut Self {
        self.begin(phase).answer(phase, Stage::Before, Answer::fail(Fault::MissingFile, "not there")).worked(phase);
        self.answer(phase, Stage::After, Answer::pass("there")).end(
            phase,
            Outcome::Verified,
            Proof::Proven,
            "1 check red before, green after",
        )
    }

    /// The phase `server`, whose service runs as process 42.
    fn serve(&mut self) -> &mut Self {
        self.effects += 1;
        let (id, run) = (EffectId(self.effects), self.run.clone());
        let owner: Owner = "crm/server/crm".parse().unwrap();
        let process = ProcessMark { pid: 42, start: 1, boot: "b".to_owned(), unique: None, scope: "s".to_owned(), container: None };
        self.begin(1).answer(1, Stage::Before, Answer::fail(Fault::ConnectionRefused, "refused"));
        let effect = Effect::Serve { run, phase: PhaseIx(1), attempt: 1, resource: "crm".into() };
        self.then(Record::Requested { id, owner: owner.clone(), effect });
        self.then(Record::Observed { id, seen: Seen::Started { process } });
        self.then(Record::ResourceReady { owner, evidence: "it listens".to_owned() }).worked(1);
        self.answer(1, Stage::After, Answer::pass("connected")).end(1, Outcome::Verified, Proof::Proven, "1 check red before, green after")
    }

    fn run_ended(&mut self, verdict: Verdict) -> &mut Self {
        let run = self.run.clone();
        self.then(Record::RunEnded { run, verdict, why: "all phases ended as they should".to_owned(), survivors: 0 })
    }

    /// All phases, to the end.
    fn all_green(&mut self) -> &mut Self {
        self.green(0).serve();
        for phase in 2..6 {
            let (outcome, proof) = if phase == 3 { (Outcome::Verified, Proof::Person) } else { (Outcome::Unverified, Proof::None) };
            self.begin(phase).worked(phase).end(phase, outcome, proof, "as it should");
        }
        self.run_ended(Verdict::Verified)
    }

    fn outside<'a>(&self, alive: &'a dyn Fn(&ProcessMark) -> bool, engine: bool) -> Outside<'a> {
        Outside { now: Timestamp(self.at + 60_000), alive, usage: &|_| None, there: &|_| true, engine }
    }

    fn goal(&self, alive: bool, engine: bool) -> GoalStatus {
        let alive = move |_: &ProcessMark| alive;
        status(&self.replay, &self.outside(&alive, engine), None).goals.pop().unwrap()
    }

    fn stands(&self, alive: bool, engine: bool) -> (&'static str, String) {
        let goal = self.goal(alive, engine);
        (goal.outcome.word(), goal.why)
    }

    fn why(&self, place: &str) -> Explanation {
        why(&self.replay, &self.outside(&|_| true, true), &|file| format!("{}.{}", file.owner, file.attempt), place).unwrap()
    }
}

#[test]
fn green_has_an_age_and_a_dead_service_ends_it() {
    let mut story = Story::of(SERVE);
    story.all_green();
    assert_eq!(story.stands(true, false).0, "verified");
    assert_eq!(story.goal(true, false).age_ms, Some(60_000));
    let dead = ("regressed", "crm/server/crm is unhealthy: its process 42 is gone, and nobody saw it end".to_owned());
    assert_eq!(story.stands(false, false), dead);
    let resource = &story.goal(false, false).resources[0];
    assert_eq!((resource.state, resource.pid), ("unhealthy", None));

    // An engine sees it end.
    story.then(Record::Observed { id: EffectId(1), seen: exited(Exit::Code(1)) });
    assert_eq!(story.stands(true, false), ("regressed", "crm/server/crm is gone: it ended with exit 1".to_owned()));
    story.then(Record::DownStarted { goal: "crm".into(), volumes: false });
    assert_eq!(story.stands(true, true).0, "stopping");
    story.then(Record::DownEnded { goal: "crm".into(), survivors: 0, kept: Vec::new(), liars: Vec::new() });
    assert_eq!(story.stands(true, false).0, "down");
}

fn exited(exit: Exit) -> Seen {
    Seen::Exited {
        exit,
        leftovers: 0,
        survivors: Vec::new(),
        outputs: indexmap::IndexMap::new(),
        artifacts: Vec::new(),
        usage: opensculpt::kernel::usage::Usage::default(),
        suspects: Vec::new(),
        contained: None,
    }
}

#[test]
fn a_check_that_is_asked_again_counts() {
    let mut story = Story::of(SERVE);
    story.all_green().answer(0, Stage::Again, Answer::fail(Fault::MissingFile, "a is not there"));
    assert_eq!(story.stands(true, false), ("regressed", "check 1 of store now fails: a is not there".to_owned()));
    let since = story.goal(true, false).regressed_since.expect("it was seen");
    assert_eq!(since, Timestamp(story.at).to_string());
    // Who has no answer neither regresses nor recovers.
    story.answer(0, Stage::Again, Answer::unknown(Fault::CheckerBroken, "it timed out"));
    assert_eq!(story.stands(true, false), ("regressed", "check 1 of store now fails: a is not there".to_owned()));
    story.answer(0, Stage::Again, Answer::fail(Fault::MissingFile, "a is still not there"));
    assert_eq!(story.goal(true, false).regressed_since, Some(since), "for as long as it says so");
    story.answer(0, Stage::Again, Answer::pass("a is there"));
    let goal = story.goal(true, false);
    assert_eq!((story.stands(true, false).0, goal.regressed_since), ("verified", None));
    story.answer(0, Stage::Again, Answer::unknown(Fault::CheckerBroken, "it timed out"));
    assert_eq!(story.stands(true, false), ("unknown", "check 1 of store could not be asked: it timed out".to_owned()));
}

#[test]
fn every_green_has_the_age_of_the_last_look() {
    let mut story = Story::of(SERVE);
    story.all_green();
    let ended = story.goal(true, false).phases[1].as_of.clone().expect("green is as of its end");
    let as_of = |story: &Story, phase: usize| story.goal(true, false).phases[phase].as_of.clone();
    // Others are as old as they were.
    story.answer(0, Stage::Again, Answer::pass("a is there"));
    let looked = Timestamp(story.at).to_string();
    assert_eq!((as_of(&story, 0), as_of(&story, 1)), (Some(looked.clone()), Some(ended.clone())));
    // A round that brings nothing new is about all of them; where nothing is asked, the end counts.
    let run = story.run.clone();
    story.then(Record::Reverified { run: run.clone() });
    let round = Some(Timestamp(story.at).to_string());
    assert_eq!((as_of(&story, 0), as_of(&story, 1)), (round.clone(), round.clone()));
    assert!(as_of(&story, 2) < round && as_of(&story, 2).is_some());
    let held = as_of(&story, 0);
    story.answer(0, Stage::Again, Answer::fail(Fault::MissingFile, "a is not there"));
    story.then(Record::Reverified { run });
    assert_eq!(as_of(&story, 0), held, "it was green then, and is not now");
    assert!(story.goal(true, false).as_of <= held);
}

#[test]
fn a_run_without_an_engine_is_interrupted_unless_it_waits_for_a_person() {
    let mut story = Story::of(SERVE);
    story.green(0);
    assert_eq!(story.stands(true, true), ("running", "1 of 6 phases have ended".to_owned()));
    assert_eq!(story.stands(true, false), ("interrupted", "its engine died while it ran".to_owned()));
    story.serve().begin(2).worked(2).end(2, Outcome::Unverified, Proof::None, "nothing verifies it").begin(3).worked(3);
    let run = story.run.clone();
    story.then(Record::Asked { run, phase: PhaseIx(3), question: "All good?".to_owned() });
    assert_eq!(story.stands(true, false), ("waiting", "handover waits for a person".to_owned()));
}

#[test]
fn what_waits_names_what_it_waits_for_in_the_end() {
    let mut story = Story::of(SERVE);
    story.green(0).serve().begin(2).worked(2).end(2, Outcome::Unverified, Proof::None, "nothing verifies it").begin(3).worked(3);
    let run = story.run.clone();
    story.then(Record::Asked { run, phase: PhaseIx(3), question: "All good?".to_owned() });
    let end = story.why("crm/end");
    assert_eq!(
        end.sentences,
        [
            "crm/end has not begun.",
            "It needs publish verified, which is pending.",
            "In the end all of this waits for crm/handover (waiting)."
        ]
    );
    assert_eq!(end.hints, ["answer what is asked: `sculpt answer crm/handover yes` or `… no`"]);
    let publish = story.why("crm/publish");
    assert_eq!(publish.sentences, ["crm/publish has not begun.", "It needs handover ended, in any way, which is waiting."]);
    assert_eq!(story.why("crm/handover").sentences[0], "crm/handover asks a person: All good?");
    assert_eq!(story.why("crm/server/crm").logs, ["crm/server/crm.1"]);
}

#[test]
fn the_fields_of_status_and_ps_are_those_of_the_design() {
    let mut story = Story::of(SERVE);
    story.all_green();
    let goal = serde_json::to_value(story.goal(true, false)).unwrap();
    let has = |value: &serde_json::Value, fields: &[&str]| fields.iter().all(|field| value.get(field).is_some());
    assert!(has(&goal, &["name", "run", "outcome", "phases", "resources", "daemons", "demands"]), "{goal}");
    assert!(has(&goal["phases"][0], &["name", "state", "outcome", "proof", "attempts", "why"]), "{goal}");
    assert!(has(&goal["resources"][0], &["name", "kind", "owner", "state", "pid"]), "{goal}");
    assert_eq!((&goal["daemons"], &goal["demands"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert_eq!((&goal["phases"][0]["proof"], &goal["phases"][2]["proof"]), (&"proven".into(), &"none".into()));
    let lives = serde_json::to_value(ps(&story.replay, &story.outside(&|_| true, false), None)).unwrap();
    assert_eq!(lives["resources"][0], goal["resources"][0], "ps has the same fields");
}

#[test]
fn runs_tell_how_each_ended() {
    let mut story = Story::of(SERVE);
    story.all_green();
    story.run = RunId("crm.2".to_owned());
    let run = story.run.clone();
    story.then(Record::RunStarted { run, plan: Box::new(plan(SERVE)), options: RunOptions::default() });
    let told = runs(&story.replay, &story.outside(&|_| true, true), None).runs;
    let told: Vec<(&str, &str, Option<u8>)> = told.iter().map(|run| (run.run.as_str(), run.outcome, run.exit_code)).collect();
    assert_eq!(told, [("crm.1", "verified", Some(0)), ("crm.2", "running", None)]);
}

#[test]
fn the_summary_of_ten_thousand_phases_fits_on_a_screen() {
    let mut text = String::from("version: \"1\"\nname: crm\nphases:\n");
    for n in 0..10_000 {
        writeln!(text, "  p{n}: {{ run: \"true\" }}").unwrap();
    }
    let mut story = Story::of(&text);
    for n in 0..10_000 {
        let (outcome, why) = if n % 100 == 0 { (Outcome::Failed, "exit 1") } else { (Outcome::Verified, "fine") };
        story.begin(n).end(n, outcome, Proof::None, why);
    }
    story.run_ended(Verdict::Failed);
    let goal = story.goal(true, false);
    let summary = summary(&goal, Span::seconds(9), &[], Look::PLAIN);
    assert!(summary.lines().count() < 40, "{summary}");
    assert!(summary.contains("and 80 more that are not green: `sculpt status crm`"), "{summary}");
    assert!(summary.contains("x crm.1 failed in 9.0s: 9900 verified, 100 failed"), "{summary}");
}

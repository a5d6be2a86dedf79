//! Looks and the commands of checks: what passes, what fails, and what is no answer.

use opensculpt::base::time::Span;
use opensculpt::kernel::action::{Effect, Seen, StopPolicy};
use opensculpt::kernel::answer::Said;
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::input::Input;
use opensculpt::manifest::check::CheckKind;
use opensculpt::ports::job::{FileJob, Job};
use opensculpt::ports::probe::{Asked, Probing};
use serde_json::json;

use super::making::removal;
use super::scripts::{IGNORES, KILLS_ITSELF, SAYS, STAYS};
use super::{World, in_every_world, phase, run, service};

pub(super) const PATIENT: Span = Span::seconds(30);

pub(super) fn look(world: &World, kind: serde_json::Value) -> Asked {
    let kind: CheckKind = serde_json::from_value(kind).unwrap();
    Asked::Look { kind: Box::new(kind), workspace: world.dir.path().to_owned(), log: None }
}

fn execute(world: &World, script: &str, contains: Option<&str>, matches: Option<&str>) -> Asked {
    let (contains, matches) = (contains.map(str::to_owned), matches.map(str::to_owned));
    Asked::Execute { command: Box::new(world.command(script)), contains, matches, endpoint: None }
}

#[test]
fn the_exit_of_a_check_is_its_answer() {
    in_every_world(async |world| {
        for (script, said, fault) in [
            ("exit 0", Said::Pass, None),
            ("exit 1", Said::Fail, Some(Fault::CheckFailed)),
            ("exit 125", Said::Fail, Some(Fault::CheckFailed)),
            ("exit 126", Said::Unknown, Some(Fault::Permission)),
            ("exit 127", Said::Unknown, Some(Fault::MissingCommand)),
            (KILLS_ITSELF, Said::Unknown, Some(Fault::CheckerBroken)),
        ] {
            let asked = execute(world, script, None, None);
            let answer = world.ask(asked, PATIENT).await;
            assert_eq!((answer.said, answer.fault), (said, fault), "{}: {script}: {}", world.name, answer.evidence);
        }
        for (contains, matches, said) in [
            (Some("three"), None, Said::Pass),
            (Some("four"), None, Said::Fail),
            (None, Some("^[a-z]+ rows"), Said::Pass),
            (None, Some("^[0-9]"), Said::Fail),
        ] {
            let asked = execute(world, SAYS, contains, matches);
            let answer = world.ask(asked, PATIENT).await;
            let fault = (said == Said::Fail).then_some(Fault::WrongAnswer);
            assert_eq!((answer.said, answer.fault), (said, fault), "{}: {contains:?} {matches:?}", world.name);
        }
        assert_eq!(world.runtime.populated().unwrap(), Vec::<String>::new(), "{}", world.name);
    });
}

#[test]
fn a_check_that_takes_too_long_is_no_answer_and_leaves_nobody() {
    in_every_world(async |world| {
        for script in [STAYS, IGNORES] {
            let asked = execute(world, script, None, None);
            let answer = world.ask(asked, Span(200)).await;
            assert_eq!((answer.said, answer.fault), (Said::Unknown, Some(Fault::TimedOut)), "{}: {}", world.name, answer.evidence);
            assert_eq!(world.runtime.populated().unwrap(), Vec::<String>::new(), "{}", world.name);
        }
    });
}

#[test]
fn a_check_is_stopped_with_its_place() {
    in_every_world(async |world| {
        let question = opensculpt::kernel::action::QuestionId(1);
        let permit = world.permit(&phase(), Effect::Ask { run: run(), phase: opensculpt::plan::sealed::PhaseIx(0), question });
        let asked = execute(world, STAYS, None, None);
        world.probe.ask(Probing { question, place: phase(), timeout: PATIENT, asked }, Some(&permit), &world.tell);
        let end = world.end(&phase(), StopPolicy::KILL, Vec::new());
        let (mut answered, mut ended) = (false, false);
        while !(answered && ended) {
            match world.hear().await {
                Input::Shown(opensculpt::kernel::action::Shown::Answer { answer, .. }) => {
                    assert_eq!((answer.said, answer.fault), (Said::Unknown, Some(Fault::Stopped)), "{}", world.name);
                    answered = true;
                }
                Input::Seen { id, seen: Seen::Ended { survivors, .. } } if id == end => {
                    assert!(survivors.is_empty(), "{}", world.name);
                    ended = true;
                }
                other => panic!("{}: {other:?}", world.name),
            }
        }
        assert_eq!(world.runtime.populated().unwrap(), Vec::<String>::new(), "{}", world.name);
    });
}

#[test]
fn where_nobody_listens_the_connection_is_refused() {
    in_every_world(async |world| {
        let (port, held) = world.stranger();
        let tcp = look(world, json!({ "tcp": format!("127.0.0.1:{port}") }));
        assert_eq!(world.ask(tcp, PATIENT).await.said, Said::Pass, "{}", world.name);
        drop(held);
        // A port that was just given back, and that no stranger of either world holds.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for kind in [json!({ "tcp": format!("127.0.0.1:{free}") }), json!({ "http": format!("http://127.0.0.1:{free}/") })] {
            let asked = look(world, kind.clone());
            let answer = world.ask(asked, PATIENT).await;
            assert_eq!((answer.said, answer.fault), (Said::Fail, Some(Fault::ConnectionRefused)), "{}: {kind}", world.name);
        }
    });
}

#[test]
fn a_file_is_there_once_it_is_made_and_until_it_is_removed() {
    in_every_world(async |world| {
        let ask = async |world: &mut World, kind: serde_json::Value| {
            let asked = look(world, json!({ "file": kind }));
            let answer = world.ask(asked, PATIENT).await;
            (answer.said, answer.fault)
        };
        let (pass, missing, wrong) = ((Said::Pass, None), (Said::Fail, Some(Fault::MissingFile)), (Said::Fail, Some(Fault::CheckFailed)));
        assert_eq!(ask(world, json!("f")).await, missing, "{}", world.name);
        assert_eq!(ask(world, json!({ "path": "f", "exists": false })).await, pass, "{}", world.name);
        let effect = Effect::Make { run: run(), phase: opensculpt::plan::sealed::PhaseIx(0), attempt: 1, resource: "svc".into() };
        let job = FileJob { path: world.path("f"), content: "three rows".to_owned(), owner: None, mode: None };
        let id = world.carry_out(&service(), effect, Job::File(job));
        assert!(matches!(world.seen(id).await, Seen::Begun { .. }), "{}", world.name);
        world.runtime.proceed(id);
        assert!(matches!(world.seen(id).await, Seen::Made { created: true, .. }), "{}", world.name);
        assert_eq!(ask(world, json!("f")).await, pass, "{}", world.name);
        assert_eq!(ask(world, json!({ "path": "f", "contains": "three" })).await, pass, "{}", world.name);
        assert_eq!(ask(world, json!({ "path": "f", "contains": "four" })).await, wrong, "{}", world.name);
        assert_eq!(ask(world, json!({ "path": "f", "matches": "^t.*s$" })).await, pass, "{}", world.name);
        assert_eq!(ask(world, json!({ "path": "f", "min_size": "1Ki" })).await, wrong, "{}", world.name);
        assert_eq!(ask(world, json!({ "path": "f", "exists": false })).await, wrong, "{}", world.name);
        let removal = removal(world, &["f"], &[]);
        let id = world.carry_out(&service(), Effect::Remove, removal);
        assert_eq!(world.seen(id).await, Seen::Done, "{}", world.name);
        assert_eq!(ask(world, json!("f")).await, missing, "{}", world.name);
    });
}

#[test]
fn a_service_is_asked_whether_it_runs() {
    in_every_world(async |world| {
        let asked = Asked::Serving { process: None, ports: Vec::new() };
        assert_eq!(world.ask(asked, PATIENT).await.fault, Some(Fault::NotReady), "{}", world.name);
        let id = world.serve(STAYS, &[]);
        let process = world.started(id).await;
        let asked = Asked::Serving { process: Some(process.clone()), ports: Vec::new() };
        assert_eq!(world.ask(asked, PATIENT).await.said, Said::Pass, "{}", world.name);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let asked = Asked::Serving { process: Some(process.clone()), ports: vec![free.to_string()] };
        assert_eq!(world.ask(asked, PATIENT).await.fault, Some(Fault::NotReady), "{}", world.name);
        let end = world.end(&service(), StopPolicy::KILL, vec![process.clone()]);
        for _ in 0..2 {
            world.hear().await;
        }
        assert!(end.0 > 0);
        let asked = Asked::Serving { process: Some(process), ports: Vec::new() };
        assert_eq!(world.ask(asked, PATIENT).await.fault, Some(Fault::ServiceExited), "{}", world.name);
    });
}

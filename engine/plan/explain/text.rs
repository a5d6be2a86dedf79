//! The plan as text for a terminal. It fits a screen for a goal of a few phases, and ends for one of ten thousand.

use super::explanation::{Explanation, NeedLine, PhaseLine};
use super::graph;
use super::limits::{Limit, Limited};
use super::page::{Page, Tone, chain, counted, short};
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::manifest::policy::Budget;
use crate::manifest::verify::Tier;
use crate::plan::sealed::{Part, Step};

/// How many needs a row names.
const NEEDS: usize = 3;

/// How wide a column may become.
const WIDE: usize = 48;

/// Writes a plan for a person.
pub fn text(explanation: &Explanation, colour: bool) -> String {
    let mut page = Page::new(colour);
    head(&mut page, explanation);
    phases(&mut page, explanation);
    critical_path(&mut page, explanation);
    resources(&mut page, explanation);
    limits(&mut page, explanation);
    budget(&mut page, explanation);
    requires(&mut page, explanation);
    page.finish()
}

fn head(page: &mut Page, explanation: &Explanation) {
    // The goal's own checks are a phase to the engine only.
    let phases = explanation.phases.iter().filter(|phase| phase.part != Part::Goal);
    let waves = phases.clone().map(|phase| phase.wave).collect::<std::collections::BTreeSet<_>>().len();
    let goal = page.tone(Tone::Bold, explanation.goal.as_str());
    let (phases, waves) = (counted(phases.count(), "phase"), counted(waves, "wave"));
    page.line(format_args!("{goal}  {}: {phases} in {waves}, at most {} at once", explanation.manifest, explanation.concurrency));
    let params: Vec<String> =
        explanation.params.iter().map(|(name, value)| format!("{name}={}", short(&value.to_string(), WIDE))).collect();
    if !params.is_empty() {
        page.line(format_args!("  with {}", chain(&params, ", ")));
    }
    if !explanation.profiles.is_empty() {
        let profiles: Vec<String> = explanation.profiles.iter().map(ToString::to_string).collect();
        page.line(format_args!("  profiles {}", chain(&profiles, ", ")));
    }
}

fn phases(page: &mut Page, explanation: &Explanation) {
    page.heading("Phases");
    let rows: Vec<[String; 6]> = explanation
        .phases
        .iter()
        .map(|phase| [phase.wave.to_string(), phase.name.to_string(), needs(phase), does(phase), at_most(phase), verified_by(phase)])
        .collect();
    page.table(["wave", "phase", "after", "does", "at most", "verified by"], &rows, "phases");
}

/// What a phase needs; the instances of a loop as one.
fn needs(phase: &PhaseLine) -> String {
    if phase.part != Part::Phase && phase.needs.is_empty() {
        return "everything".to_owned();
    }
    let mut named: Vec<String> = phase
        .needs
        .chunk_by(|one, other| one.origin == other.origin && one.unlock == other.unlock)
        .map(|group| match group {
            [NeedLine { phase, unlock, .. }] => worded(phase.as_str(), *unlock),
            [NeedLine { origin, unlock, .. }, ..] => worded(&format!("{origin}[×{}]", group.len()), *unlock),
            [] => String::new(),
        })
        .collect();
    if named.len() > NEEDS {
        let hidden = named.len() - NEEDS;
        named.truncate(NEEDS);
        named.push(format!("{hidden} more"));
    }
    named.join(", ")
}

fn worded(name: &str, unlock: crate::manifest::needs::Unlock) -> String {
    graph::word(unlock).map_or_else(|| name.to_owned(), |word| format!("{name} ({word})"))
}

fn does(phase: &PhaseLine) -> String {
    let steps: Vec<String> = phase
        .steps
        .iter()
        .map(|step| match step {
            Step::Make(name) => format!("make {name}"),
            Step::Serve(name) => format!("serve {name}"),
            Step::Ready(name) => format!("{name} ready"),
            Step::Complete(name) => format!("{name} done"),
            Step::Work => "work".to_owned(),
        })
        .collect();
    let steps = if steps.is_empty() { "checks".to_owned() } else { steps.join(", ") };
    short(&phase.when.as_ref().map_or_else(|| steps.clone(), |when| format!("when {when}: {steps}")), WIDE)
}

fn at_most(phase: &PhaseLine) -> String {
    match (phase.timeout, phase.attempts) {
        (None, 1) => String::new(),
        (None, attempts) => format!("{attempts} tries"),
        (Some(timeout), 1) => timeout.to_string(),
        (Some(timeout), attempts) => format!("{attempts} × {timeout}"),
    }
}

fn verified_by(phase: &PhaseLine) -> String {
    let checks = counted(phase.checks, "check");
    match (phase.tier, phase.checks) {
        (Tier::None, _) => "nobody".to_owned(),
        (Tier::Auto, _) => checks,
        (Tier::AskUser, 0) => "a person".to_owned(),
        (Tier::AskUser, _) => format!("{checks}, a person"),
    }
}

fn critical_path(page: &mut Page, explanation: &Explanation) {
    let path = &explanation.critical_path;
    page.heading("Critical path");
    let names: Vec<String> = path.phases.iter().map(ToString::to_string).collect();
    page.line(format_args!("  {}", chain(&names, " → ")));
    let bounded = path.phases.len() - path.unbounded;
    let timeouts = match (bounded, path.unbounded) {
        (0, _) => format!("{}, none with a timeout", counted(path.phases.len(), "phase")),
        (_, 0) => format!("{}, timeouts of {} in all", counted(path.phases.len(), "phase"), path.timeouts),
        (_, without) => format!("{}, timeouts of {} in all, {without} without", counted(path.phases.len(), "phase"), path.timeouts),
    };
    let timeouts = page.tone(Tone::Dim, &timeouts);
    page.line(format_args!("  {timeouts}"));
}

/// What is held, and when it comes and goes.
fn resources(page: &mut Page, explanation: &Explanation) {
    page.heading("Resources");
    if explanation.resources.is_empty() {
        page.line("  none");
        return;
    }
    let rows: Vec<[String; 4]> = explanation
        .resources
        .iter()
        .map(|held| [place(&held.owner), held.kind.word().to_owned(), short(&held.what, WIDE), held.released.words().to_owned()])
        .collect();
    page.table(["place", "is a", "at", "ends with"], &rows, "resources");
    page.heading("Order");
    order(page, "start", &explanation.start_order);
    order(page, "teardown", &explanation.teardown_order);
}

/// Ranks in order; what starts or ends at once stands together.
fn order(page: &mut Page, what: &str, ranks: &[Vec<Owner>]) {
    if ranks.is_empty() {
        return;
    }
    let ranks: Vec<String> = ranks.iter().map(|rank| chain(&rank.iter().map(place).collect::<Vec<_>>(), " + ")).collect();
    let what = page.tone(Tone::Dim, &format!("{what:<8}"));
    page.line(format_args!("  {what}  {}", chain(&ranks, " → ")));
}

/// A place without its goal, which the head names.
fn place(owner: &Owner) -> String {
    let parts: Vec<&str> = owner.phase.iter().chain(&owner.resource).map(crate::base::name::Name::as_str).collect();
    if parts.is_empty() { "the goal".to_owned() } else { parts.join("/") }
}

fn limits(page: &mut Page, explanation: &Explanation) {
    page.heading("Limits");
    if explanation.limits.is_empty() {
        page.line("  none");
    } else {
        let rows: Vec<[String; 3]> =
            explanation.limits.iter().map(|limited| [place(&limited.owner), declared(limited), enforced(limited)]).collect();
        page.table(["place", "at most", "on this host"], &rows, "limits");
    }
    let host = &explanation.host;
    let can = if host.enforceable.is_empty() { "nothing".to_owned() } else { words(&host.enforceable) };
    page.line(format_args!("  this host holds processes together by {}, and can limit {can}", host.mechanism));
    if let Some(defaults) = &host.defaults {
        let unenforced = if host.enforceable.contains(&Limit::Memory) { "" } else { ": not enforced on this host" };
        let (whole, goal) = (defaults.memory, defaults.goal_memory);
        page.line(format_args!(
            "  all goals of the workspace may use {whole} of memory, and one that declares no limit {goal}{unenforced}"
        ));
    }
    if let Some(engine) = &host.container_engine {
        page.line(format_args!("  containers are those of {engine}"));
    }
    for gap in &host.gaps {
        let gap = page.tone(Tone::Dim, &format!("it cannot promise: {gap}"));
        page.line(format_args!("  {gap}"));
    }
}

fn declared(limited: &Limited) -> String {
    let limits = &limited.limits;
    let parts = [
        limits.memory.map(|memory| format!("{memory} memory")),
        limits.cpus.map(|cpus| format!("{cpus} cpus")),
        limits.pids.map(|pids| format!("{pids} pids")),
        limits.files.map(|files| format!("{files} files")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn enforced(limited: &Limited) -> String {
    match (limited.unenforced.as_slice(), limited.apart, limited.refused) {
        ([], true, true) => "REFUSED: each container has them for itself".to_owned(),
        ([], true, false) => "enforced, on each container for itself".to_owned(),
        ([], false, _) => "enforced".to_owned(),
        (missing, _, true) => format!("REFUSED: {} cannot be enforced", words(missing)),
        (missing, _, false) => format!("not enforced: {}", words(missing)),
    }
}

fn words(limits: &[Limit]) -> String {
    limits.iter().map(|limit| limit.word()).collect::<Vec<_>>().join(", ")
}

fn budget(page: &mut Page, explanation: &Explanation) {
    let budget = &explanation.budget;
    if budget.goal == Budget::default() && budget.phases == Budget::default() {
        return;
    }
    page.heading("Budget");
    for (whose, budget) in [("the goal", &budget.goal), ("its phases", &budget.phases)] {
        let parts = [
            budget.max_tokens.map(|tokens| format!("{tokens} tokens")),
            budget.max_cost.map(|cost| format!("{cost:.2} of money")),
            budget.max_time.map(|time: Span| format!("{time}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if !parts.is_empty() {
            page.line(format_args!("  {whose:<10}  {}", parts.join(", ")));
        }
    }
    for over in &budget.over {
        page.warning(&over.to_string());
    }
}

fn requires(page: &mut Page, explanation: &Explanation) {
    let mut needs: Vec<String> = Vec::new();
    for requires in &explanation.requires {
        needs.extend(requires.commands.iter().map(|command| format!("the command {command}")));
        needs.extend(requires.docker.filter(|docker| *docker).map(|_| "docker".to_owned()));
        needs.extend(requires.memory.map(|memory| format!("{memory} of memory")));
        needs.extend(requires.disk.map(|disk| format!("{disk} of disk")));
        needs.extend(requires.ports.iter().map(|port| format!("the port {} free", port.text())));
        needs.extend(requires.files.iter().map(|file| format!("the file {file}")));
        needs.extend(requires.user.iter().map(|user| format!("the user {user}")));
    }
    if !needs.is_empty() {
        page.heading("Requires");
        page.line(format_args!("  {}", chain(&needs, ", ")));
    }
}

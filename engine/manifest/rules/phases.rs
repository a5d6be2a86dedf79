//! `no-phases`, `two-phases-of-one-name`, `several-works`, `image-without-run`, `networks-without-image`, `two-loops`, `empty-phase`, `missing-question`, `no-checks`,
//! `checks-of-tier-none`: what a phase is made of.

use super::{Facts, Located};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::manifest::node::Aim;
use crate::manifest::verify::{Tier, Verify};
use crate::manifest::work::Run;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let document = facts.document;
    if facts.goal.phases.is_empty() {
        found.push(
            document
                .error_at_key(&["phases"], "no-phases", "the goal has no phases")
                .hint("a goal needs at least one phase under `phases:`"),
        );
    }
    for name in facts.goal.finally.keys().filter(|name| facts.goal.phases.contains_key(*name)) {
        found.push(
            document
                .error_at_key(&["finally", name.as_str()], "two-phases-of-one-name", format!("`{name}` is also the name of a phase"))
                .hint("places are `goal/phase`: rename one of them"),
        );
    }
    for phase in facts.phases.values() {
        works(facts, phase, found);
        if let Some(verify) = &phase.phase.verify {
            tier(facts, &phase.path(&["verify"]), verify, found);
        }
    }
    if let Some(verify) = &facts.goal.verify {
        tier(facts, &["verify"], verify, found);
    }
}

fn works(facts: &Facts<'_>, located: &Located<'_>, found: &mut Vec<Diagnostic>) {
    let document = facts.document;
    let phase = located.phase;
    if phase.run.is_some() && phase.agent.is_some() {
        found.push(
            document
                .error_at_key(&located.path(&["agent"]), "several-works", format!("`{}` has both `run` and `agent`", located.name))
                .hint("a phase has one piece of work: make two phases, the second with `needs`"),
        );
    }
    if phase.image.is_some() && phase.run.is_none() {
        found.push(document.error_at_key(
            &located.path(&["image"]),
            "image-without-run",
            "`image` says where `run` is carried out, and there is no `run`",
        ));
    }
    for (key, there) in [("networks", !phase.networks.is_empty()), ("volumes", !phase.volumes.is_empty())] {
        if there && phase.image.is_none() {
            let message = format!("`{key}` are those of the container in which `run` is carried out, and there is no `image`");
            let finding = document.error_at_key(&located.path(&[key]), "networks-without-image", message);
            found.push(finding.hint("give the phase an `image`, or write it in the `container` of a resource"));
        }
    }
    if phase.shell.is_some() && !matches!(phase.run, Some(Run::Script(_))) {
        found.push(document.error_at_key(
            &located.path(&["shell"]),
            "shell-without-script",
            "`shell` reads a `run` that is a text, and there is none",
        ));
    }
    if phase.for_each.is_some() && !phase.matrix.is_empty() {
        found.push(document.error_at_key(&located.path(&["matrix"]), "two-loops", "a phase has `for_each` or `matrix`, not both"));
    }
    for (axis, values) in &phase.matrix {
        if values.is_empty() {
            found.push(document.error_at_key(
                &located.path(&["matrix", axis.as_str()]),
                "empty-loop",
                format!("`{axis}` has no values: the phase would never run"),
            ));
        }
    }
    let idle =
        phase.run.is_none() && phase.agent.is_none() && phase.resources.is_empty() && phase.outputs.is_empty() && phase.needs.is_empty();
    if idle && phase.verify.as_ref().is_none_or(|verify| verify.checks.is_empty() && verify.tier != Tier::AskUser) {
        found.push(
            document
                .diagnostic(
                    Severity::Warning,
                    "empty-phase",
                    document.place(&located.path(&[]), Aim::Key),
                    format!("`{}` does nothing", located.name),
                )
                .hint("give it `run`, `resources` or `verify`"),
        );
    }
}

fn tier(facts: &Facts<'_>, path: &[&str], verify: &Verify, found: &mut Vec<Diagnostic>) {
    let document = facts.document;
    match verify.tier {
        Tier::AskUser if verify.question.as_ref().is_none_or(|question| question.trim().is_empty()) => {
            found.push(
                document.error_at_key(path, "missing-question", "tier `ask_user` has no `question`").hint("write what the person is asked"),
            );
        }
        Tier::Auto if verify.checks.is_empty() => {
            found.push(
                document
                    .error_at_key(path, "no-checks", "tier `auto` has no `checks`: nothing could ever turn it green")
                    .hint("add a check, or say `tier: none`"),
            );
        }
        Tier::None if !verify.checks.is_empty() => {
            let path: Vec<&str> = path.iter().copied().chain(["checks"]).collect();
            found.push(
                document
                    .warning_at(&path, "checks-of-tier-none", "tier `none` asks no checks")
                    .hint("take the tier out: with checks it is `auto`"),
            );
        }
        _ => {}
    }
}

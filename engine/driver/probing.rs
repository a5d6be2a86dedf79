//! A question → what the probe is asked, with every text rendered.

use std::path::PathBuf;

use super::shell::argv;
use super::texts::{TextError, Texts};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::kernel::action::{About, QuestionId};
use crate::kernel::fault::Fault;
use crate::kernel::state::State;
use crate::kernel::stock::Kind;
use crate::manifest::check::{CheckKind, ContainerCheck, Exec};
use crate::manifest::resource::HealthCheck;
use crate::manifest::work::{OneOrMany, Run};
use crate::ports::container::Reach;
use crate::ports::probe::Asked;

impl Texts<'_> {
    /// What is asked about this phase.
    pub(super) fn asked(&self, state: &State, question: QuestionId, about: &About) -> Result<Asked, TextError> {
        match about {
            About::Check { check, .. } => {
                let declared = self.planned().spec.verify.as_ref().and_then(|verify| verify.checks.get(usize::from(*check)));
                let declared = declared.ok_or_else(|| (Fault::CheckerBroken, "the plan has no such check".to_owned()))?;
                self.look(state, question, &declared.kind)
            }
            About::Ready { resource: name, .. } => {
                let resource = self.planned().resource(name).ok_or_else(|| (Fault::System, format!("the plan has no resource {name}")))?;
                let owner = Owner { resource: Some(name.clone()), ..self.run.owner(self.ix) };
                let made = state.resource(&owner);
                let container = made.and_then(|made| made.process.as_ref()?.container.clone());
                if let Some(health) = resource.healthcheck.as_ref().filter(|health| !health.is_off()) {
                    if let (Some(test), Some(_)) = (&health.test, &resource.container) {
                        let argv = argv(&self.typed(&compose_test(test))?, None);
                        return Ok(Asked::Inside { reach: self.reach(), container, argv });
                    }
                    if let Some(test) = &health.test {
                        return self.execute(question, &Exec::Run(compose_test(test)));
                    }
                    if health.kind != CheckKind::default() {
                        return self.look(state, question, &health.kind);
                    }
                }
                if resource.container.is_some() {
                    // Where no health is to be asked for, that of its image is not either.
                    let off = resource.healthcheck.as_ref().is_some_and(HealthCheck::is_off);
                    let state = off.then(|| "running".to_owned());
                    return Ok(Asked::Contained { reach: self.reach(), of: owner, container, state });
                }
                let process = made.and_then(|made| made.process.clone());
                Ok(Asked::Serving { process, ports: self.ports(name, resource)? })
            }
        }
    }

    fn look(&self, state: &State, question: QuestionId, kind: &CheckKind) -> Result<Asked, TextError> {
        if let Some(exec) = &kind.exec {
            return self.execute(question, exec);
        }
        let kind: CheckKind = self.typed(kind)?;
        if let Some(check) = &kind.container {
            let (resource, wanted) = match check {
                ContainerCheck::Name(name) => (name, None),
                ContainerCheck::Full(full) => (&full.resource, full.state.clone()),
            };
            return Ok(self.contained(state, resource, wanted));
        }
        let log = kind.log.as_ref().map(|check| match &check.resource {
            Some(resource) => self.resource_log(state, resource),
            None => self.log(None),
        });
        Ok(Asked::Look { kind: Box::new(kind), workspace: self.workspace.root().to_owned(), log })
    }

    /// A resource's log: of the attempt that made it, which may be of an earlier run.
    fn resource_log(&self, state: &State, name: &Name) -> PathBuf {
        let owner = Owner { resource: Some(name.clone()), ..self.run.owner(self.ix) };
        match state.resource(&owner) {
            Some(made) => self.workspace.log(&made.run, &self.planned().name, Some(name), made.attempt),
            None => self.log(Some(name)),
        }
    }

    /// How a container of this phase, or else of the goal, stands.
    fn contained(&self, state: &State, name: &Name, wanted: Option<String>) -> Asked {
        let plan = &self.run.plan;
        let made = std::iter::once(self.planned()).chain(&plan.phases).find_map(|phase| {
            let made = state.resource(&Owner::resource(&plan.goal, &phase.name, name))?;
            (made.kind == Kind::Container).then_some(made)
        });
        let container = made.and_then(|made| made.process.as_ref()?.container.clone());
        let of = made.map_or_else(|| Owner { resource: Some(name.clone()), ..self.run.owner(self.ix) }, |made| made.owner.clone());
        Asked::Contained { reach: self.reach(), of, container, state: wanted }
    }

    fn execute(&self, question: QuestionId, exec: &Exec) -> Result<Asked, TextError> {
        let folder = self.workspace.run(&self.run.id).join("outputs");
        let command = self.check(exec, folder.join(format!("check.{}.out", question.0)))?;
        let (contains, matches) = match exec {
            Exec::Run(_) => (None, None),
            Exec::Full(full) => (full.contains.as_ref(), full.matches.as_ref()),
        };
        let render = |text: Option<&String>| text.map(|text| self.text(text)).transpose();
        let endpoint = Some(Box::new(self.brief_endpoint(None, Reach::of(&command.env))?));
        Ok(Asked::Execute { command: Box::new(command), contains: render(contains)?, matches: render(matches)?, endpoint })
    }
}

/// Compose's `test`: `["CMD", …]`, `["CMD-SHELL", "…"]`, `["NONE"]` is caught before, a text is for the shell.
fn compose_test(test: &OneOrMany) -> Run {
    match test {
        OneOrMany::One(script) => Run::Script(script.clone()),
        OneOrMany::Many(words) => match words.split_first() {
            Some((first, rest)) if first == "CMD" => Run::Argv(rest.to_vec()),
            Some((first, rest)) if first == "CMD-SHELL" => Run::Script(rest.join(" ")),
            _ => Run::Argv(words.clone()),
        },
    }
}

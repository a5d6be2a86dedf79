//! What must be there before anything starts: gathered from the goal and the phases that take part, and rendered, since it is asked before the run.

use super::compile::Inputs;
use super::error::PlanError;
use super::instances::Instance;
use crate::base::name::Name;
use crate::manifest::goal::Goal;
use crate::manifest::requires::Requires;
use crate::manifest::template::{self, Context};

/// All that is required, each once.
pub(super) fn gather<'a>(
    goal: &Goal,
    instances: impl Iterator<Item = &'a Instance<'a>>,
    inputs: &Inputs,
    errors: &mut Vec<PlanError>,
) -> Vec<Requires> {
    let mut all: Vec<Requires> = Vec::new();
    let mut add = |requires: &Requires, phase: Option<&Instance<'_>>, templates: Option<bool>| match render(
        requires,
        phase,
        inputs,
        goal.templates != Some(false) && templates != Some(false),
    ) {
        Ok(requires) if !all.contains(&requires) => all.push(requires),
        Ok(_) => {}
        Err(error) => errors.push(error),
    };
    if let Some(requires) = &goal.requires {
        add(requires, None, None);
    }
    for instance in instances {
        if let Some(requires) = &instance.spec.requires {
            add(requires, Some(instance), instance.spec.templates);
        }
    }
    all
}

fn render(requires: &Requires, phase: Option<&Instance<'_>>, inputs: &Inputs, templates: bool) -> Result<Requires, PlanError> {
    let name = || -> Option<Name> { phase.map(|phase| phase.origin.clone()) };
    let wrong = |error: serde_json::Error| PlanError::WrongRequires { phase: name(), why: error.to_string() };
    let value = serde_json::to_value(requires).map_err(wrong)?;
    if !templates || !template::has_template(&value.to_string()) {
        return Ok(requires.clone());
    }
    let mut context = Context::new().with("params", &inputs.params);
    for (root, value) in phase.into_iter().flat_map(|phase| &phase.bindings) {
        context.set(root, value);
    }
    let value = template::render_value(&value, &context).map_err(|source| PlanError::Requires { phase: name(), source })?;
    serde_json::from_value(value).map_err(wrong)
}

//! What a phase's command, or a service of it, may ask of the container engine: from the manifest, the limits and the environment.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::texts::{TextError, Texts};
use crate::base::name::Name;
use crate::kernel::action::RunId;
use crate::kernel::call::KEEP;
use crate::manifest::policy::Limits;
use crate::ports::container::{EndpointJob, Reach};

impl Texts<'_> {
    /// The endpoint of the phase's command; of a service, where one is named.
    pub(super) fn endpoint_job(&self, resource: Option<&Name>, reach: Reach) -> Result<EndpointJob, TextError> {
        let (plan, planned) = (&self.run.plan, self.planned());
        let own = match resource {
            Some(name) => planned.resource(name).and_then(|resource| resource.limits.as_ref()),
            None => planned.spec.limits.as_ref(),
        };
        let own = own.cloned().unwrap_or_default();
        let declared = planned.spec.capabilities.as_ref().map_or(&[][..], |capabilities| &capabilities.docker);
        let allow = declared.iter().map(|word| self.text(word)).collect::<Result<BTreeSet<String>, _>>()?;
        Ok(EndpointJob {
            run: self.run.id.clone(),
            attempt: self.phase().attempt,
            reach,
            keeps: allow.contains(KEEP),
            allow,
            limits: own.within(&plan.limits),
            may_have_called: false,
        })
    }

    /// The endpoint of a command of which nothing is to stay: a check's, or one that destroys.
    pub(super) fn brief_endpoint(&self, resource: Option<&Name>, reach: Reach) -> Result<EndpointJob, TextError> {
        Ok(EndpointJob { keeps: false, ..self.endpoint_job(resource, reach)? })
    }

    /// Where the container engine is for the commands of this phase: its `env` may say otherwise than that of `sculpt run`.
    pub(super) fn reach_of_commands(&self) -> Result<Reach, TextError> {
        Ok(Reach::of(&self.layered((*self.env).clone(), &[], &IndexMap::new())?))
    }
}

/// The endpoint of the commands that fetch the secrets of a run: they belong to no phase, which could allow them anything.
pub(super) fn of_secrets(run: &RunId, env: &IndexMap<String, String>, limits: &Limits) -> EndpointJob {
    EndpointJob {
        run: run.clone(),
        attempt: 1,
        reach: Reach::of(env),
        allow: BTreeSet::new(),
        limits: Limits { memory: limits.memory, cpus: limits.cpus, pids: limits.pids, ..Limits::default() },
        keeps: false,
        may_have_called: false,
    }
}

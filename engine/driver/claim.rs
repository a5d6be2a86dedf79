//! The ports of a phase, before anything of it starts: whoever holds one that is not the phase's own is named.
//!
//! | before the first step of an attempt, a declared port is | then |
//! |---|---|
//! | free | it begins |
//! | of a service of this very phase that lives on | it begins |
//! | held by anybody else | it fails: who holds it is named, and no work was done for nothing |
//!
//! Where a fallback is declared, the port is chosen when the phase is briefed, before its checks are asked for the first time: the brief is
//! recorded, so that whatever is rendered later, by this engine or by another, has the same port.
//!
//! | a port with `fallback: next-free` is | chosen is |
//! |---|---|
//! | that of a resource of this place that lives on | the one that it has |
//! | free | the declared one |
//! | held by anybody else | the first of the next hundred that is free, and that nobody of this workspace has chosen or declared |

use super::engine::Engine;
use super::texts::TextError;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::kernel::action::{Brief, Effect, RunId};
use crate::kernel::chosen_port::ChosenPort;
use crate::kernel::fault::Fault;
use crate::kernel::state::Run;
use crate::manifest::port::Listen;
use crate::plan::sealed::{PhaseIx, Step};
use crate::ports::runtime::Holder;

/// How many ports above the declared one are looked at.
const NEXT: u16 = 100;

impl Engine {
    /// What a phase amounts to, with its ports chosen.
    pub(super) fn brief(&mut self, run: &RunId, phase: PhaseIx) -> Result<Brief, TextError> {
        if !self.texts(run, phase)?.wanted()? {
            return Ok(Brief::default());
        }
        let ports = self.choose(run, phase)?;
        self.texts(run, phase)?.with_ports(ports).brief()
    }

    /// Chooses the ports of a phase that have a fallback.
    fn choose(&mut self, run: &RunId, phase: PhaseIx) -> Result<Vec<ChosenPort>, TextError> {
        let texts = self.texts(run, phase)?.with_ports(Vec::new());
        let owner = texts.run.owner(phase);
        let mut wanted = Vec::new();
        for (name, resource) in &texts.planned().spec.resources {
            for claim in resource.claims().filter(|claim| claim.fallback().is_some()) {
                wanted.push((name.clone(), texts.port(name, claim)?));
            }
        }
        let mut chosen: Vec<ChosenPort> = Vec::new();
        for (resource, declared) in wanted {
            let place = Owner { resource: Some(resource.clone()), ..owner.clone() };
            // What is no port is said by the step that wants it.
            let Ok(listen) = declared.parse::<Listen>() else { continue };
            let (kept, own) = self.of_the_living(&place);
            if let Some(kept) = kept.into_iter().find(|kept| kept.declared == declared) {
                chosen.push(kept);
                continue;
            }
            let is_own = own.iter().any(|own| own.port == listen.port && own.udp == listen.udp);
            let taken = if is_own { None } else { self.runtime.holder(&listen).map(|holder| self.named(&holder)) };
            let port = match &taken {
                None => listen.port,
                Some(holder) => {
                    let mut reserved = self.reserved(run, &place)?;
                    reserved.extend(chosen.iter().map(|chosen| chosen.port));
                    let last = listen.port.saturating_add(NEXT);
                    let is_free =
                        |port: &u16| !reserved.contains(port) && self.runtime.holder(&Listen { port: *port, ..listen.clone() }).is_none();
                    (listen.port.saturating_add(1)..=last).find(is_free).ok_or_else(|| {
                        (Fault::PortTaken, format!("port {declared} is held by {holder}, and none of those after it is free, up to {last}"))
                    })?
                }
            };
            chosen.push(ChosenPort { resource, declared, port, taken_by: taken });
        }
        Ok(chosen)
    }

    /// What is chosen for, and what is had by, a resource of an earlier run that lives on at a place.
    fn of_the_living(&mut self, place: &Owner) -> (Vec<ChosenPort>, Vec<Listen>) {
        let made = self.kernel.state().resource(place).filter(|made| made.state.is_live());
        let (Some((run, phase)), Some(name)) = (made.map(|made| (made.run.clone(), made.phase)), &place.resource) else {
            return Default::default();
        };
        // Of what cannot be rendered any more nothing is known.
        let Ok(texts) = self.texts(&run, phase) else { return Default::default() };
        let Some(resource) = texts.planned().resource(name) else { return Default::default() };
        let chosen = texts.chosen().iter().filter(|chosen| chosen.resource == *name).cloned().collect();
        let own = texts.claims(name, resource).unwrap_or_default();
        (chosen, own.iter().filter_map(|text| text.parse().ok()).collect())
    }

    /// The ports that others have chosen, or that the plan declares, whether or not anybody listens there yet.
    fn reserved(&mut self, run: &RunId, but: &Owner) -> Result<Vec<u16>, TextError> {
        let state = self.kernel.state();
        let mut reserved = Vec::new();
        for other in state.goals.values().flat_map(|goal| goal.run.iter().chain(&goal.older)) {
            for (ix, phase) in other.plan.indexed().filter(|(ix, _)| !other.phase(*ix).brief.ports.is_empty()) {
                let of = |name: &Name| Owner::resource(&other.plan.goal, &phase.name, name);
                let lasts = |name: &Name| other.ended.is_none() || state.resource(&of(name)).is_some_and(|made| made.state.is_live());
                let ports = other.phase(ix).brief.ports.iter();
                reserved.extend(ports.filter(|chosen| of(&chosen.resource) != *but && lasts(&chosen.resource)).map(|chosen| chosen.port));
            }
        }
        let plan = state.run(run).map(|run: &Run| std::sync::Arc::clone(&run.plan));
        for (ix, planned) in plan.iter().flat_map(|plan| plan.indexed()).filter(|(_, planned)| !planned.spec.resources.is_empty()) {
            let texts = self.texts(run, ix)?;
            // Texts that cannot be rendered yet declare no port yet.
            let declared = planned.spec.resources.iter().flat_map(|(name, resource)| texts.claims(name, resource).unwrap_or_default());
            reserved.extend(declared.filter_map(|text| text.parse::<Listen>().ok()).map(|listen| listen.port));
        }
        Ok(reserved)
    }

    /// Looks whether the ports of a phase are free, where this effect is the first step of an attempt.
    pub(super) fn claim(&mut self, owner: &Owner, effect: &Effect) -> Result<(), TextError> {
        let (run, phase, step) = match effect {
            Effect::Make { run, phase, resource, .. } => (run, *phase, Step::Make(resource.clone())),
            Effect::Serve { run, phase, resource, .. } => (run, *phase, Step::Serve(resource.clone())),
            Effect::Work { run, phase, .. } => (run, *phase, Step::Work),
            _ => return Ok(()),
        };
        // What is started again is no first step: it has had its ports, and says itself who has them now.
        let again = |owner: &Owner| self.kernel.state().resource(owner).is_some_and(|made| made.restarts.done > 0);
        if again(owner) {
            return Ok(());
        }
        let texts = self.texts(run, phase)?;
        if texts.planned().steps.first() != Some(&step) {
            return Ok(());
        }
        let owner = texts.run.owner(phase);
        let mut wanted = Vec::new();
        for (name, resource) in &texts.planned().spec.resources {
            for text in texts.claims(name, resource)? {
                wanted.push((name.clone(), text));
            }
        }
        for (name, text) in wanted {
            let lives =
                |owner: &Owner| self.kernel.state().resource(owner).is_some_and(|made| made.state.is_live() && made.process.is_some());
            // What is no port is said by the step that wants it.
            let Ok(listen) = text.parse::<Listen>() else { continue };
            if lives(&Owner { resource: Some(name), ..owner.clone() }) {
                continue;
            }
            if let Some(holder) = self.runtime.holder(&listen) {
                return Err((Fault::PortTaken, format!("port {text} is held by {}", self.named(&holder))));
            }
        }
        Ok(())
    }

    /// Who holds a port; of one that this workspace has started, also its place.
    fn named(&self, holder: &Holder) -> String {
        let ours = self.kernel.state().live_resources().find(|made| {
            let process = made.process.as_ref().map(|process| process.pid);
            process.is_some_and(|pid| pid != 0 && Some(pid) == holder.pid)
        });
        ours.map_or_else(|| holder.words.clone(), |made| format!("{holder}, which is {}", made.owner))
    }
}

//! The ports of a phase, rendered: as they are declared, or as they were chosen; and what templates see of them.
//!
//! | in a template of the phase | is |
//! |---|---|
//! | `resources.NAME.port` | the first port of the resource on this host |
//! | `resources.NAME.ports` | all of them, in order |
//!
//! A port's own text may name the ports of other resources, as long as theirs name none.

use serde_json::{Map, Value, json};

use super::texts::{TextError, Texts, failed};
use crate::base::name::Name;
use crate::kernel::chosen_port::ChosenPort;
use crate::manifest::port::Listen;
use crate::manifest::resource::{PortClaim, Resource};
use crate::manifest::template::{self, Context};

impl Texts<'_> {
    /// The ports that were chosen for this phase.
    pub(super) fn chosen(&self) -> &[ChosenPort] {
        self.choosing.as_deref().unwrap_or(&self.phase().brief.ports)
    }

    /// The same with these ports chosen.
    pub(super) fn with_ports(mut self, ports: Vec<ChosenPort>) -> Self {
        self.choosing = Some(ports);
        self
    }

    /// The ports of a resource that runs.
    pub(super) fn ports(&self, name: &Name, resource: &Resource) -> Result<Vec<String>, TextError> {
        resource.ports.iter().map(|claim| self.port(name, claim)).collect()
    }

    /// All that a resource claims, whatever it is.
    pub(super) fn claims(&self, name: &Name, resource: &Resource) -> Result<Vec<String>, TextError> {
        resource.claims().map(|claim| self.port(name, claim)).collect()
    }

    /// A port of a resource: the declared one, or the one that was chosen in its place.
    pub(super) fn port(&self, name: &Name, claim: &PortClaim) -> Result<String, TextError> {
        Ok(self.placed(name, claim, self.text(&claim.port().text())?))
    }

    fn placed(&self, name: &Name, claim: &PortClaim, declared: String) -> String {
        if claim.fallback().is_none() {
            return declared;
        }
        let chosen = self.chosen().iter().find(|chosen| chosen.resource == *name && chosen.declared == declared);
        match (chosen, declared.parse::<Listen>()) {
            (Some(chosen), Ok(listen)) => {
                let inside = self.planned().resource(name).is_some_and(|resource| resource.container.is_some());
                // What listens inside of a container listens where it is declared to, wherever that is published.
                let inner = listen.inner.or_else(|| (inside && chosen.port != listen.port).then_some(listen.port));
                Listen { port: chosen.port, inner, ..listen }.to_string()
            }
            _ => declared,
        }
    }

    /// Makes the ports of the phase's resources known to its texts. One that cannot be rendered yet is not there, and whoever names it is told so.
    pub(super) fn set_resources(&self, context: &mut Context) {
        let spec = &self.planned().spec;
        if spec.resources.values().all(|resource| resource.claims().next().is_none()) {
            return;
        }
        let mut known = Map::new();
        for of_others in [false, true] {
            for (name, resource) in &spec.resources {
                let claims: Vec<&PortClaim> = resource.claims().collect();
                if claims.is_empty() || claims.iter().any(|claim| names_resources(claim)) != of_others {
                    continue;
                }
                let listens: Option<Vec<u16>> = claims.iter().map(|claim| self.number(name, claim, context)).collect();
                if let Some(listens) = listens {
                    known.insert(name.to_string(), json!({ "port": listens.first(), "ports": listens }));
                }
            }
            context.set("resources", &Value::Object(known.clone()));
        }
    }

    fn number(&self, name: &Name, claim: &PortClaim, context: &Context) -> Option<u16> {
        let text = claim.port().text();
        let declared =
            if self.templates() { template::render(&text, context).map_err(|error| failed(&error)).ok()? } else { text.into_owned() };
        self.placed(name, claim, declared).parse::<Listen>().ok().map(|listen| listen.port)
    }
}

/// Whether a port's text names ports of other resources.
fn names_resources(claim: &PortClaim) -> bool {
    let references = template::references(&claim.port().text());
    references.iter().any(|reference| reference.path.first().is_some_and(|root| root == "resources"))
}

//! Ports that were chosen where a fallback is declared. The JSON form is stable: fields are only ever added.

use serde::Serialize;

use crate::kernel::chosen_port::ChosenPort;
use crate::kernel::state::State;
use crate::kernel::stock::Resource;

/// A port that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortStatus {
    /// The resource that has it, by its name.
    pub resource: String,
    /// The port on this host.
    pub port: u16,
    /// What is declared.
    pub declared: String,
    /// Who had the declared port, where another was chosen.
    pub taken_by: Option<String>,
}

impl From<&ChosenPort> for PortStatus {
    fn from(chosen: &ChosenPort) -> Self {
        let ChosenPort { resource, declared, port, taken_by } = chosen;
        Self { resource: resource.to_string(), port: *port, declared: declared.clone(), taken_by: taken_by.clone() }
    }
}

/// `8081 (8080 was taken by process 123 `nginx`)`, or the port alone.
impl std::fmt::Display for PortStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.taken_by {
            Some(holder) => write!(f, "{} ({} was taken by {holder})", self.port, self.declared),
            None => write!(f, "{}", self.port),
        }
    }
}

/// The ports that were chosen for a resource.
pub(super) fn of(state: &State, made: &Resource) -> Vec<PortStatus> {
    let chosen = state.run(&made.run).map(|run| run.phase(made.phase).brief.ports.iter());
    chosen.into_iter().flatten().filter(|chosen| made.owner.resource.as_ref() == Some(&chosen.resource)).map(PortStatus::from).collect()
}

//! What the container engine tells of containers: its stream of events, as Docker and Podman write them.

use std::collections::HashMap;

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptions;
use futures_util::{Stream, StreamExt as _};

use super::error::DockerError;
use super::fleet::Fleet;
use crate::base::label::{Label, Origin};
use crate::base::time::Timestamp;

/// Something that happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The container's id.
    pub id: String,
    /// Whose it is.
    pub label: Label,
    /// What happened.
    pub kind: ChangeKind,
}

/// What happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was started.
    Started,
    /// Somebody in it was killed for want of memory, or the memory of a group around it was out.
    OutOfMemory,
    /// Its main process has ended, with this exit code.
    Ended(i64),
    /// Its health is another than before; a look shows which. Docker and Podman name it in different places.
    Health,
    /// It has this name now.
    Renamed(String),
    /// It was removed.
    Removed,
}

impl Fleet {
    /// What happens to the containers of this workspace, from that time on, whole seconds: of those that a manifest declares only how their
    /// health changes. It ends with the container engine, and where nothing can be heard.
    pub fn changes(&self, since: Timestamp) -> impl Stream<Item = Result<Change, DockerError>> + Send + use<> {
        let mut filters = self.filters();
        filters.insert("type".to_owned(), vec!["container".to_owned()]);
        let options = EventsOptions { since: Some((since.0 / 1000).to_string()), filters: Some(filters), ..EventsOptions::default() };
        let workspace = std::sync::Arc::clone(&self.workspace);
        let events = self.engine.client.events(Some(options));
        events.filter_map(move |event| {
            let change = match event {
                Ok(event) => {
                    let counts = |change: &Change| change.label.origin == Origin::Caught || change.kind == ChangeKind::Health;
                    read(event).filter(|change| *change.label.workspace == *workspace && counts(change)).map(Ok)
                }
                Err(error) => Some(Err(DockerError::of("hear of containers")(error))),
            };
            std::future::ready(change)
        })
    }
}

/// Reads an event; none where it is about nothing of ours, or is no change.
fn read(event: EventMessage) -> Option<Change> {
    let actor = event.actor?;
    let attributes: HashMap<String, String> = actor.attributes?;
    let kind = match event.action?.as_str() {
        "start" => ChangeKind::Started,
        "oom" => ChangeKind::OutOfMemory,
        // Podman says `died`, and `remove`; its exit code has another name.
        "die" | "died" => {
            let code = ["exitCode", "containerExitCode"].iter().find_map(|name| attributes.get(*name)?.parse().ok());
            ChangeKind::Ended(code?)
        }
        "rename" => ChangeKind::Renamed(attributes.get("name")?.trim_start_matches('/').to_owned()),
        "destroy" | "remove" => ChangeKind::Removed,
        // Docker says `health_status: unhealthy`.
        action if action.starts_with("health_status") => ChangeKind::Health,
        _ => return None,
    };
    Some(Change { id: actor.id?, label: Label::read(&attributes)?, kind })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(action: &str, attributes: &[(&str, &str)]) -> Option<ChangeKind> {
        let labels = [
            ("io.opensculpt.workspace", "w"),
            ("io.opensculpt.owner", "crm/server"),
            ("io.opensculpt.run", "crm.1"),
            ("io.opensculpt.attempt", "1"),
            ("io.opensculpt.origin", "caught"),
        ];
        let all: HashMap<&str, &str> = labels.iter().chain(attributes).copied().collect();
        let said = json!({ "Type": "container", "Action": action, "Actor": { "ID": "abc", "Attributes": all } });
        read(serde_json::from_value(said).unwrap()).map(|change| change.kind)
    }

    #[test]
    fn docker_and_podman_tell_the_same_in_words_of_their_own() {
        for (action, exit) in [("die", ("exitCode", "137")), ("died", ("containerExitCode", "137"))] {
            assert_eq!(event(action, &[exit]), Some(ChangeKind::Ended(137)));
        }
        assert_eq!(event("destroy", &[]), event("remove", &[]));
        assert_eq!(
            [event("health_status: unhealthy", &[]), event("health_status", &[])],
            [Some(ChangeKind::Health), Some(ChangeKind::Health)]
        );
        assert_eq!(event("rename", &[("name", "/new"), ("oldName", "/old")]), Some(ChangeKind::Renamed("new".to_owned())));
        assert_eq!(event("die", &[]), None, "how it ended is not known");
        assert_eq!(event("exec_start: true", &[]), None);
    }
}

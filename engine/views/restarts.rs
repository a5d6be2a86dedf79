//! Restarts of a service, as somebody sees them who looks now. The JSON form is stable: fields are only ever added.

use serde::Serialize;

use super::outside::Outside;
use crate::base::time::Span;
use crate::kernel::stock::Resource;

/// The restarts of a service since its attempt has started it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestartStatus {
    /// How often it was started again.
    pub count: u32,
    /// Why, the last time.
    pub why: String,
    /// When it is started again, RFC 3339, where it is to be.
    pub next: Option<String>,
    /// In how many milliseconds; 0 where that is over.
    pub next_in_ms: Option<u64>,
    /// Why it stays down, although its policy says that it is started again.
    pub given_up: Option<String>,
}

/// The restarts of a resource; none where there were none, and none are to come.
pub fn restarts(resource: &Resource, outside: &Outside<'_>) -> Option<RestartStatus> {
    let known = &resource.restarts;
    let any = known.done > 0 || known.next.is_some() || known.given_up.is_some();
    any.then(|| RestartStatus {
        count: known.done,
        why: known.why.clone(),
        next: known.next.map(|next| next.to_string()),
        next_in_ms: known.next.map(|next| (next - outside.now).0),
        given_up: known.given_up.clone(),
    })
}

impl RestartStatus {
    /// It in a sentence, without its subject.
    pub fn sentence(&self) -> String {
        let times = match self.count {
            0 => "was never started again".to_owned(),
            1 => "was started again once".to_owned(),
            count => format!("was started again {count} times"),
        };
        let last =
            if self.why.is_empty() || self.given_up.is_some() { String::new() } else { format!(", the last time because {}", self.why) };
        let next = match (self.next_in_ms, &self.given_up) {
            (Some(0), _) => "; it is to be started again now".to_owned(),
            (Some(ms), _) => format!("; it is started again in {}", Span(ms).human()),
            (None, Some(why)) => format!(", and stays down: {why}"),
            (None, None) => String::new(),
        };
        format!("{times}{last}{next}")
    }

    /// It in a line, behind its place.
    pub fn line(&self) -> String {
        let times = match self.count {
            0 => String::new(),
            1 => "restarted once".to_owned(),
            count => format!("restarted {count} times"),
        };
        let next = match (self.next_in_ms, &self.given_up) {
            (Some(0), _) => "is started again now".to_owned(),
            (Some(ms), _) => format!("is started again in {}", Span(ms).human()),
            (None, Some(_)) => "stays down".to_owned(),
            (None, None) => String::new(),
        };
        let why = match &self.given_up {
            Some(given_up) => format!(": {given_up}"),
            None if self.why.is_empty() => String::new(),
            None => format!(" (last: {})", self.why),
        };
        let parts: Vec<String> = [times, next].into_iter().filter(|part| !part.is_empty()).collect();
        format!("{}{why}", parts.join(", "))
    }
}

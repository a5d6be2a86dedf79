//! Images that came through one endpoint. They carry no label of ours; but whoever had an image pulled, loaded or imported may have it
//! removed again, where its name and itself were not there before.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::image::named;

/// What was there before an image came.
#[derive(Debug, Default)]
pub(super) struct Stock {
    names: HashSet<String>,
    ids: HashSet<String>,
}

impl Stock {
    /// Of the container engine's list of images.
    pub(super) fn read(listed: &Value) -> Self {
        let mut stock = Self::default();
        for image in listed.as_array().into_iter().flatten() {
            stock.names.extend(names(image));
            stock.ids.extend(image.get("Id").and_then(Value::as_str).map(str::to_owned));
        }
        stock
    }
}

/// The names of the images that came, each with what was there before it.
#[derive(Debug, Default)]
pub(super) struct Added(Mutex<HashMap<String, Arc<Stock>>>);

impl Added {
    /// An image came by this name.
    pub(super) fn add(&self, name: &str, before: &Arc<Stock>) {
        let name = plain(name);
        if !before.names.contains(&name) {
            self.lock().insert(name, Arc::clone(before));
        }
    }

    /// Whether an image came through this endpoint, and by no other name; or has this name from here, and others beside it.
    pub(super) fn has(&self, name: &str, image: &Value) -> bool {
        let (names, id) = (names(image), image.get("Id").and_then(Value::as_str).unwrap_or_default());
        let added = self.lock();
        let alone = names.len() == 1;
        (!alone && added.contains_key(&plain(&named(name, None))))
            || !names.is_empty() && names.iter().all(|name| added.get(name).is_some_and(|before| !before.ids.contains(id)))
    }

    /// Only these names are left: whoever brings one of the others again, it is theirs.
    pub(super) fn keep(&self, now: &Stock) {
        self.lock().retain(|name, _| now.names.contains(name));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Stock>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears by what names images were loaded.
pub(super) struct Loading {
    pub(super) added: Arc<Added>,
    pub(super) before: Arc<Stock>,
    /// A line that has not come to its end.
    pub(super) line: Vec<u8>,
}

/// The longest line that is listened to, in bytes.
const LONGEST: usize = 1 << 16;

impl Loading {
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + part.len() <= LONGEST {
                self.line.extend_from_slice(part);
            }
            if !part.ends_with(b"\n") {
                continue;
            }
            let said: Value = serde_json::from_slice(&self.line).unwrap_or(Value::Null);
            self.line.clear();
            let loaded = said.get("stream").and_then(Value::as_str).and_then(|said| said.trim().strip_prefix("Loaded image: "));
            for name in loaded.into_iter().flat_map(|names| names.split(", ")) {
                self.added.add(name, &self.before);
            }
        }
    }
}

/// The names of an image: with its tag, else with its digest.
fn names(image: &Value) -> Vec<String> {
    let of = |key: &str| -> Vec<String> {
        let all = image.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        all.filter(|name| !name.starts_with("<none>")).map(plain).collect()
    };
    let tags = of("RepoTags");
    if tags.is_empty() { of("RepoDigests") } else { tags }
}

/// A name without what may be left out of it.
fn plain(name: &str) -> String {
    let short = ["docker.io/library/", "docker.io/", "localhost/"].iter().find_map(|registry| name.strip_prefix(registry));
    short.unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_that_came_is_known_by_its_names_until_they_are_gone() {
        let before = Arc::new(Stock::read(&json!([{ "Id": "sha256:1", "RepoTags": ["old:latest"], "RepoDigests": [] }])));
        let added = Arc::new(Added::default());
        let mut loading = Loading { added: Arc::clone(&added), before: Arc::clone(&before), line: Vec::new() };
        for piece in ["{\"stream\":\"Loaded ima", "ge: new:latest\\n\"}\r\n{\"stream\":\"Loaded image: old:latest\\n\"}\r\n"] {
            loading.hear(piece.as_bytes());
        }
        added.add("docker.io/library/pulled:1", &before);
        let has = |id: &str, tags: &[&str]| added.has(id, &json!({ "Id": id, "RepoTags": tags }));
        assert!(has("sha256:2", &["new:latest"]) && has("sha256:3", &["pulled:1"]));
        // What was there before, by its name or itself, and what somebody else calls otherwise.
        assert!(!has("sha256:4", &["old:latest"]) && !has("sha256:1", &["new:latest"]) && !has("sha256:2", &["new:latest", "theirs:1"]));
        assert!(!has("sha256:2", &[]));
        assert!(added.has("new", &json!({ "Id": "sha256:1", "RepoTags": ["new:latest", "theirs:1"] })), "only the name goes");
        added.keep(&Stock::default());
        assert!(!added.has("new", &json!({ "Id": "sha256:2", "RepoTags": ["new:latest"] })));
    }
}

//! `unknown-capability`: a word in `capabilities: { docker: [...] }` that allows nothing.

use super::{Facts, suggest};
use crate::base::diagnostic::Diagnostic;
use crate::manifest::template::has_template;

/// The words, as the endpoint of the container engine knows them.
pub const DOCKER_WORDS: [&str; 19] = [
    "keep",
    "privileged",
    "host-network",
    "host-pid",
    "host-ipc",
    "host-uts",
    "host-userns",
    "host-cgroupns",
    "devices",
    "security-opt",
    "cgroup-parent",
    "oom",
    "docker-socket",
    "volume-options",
    "foreign",
    "swarm",
    "plugins",
    "buildkit",
    "unknown-endpoint",
];

/// What begins the words that say of what.
pub const DOCKER_PREFIXES: [&str; 6] = ["cap-add:", "runtime:", "mount:", "log-driver:", "volume-driver:", "network-driver:"];

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    for phase in facts.phases.values() {
        let words = phase.phase.capabilities.iter().flat_map(|capabilities| &capabilities.docker);
        for (index, word) in words.enumerate() {
            let known = DOCKER_WORDS.contains(&word.as_str()) || DOCKER_PREFIXES.iter().any(|prefix| word.starts_with(prefix));
            // What a template gives is known when it is rendered; what is not known then allows nothing.
            if known || has_template(word) {
                continue;
            }
            let path = ["capabilities", "docker", &index.to_string()].map(str::to_owned);
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let finding = facts.document.error_at(&phase.path(&path), "unknown-capability", format!("`{word}` allows nothing"));
            // `mount` for `mount:/srv` is near enough to be told.
            let all = DOCKER_WORDS.iter().chain(&DOCKER_PREFIXES).copied();
            found.push(suggest(finding, word, all, "capability"));
        }
    }
}

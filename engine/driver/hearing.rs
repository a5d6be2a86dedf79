//! What is heard is masked before anybody can keep it.

use super::engine::Engine;
use crate::kernel::action::{Seen, Shown};
use crate::kernel::input::{Input, Request};
use crate::kernel::suspect::Suspect;

impl Engine {
    /// Hides secrets in what was heard, before anybody can keep it.
    pub(super) fn masked(&mut self, input: Input) -> Input {
        if let Input::Seen { seen: Seen::Done, .. } = &input {
            // Preparing a run may have brought new secrets.
            for goal in self.kernel.state().goals.keys() {
                if let Ok(vault) = self.vaults.of(&self.workspace, goal) {
                    self.mask.extend(&vault.mask());
                }
            }
        }
        if self.mask.is_empty() {
            return input;
        }
        match input {
            Input::Seen { id, seen: Seen::Failed { fault, evidence } } => {
                Input::Seen { id, seen: Seen::Failed { fault, evidence: self.mask.apply(&evidence) } }
            }
            Input::Seen {
                id,
                seen: Seen::Exited { exit, leftovers, survivors, mut outputs, artifacts, usage, mut suspects, contained },
            } => {
                outputs.values_mut().for_each(|value| *value = self.mask.apply(value));
                suspects.iter_mut().flat_map(Suspect::foreign_texts).for_each(|text| *text = self.mask.apply(text));
                Input::Seen { id, seen: Seen::Exited { exit, leftovers, survivors, outputs, artifacts, usage, suspects, contained } }
            }
            Input::Seen { id, seen: Seen::Begun { path, above } } => {
                let plain = |path: &String| self.mask.apply(path) == *path;
                Input::Seen { id, seen: Seen::Begun { path: path.filter(plain), above: above.filter(plain) } }
            }
            Input::Seen { id, seen: Seen::Made { created, path, mut outputs } } => {
                outputs.values_mut().for_each(|value| *value = self.mask.apply(value));
                // A path with a secret in it is not kept, and is rendered again when it is removed. Masked it would be another path.
                let path = path.filter(|path| self.mask.apply(path) == *path);
                Input::Seen { id, seen: Seen::Made { created, path, outputs } }
            }
            Input::Shown(Shown::Around { by, over, mut suspects }) => {
                suspects.iter_mut().flat_map(Suspect::foreign_texts).for_each(|text| *text = self.mask.apply(text));
                Input::Shown(Shown::Around { by, over, suspects })
            }
            Input::Shown(Shown::Answer { question, mut answer }) => {
                answer.evidence = self.mask.apply(&answer.evidence);
                Input::Shown(Shown::Answer { question, answer })
            }
            Input::Shown(Shown::Brief { run, phase, brief }) => {
                let brief = brief.map_err(|(fault, why)| (fault, self.mask.apply(&why))).map(|mut brief| {
                    brief.outputs.values_mut().for_each(|value| *value = self.mask.apply(value));
                    brief
                });
                Input::Shown(Shown::Brief { run, phase, brief })
            }
            Input::Request(Request::Reply { owner, yes, text, by }) => {
                Input::Request(Request::Reply { owner, yes, text: text.map(|text| self.mask.apply(&text)), by })
            }
            other => other,
        }
    }
}

//! What is made: announced where it is not there yet, and made once that is recorded, so that whoever comes later knows whose it is.

use std::path::Path;

use super::cast::Role;
use super::watch::Purpose;
use super::world::World;
use crate::base::owner::Owner;
use crate::kernel::action::{EffectId, Exit, Seen};
use crate::kernel::fault::Fault;
use crate::kernel::input::Input;
use crate::ports::job::{CustomJob, DirectoryJob, FileJob};
use crate::ports::runtime::Tell;

/// Something to make.
#[derive(Debug)]
pub(super) enum Making {
    /// A directory.
    Directory(DirectoryJob),
    /// A file.
    File(FileJob),
    /// What a command creates.
    Custom(Box<CustomJob>),
    /// A network or a volume of the container engine.
    Object,
}

/// Something that is announced.
#[derive(Debug)]
pub(super) struct Intent {
    tell: Tell,
    owner: Owner,
    making: Making,
}

impl World {
    /// Announces what is not there yet; what is there is used.
    pub(super) fn announce(&mut self, tell: &Tell, id: EffectId, owner: &Owner, making: Making) {
        let path = match &making {
            Making::Directory(job) => Some(job.path.clone()),
            Making::File(job) => Some(job.path.clone()),
            Making::Custom(_) | Making::Object => None,
        };
        let there = path.as_ref().map_or_else(|| self.customs.contains_key(owner), |path| self.files.at(path).is_some());
        self.intents.insert(id, Intent { tell: tell.clone(), owner: owner.clone(), making });
        if there {
            return self.make_announced(id);
        }
        let told = |path: &Path| path.strip_prefix(&self.root).unwrap_or(path).to_str().map(str::to_owned);
        let above = path.as_ref().and_then(|path| self.files.topmost_absent(&self.root, path)).and_then(told);
        let path = path.as_deref().and_then(told);
        self.say(1, tell, Input::Seen { id, seen: Seen::Begun { path, above } });
    }

    /// Makes what was announced.
    pub(super) fn make_announced(&mut self, id: EffectId) {
        let Some(Intent { tell, owner, making }) = self.intents.remove(&id) else { return };
        let root = self.root.clone();
        let seen = match making {
            Making::Directory(job) => {
                self.made.insert(owner, job.path.clone());
                self.files.make_directory(&root, &job)
            }
            Making::File(job) => {
                self.made.insert(owner, job.path.clone());
                self.files.make_file(&root, &job)
            }
            Making::Custom(_) | Making::Object if self.customs.contains_key(&owner) => self.custom_made(&owner, false),
            Making::Object => {
                self.customs.insert(owner.clone(), self.elapsed);
                Seen::Made { created: true, path: None, outputs: indexmap::IndexMap::new() }
            }
            Making::Custom(job) => {
                let performance = self.cast.perform(&owner, Role::Create, &job.act);
                self.written.insert(owner.clone(), performance.outputs.clone());
                let scope = self.fresh_scope(&owner);
                let main = self.start(&owner, Role::Create, &scope, &performance, &[]);
                self.watch(&tell, &owner, &scope, main, Purpose::Create(id));
                return;
            }
        };
        self.say(1, &tell, Input::Seen { id, seen });
    }

    /// A create command has ended: well, or, sometimes, half done.
    pub(super) fn create_exited(&mut self, owner: &Owner, exit: Exit) {
        let half = self.seed.stream(&format!("half made {owner}")).chance(1, 2);
        if exit.is_success() || half {
            self.customs.insert(owner.clone(), self.elapsed);
        }
    }

    /// What is told of a create command that has ended.
    pub(super) fn create_over(&self, owner: &Owner, exit: Exit) -> Seen {
        if exit.is_success() {
            return self.custom_made(owner, true);
        }
        Seen::Failed { fault: Fault::WorkFailed, evidence: format!("its create command ended with {exit}") }
    }

    fn custom_made(&self, owner: &Owner, created: bool) -> Seen {
        Seen::Made { created, path: None, outputs: self.written.get(owner).cloned().unwrap_or_default() }
    }

    /// Destroys a custom resource. What does not exist is destroyed already.
    pub(super) fn destroy(&mut self, tell: &Tell, id: EffectId, owner: &Owner) {
        self.customs.remove(owner);
        self.say(10, tell, Input::Seen { id, seen: Seen::Done });
    }
}

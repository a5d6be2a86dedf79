//! The folders that were made on the way to a directory or a file. With it go those that are empty by then; where something else that
//! sculpt made is still in them, they are for that to take along.
//!
//! | a folder on the way                                        | is                                                     |
//! |------------------------------------------------------------|--------------------------------------------------------|
//! | of what is removed, and empty                              | removed with it                                        |
//! | declared by another resource, and found there              | that resource's from then on: nobody made it but sculpt |
//! | of two that are removed at the same time                   | removed by the last of them, whichever that is         |

use std::path::Path;

use super::state::State;
use super::stock::Resource;
use crate::base::owner::Owner;

impl State {
    /// Whether a folder that was found was made on the way to something that is still there.
    pub(super) fn is_on_a_way(&self, folder: &str) -> bool {
        let folder = Path::new(folder);
        let on_way = |made: &Resource| {
            let from = |top: &String| folder.starts_with(top);
            made.above.iter().any(from) && made.paths.iter().any(|path| Path::new(path) != folder && Path::new(path).starts_with(folder))
        };
        self.all_live().any(on_way)
    }

    /// The topmost folders that go with what was made at a place where they are empty, whoever made them; and what others have there.
    pub fn ways(&self, owner: &Owner) -> (Vec<String>, Vec<String>) {
        let Some(gone) = self.resource(owner) else { return Default::default() };
        let leads = |top: &&String| gone.paths.iter().any(|path| Path::new(path).starts_with(top));
        let mut above: Vec<String> = self.all_live().flat_map(|made| &made.above).filter(leads).cloned().collect();
        above.sort_unstable();
        above.dedup();
        let others = self.all_live().filter(|made| made.owner != *owner).flat_map(|made| made.paths.iter().cloned());
        (above, others.collect())
    }

    fn all_live(&self) -> impl Iterator<Item = &Resource> {
        self.goals.values().flat_map(|goal| goal.resources.values()).filter(|made| made.state.is_live())
    }

    /// What was made at a place is removed: whoever lives on in the folders above it has them from here on.
    pub(super) fn bequeath(&mut self, owner: &Owner) {
        let Some(gone) = self.goals.get_mut(&owner.goal).and_then(|goal| goal.resources.get_mut(owner)) else { return };
        for above in std::mem::take(&mut gone.above) {
            let all = self.goals.values_mut().flat_map(|goal| goal.resources.values_mut());
            let inside = |path: &String| Path::new(path).starts_with(&above);
            all.filter(|made| made.state.is_live() && made.paths.iter().any(inside)).for_each(|made| made.has_above(&above));
        }
    }
}

//! The folders that were made on the way to a directory or a file, once that is removed: where something else that sculpt made is still in
//! them, they are for that to take along.

use std::path::Path;

use super::state::State;
use crate::base::owner::Owner;

impl State {
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

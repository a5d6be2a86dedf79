//! The permit: the right to change the world once. Only a commit makes one, and a port takes it by value.

use crate::base::owner::Owner;
use crate::kernel::action::{Effect, EffectId};

/// The right to carry out one effect, once. It cannot be copied or made anywhere but in a commit.
///
/// ```compile_fail
/// # use opensculpt::{base::owner::Owner, journal::permit::Permit, kernel::action::{Effect, EffectId}};
/// fn forged(id: EffectId, owner: Owner, effect: Effect) -> Permit {
///     Permit { id, owner, effect } // the fields are private
/// }
/// ```
///
/// ```compile_fail
/// # use opensculpt::journal::permit::Permit;
/// fn spend(_: Permit) {}
/// fn twice(permit: Permit) {
///     spend(permit);
///     spend(permit); // it was spent
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is dropped leaves an effect that never ends"]
pub struct Permit {
    id: EffectId,
    owner: Owner,
    effect: Effect,
}

impl Permit {
    pub(super) const fn new(id: EffectId, owner: Owner, effect: Effect) -> Self {
        Self { id, owner, effect }
    }

    /// The effect's number.
    pub const fn id(&self) -> EffectId {
        self.id
    }

    /// Who answers for the effect.
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// What may be done.
    pub const fn effect(&self) -> &Effect {
        &self.effect
    }
}

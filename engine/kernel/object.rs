//! Networks and volumes that carry our labels, where only a look tells of them: a call that made one may never have been answered.
//!
//! | such a thing | is |
//! |---|---|
//! | a live resource | explained |
//! | made by a command that is still at work, of which nothing is to stay | explained: it is ended with that command |
//! | a network, otherwise | nobody's: it is ended as whoever runs in an unknown scope is |
//! | a volume of a command of which nothing was to stay, and that has ended | the same |
//! | a volume without a name that no container has any more | the same, whoever made it; where one has it, it goes with that |
//! | any other volume | data, which somebody may have been told to keep: it is never removed by guess, and said |

use super::action::EffectId;
use super::state::State;
use super::stock::Kind;
use crate::base::name::Name;

/// A network or a volume that a command made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its goal.
    pub goal: Name,
    /// Network or volume.
    pub kind: Kind,
    /// The effect whose command made it, where nothing of it outlives that.
    pub effect: Option<u64>,
    /// By what the container engine knows it.
    pub id: String,
}

impl Object {
    /// The name under which it is told of and swept, as a scope is.
    pub fn scope(&self) -> String {
        let effect = self.effect.map_or_else(|| "-".to_owned(), |effect| effect.to_string());
        format!("{}/{}.{effect}.{}", self.goal, self.kind.word(), self.id)
    }

    /// Reads such a name; none where it is another scope's.
    pub fn of(scope: &str) -> Option<Self> {
        let (goal, name) = scope.split_once('/')?;
        let mut parts = name.splitn(3, '.');
        let (kind, effect, id) = (parts.next()?, parts.next()?, parts.next()?);
        let kind = [Kind::Network, Kind::Volume].into_iter().find(|known| known.word() == kind)?;
        let effect = if effect == "-" { None } else { Some(effect.parse().ok()?) };
        Some(Self { goal: Name::from(goal), kind, effect, id: id.to_owned() })
    }

    /// Whether it may hold what somebody was told to keep.
    pub fn is_data(&self) -> bool {
        self.kind.holds_data() && self.effect.is_none()
    }
}

impl State {
    /// Whether records know of a network or a volume; `begins` where the engine that made it is no more, and few of its commands live on.
    pub fn knows(&self, object: &Object, begins: bool) -> bool {
        let is = |caught: &super::call::Caught| caught.id == object.id;
        let made = self.live_resources().any(|resource| resource.kind == object.kind && resource.caught.as_ref().is_some_and(is));
        let open = object.effect.and_then(|effect| self.effects.get(&EffectId(effect)));
        made || open.is_some_and(|open| !begins || open.may_live_on())
    }

    /// Whether a name is that of a network or a volume that is not to be ended.
    pub fn explains_object(&self, scope: &str, begins: bool) -> bool {
        Object::of(scope).is_some_and(|object| object.is_data() || self.knows(&object, begins))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_all_of_it_and_is_no_other_scopes() {
        for (kind, effect, id) in [(Kind::Network, Some(7), "0123abc"), (Kind::Volume, None, "x_data.old")] {
            let object = Object { goal: "crm".into(), kind, effect, id: id.to_owned() };
            assert_eq!(Object::of(&object.scope()), Some(object));
        }
        for scope in ["crm/a0", "crm/r.network.db", "crm/container.0123", "crm/volume.x", "crm/network.x.y"] {
            assert_eq!(Object::of(scope), None, "{scope}");
        }
    }
}

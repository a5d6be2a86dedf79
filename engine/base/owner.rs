//! Who answers for a thing: the identity that is a cgroup path, a label, an environment mark and a journal key.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::name::Name;

/// The place of a thing: `goal`, `goal/phase` or `goal/phase/resource`.
///
/// Run and attempt are attributes of a place, never part of it. An instance of a loop is part of the phase's name: `build[a]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Owner {
    /// The goal.
    pub goal: Name,
    /// The phase, with its loop value where it has one.
    pub phase: Option<Name>,
    /// The resource.
    pub resource: Option<Name>,
}

/// A text that is not a place.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a place; write it like `goal`, `goal/phase` or `goal/phase/resource`")]
pub struct OwnerError(String);

impl Owner {
    /// The place of a goal.
    pub fn goal(goal: &Name) -> Self {
        Self { goal: goal.clone(), phase: None, resource: None }
    }

    /// The place of a phase.
    pub fn phase(goal: &Name, phase: &Name) -> Self {
        Self { goal: goal.clone(), phase: Some(phase.clone()), resource: None }
    }

    /// The place of a resource.
    pub fn resource(goal: &Name, phase: &Name, resource: &Name) -> Self {
        Self { goal: goal.clone(), phase: Some(phase.clone()), resource: Some(resource.clone()) }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.goal.as_str())?;
        for part in [&self.phase, &self.resource].into_iter().flatten() {
            write!(f, "/{part}")?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Owner {
    type Err = OwnerError;

    fn from_str(text: &str) -> Result<Self, OwnerError> {
        let mut parts = text.split('/').map(Name::from);
        let owner = Self { goal: parts.next().ok_or_else(|| OwnerError(text.to_owned()))?, phase: parts.next(), resource: parts.next() };
        if parts.next().is_some() || text.split('/').any(str::is_empty) {
            return Err(OwnerError(text.to_owned()));
        }
        Ok(owner)
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        owner.to_string()
    }
}

impl TryFrom<String> for Owner {
    type Error = OwnerError;

    fn try_from(text: String) -> Result<Self, OwnerError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back() {
        for text in ["crm", "crm/server", "crm/build[a]/crm"] {
            assert_eq!(text.parse::<Owner>().expect(text).to_string(), text);
        }
        for text in ["", "/", "a//b", "a/b/c/d"] {
            assert!(text.parse::<Owner>().is_err(), "{text}");
        }
    }
}

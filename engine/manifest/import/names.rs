//! Names of Compose → names of a goal.

use std::collections::HashSet;

use crate::base::name::Name;

/// The longest name.
const LONGEST: usize = 64;

/// A name made of a text: what a name cannot hold becomes `-`.
pub(super) fn name(text: &str) -> String {
    let kept = |char: char| if char.is_ascii_alphanumeric() || matches!(char, '_' | '-') { char } else { '-' };
    let name: String = text.chars().map(kept).collect();
    let name: String = name.trim_start_matches(['-', '_']).chars().take(LONGEST).collect();
    if name.is_empty() { "compose".to_owned() } else { name }
}

/// Gives names that nothing else has.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// A name for a text; a number is added where it is taken.
    pub(super) fn take(&mut self, text: &str) -> Name {
        let first = name(text);
        let mut name = first.clone();
        let mut number = 2;
        while !self.taken.insert(name.clone()) {
            let suffix = format!("-{number}");
            name = first.chars().take(LONGEST - suffix.len()).chain(suffix.chars()).collect();
            number += 1;
        }
        Name::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_differ() {
        let mut names = Names::default();
        for (text, expected) in [("web", "web"), ("my.web", "my-web"), ("my/web", "my-web-2"), ("_x", "x"), ("ü", "compose")] {
            assert_eq!(names.take(text).as_str(), expected, "{text}");
        }
        assert_eq!((names.take(&"a".repeat(80)).as_str().len(), names.take(&"a".repeat(80)).as_str().len()), (64, 64));
    }
}

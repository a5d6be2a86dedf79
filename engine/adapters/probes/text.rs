//! What a text must hold: a part of it, a pattern, or both.

use regex::Regex;

use super::reason::{Miss, Reason, Short};

/// How much content of one subject is looked through, in bytes.
pub(super) const LIMIT: usize = 8 << 20;

/// What a text must hold.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) contains: Option<&'a str>,
    pub(super) matches: Option<Regex>,
}

impl<'a> Wanted<'a> {
    /// Reads the pattern, so that a bad one is known before anything is asked.
    pub(super) fn new(contains: Option<&'a str>, matches: Option<&str>) -> Result<Self, Miss> {
        let bad = |pattern: &str, error: regex::Error| {
            // The last line of a pattern's error says what is wrong; those before it draw the pattern.
            let text = error.to_string();
            Miss::new(Reason::Invalid, format!("{} is not a pattern: {}", Short(pattern), text.lines().last().unwrap_or_default()))
        };
        let matches = matches.map(|pattern| Regex::new(pattern).map_err(|error| bad(pattern, error))).transpose()?;
        Ok(Self { contains, matches })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.contains.is_none() && self.matches.is_none()
    }

    /// Whether a text holds it all.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.lacks(text).is_none()
    }

    /// What a text does not hold, for evidence.
    pub(super) fn lacks(&self, text: &str) -> Option<String> {
        let part = self.contains.filter(|part| !text.contains(part));
        let pattern = self.matches.as_ref().filter(|pattern| !pattern.is_match(text));
        absence(part, pattern)
    }

    /// What is said where nothing holds it.
    pub(super) fn absence(&self) -> Option<String> {
        absence(self.contains, self.matches.as_ref())
    }
}

fn absence(part: Option<&str>, pattern: Option<&Regex>) -> Option<String> {
    match (part, pattern) {
        (Some(part), _) => Some(format!("does not contain {}", Short(part))),
        (None, Some(pattern)) => Some(format!("does not match {}", Short(pattern.as_str()))),
        (None, None) => None,
    }
}

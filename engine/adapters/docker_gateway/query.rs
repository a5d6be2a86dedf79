//! A query that is judged, and written anew. Docker takes the first value of a name that is written exactly so, Podman the last one in
//! whatever case: so a name that may have one value has one, however it is written.

use super::capability::Refusal;
use super::route::{decode, encode};

/// Names that may be given more than once.
const LISTS: [&str; 4] = ["t", "changes", "securityopt", "extrahosts"];

/// The pairs of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads it.
    ///
    /// # Errors
    /// Where it could be read in two ways.
    pub fn read(text: Option<&str>) -> Result<Self, Refusal> {
        let text = text.unwrap_or_default();
        let refusal = || Refusal::never(format!("the query `{text}`, which can be read in more than one way"));
        if text.contains(';') {
            return Err(refusal());
        }
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, true)?, decode(value, true)?))
        });
        let pairs = pairs.collect::<Option<Vec<(String, String)>>>().ok_or_else(refusal)?;
        let mut seen = std::collections::HashSet::new();
        // Beyond ASCII there are letters that fold into those of a name.
        if pairs.iter().any(|(name, _)| !name.is_ascii()) {
            return Err(refusal());
        }
        if pairs.iter().map(|(name, _)| name.to_ascii_lowercase()).any(|name| !seen.insert(name.clone()) && !LISTS.contains(&&*name)) {
            return Err(refusal());
        }
        Ok(Self(pairs))
    }

    /// Every name, in small letters.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(name, _)| name.to_ascii_lowercase())
    }

    /// The value that counts; empty is none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Every value of a name that may be given more than once.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Sets the only value of a name.
    pub fn set(&mut self, name: &str, value: String) {
        self.0.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.0.push((name.to_owned(), value));
    }

    /// Adds a value, before all others.
    pub fn add_first(&mut self, name: &str, value: String) {
        self.0.insert(0, (name.to_owned(), value));
    }

    /// As it is sent.
    pub fn write(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{}={}", encode(name, b""), encode(value, b""))).collect();
        pairs.join("&")
    }
}

//! The values that templates see.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};
use serde::Serialize;

/// What a template may refer to, by its roots: `params`, `secrets`, `env`, `phases`, `outputs`, `item`, `matrix`.
#[derive(Clone, Debug, Default)]
pub struct Context {
    roots: BTreeMap<String, Value>,
}

/// A secret as templates see it: `{{ secrets.NAME }}` is its text, `{{ secrets.NAME.file }}` the path of a 0600 file that holds it.
#[derive(Clone)]
pub struct SecretValue {
    /// The text.
    pub text: Arc<str>,
    /// The path of the file.
    pub file: Arc<str>,
}

/// A secret is never shown by accident.
impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Context {
    /// Nothing to refer to.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a root.
    #[must_use]
    pub fn with(mut self, root: &str, value: &impl Serialize) -> Self {
        self.set(root, value);
        self
    }

    /// Sets a root.
    pub fn set(&mut self, root: &str, value: &impl Serialize) {
        self.roots.insert(root.to_owned(), Value::from(minijinja::value::Serde(value)));
    }

    /// Sets the root `secrets`.
    pub fn set_secrets(&mut self, secrets: impl IntoIterator<Item = (String, SecretValue)>) {
        let map: BTreeMap<String, Value> = secrets.into_iter().map(|(name, secret)| (name, Value::from_object(secret))).collect();
        self.roots.insert("secrets".to_owned(), Value::from(map));
    }

    pub(super) fn value(&self) -> Value {
        Value::from_pairs(self.roots.iter().map(|(root, value)| (root.as_str(), value.clone())))
    }

    /// The value at a path, where there is one.
    pub(super) fn at(&self, path: &[String]) -> Option<Value> {
        let (root, keys) = path.split_first()?;
        keys.iter().try_fold(self.roots.get(root)?.clone(), |value, key| {
            let index = || key.parse::<usize>().ok().and_then(|index| value.get_item(&Value::from(index)).ok());
            let found = value.get_attr(key).ok().filter(|found| !found.is_undefined()).or_else(index)?;
            (!found.is_undefined()).then_some(found)
        })
    }
}

impl Object for SecretValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("file")).then(|| Value::from(&*self.file))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

//! Secrets: fetched, generated and kept in 0600 files, and masked in everything that is shown.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::workspace::{Workspace, WorkspaceError, make_private, write_private};
use crate::base::digest::Digest;
use crate::base::name::Name;
use crate::manifest::template::SecretValue;

/// The file of every value that was ever held, beside the goals' folders: old logs stay masked when a secret is changed or forgotten.
const HELD: &str = "held.json";

/// The file of the workspace's key: hashes that the journal keeps are made with it, so that nobody can try values against them.
const KEY: &str = "hash.key";

/// What stands where a secret stood.
const MASK: &str = "***";

/// The letters and digits of a generated secret: 62 of them, 5.95 bits each.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The values of a goal's secrets.
#[derive(Clone, Default)]
pub struct Vault {
    values: BTreeMap<String, SecretValue>,
    /// The workspace's key for hashes; empty before the first secret.
    key: String,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Vault {
    /// Reads what is kept of a goal's secrets.
    ///
    /// # Errors
    /// Where a file is there and cannot be read.
    pub fn read(workspace: &Workspace, goal: &Name) -> io::Result<Self> {
        let mut vault = Self::default();
        let folder = workspace.secrets(goal);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vault),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.contains('.')) else { continue };
            let text = fs::read_to_string(&path)?;
            vault.insert(name, &text, &path);
        }
        vault.key = fs::read_to_string(folder.with_file_name(KEY))?;
        Ok(vault)
    }

    /// Keeps a secret in a 0600 file.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn keep(&mut self, workspace: &Workspace, goal: &Name, name: &Name, value: &str) -> Result<(), WorkspaceError> {
        let folder = workspace.secrets(goal);
        make_private(&folder)?;
        self.key = key(&folder.with_file_name(KEY))?;
        hold(&folder.with_file_name(HELD), value)?;
        let path = folder.join(name.as_str());
        if self.values.get(name.as_str()).is_none_or(|known| &*known.text != value) {
            write_private(&path, value.as_bytes(), 0o600)?;
        }
        self.insert(name.as_str(), value, &path);
        Ok(())
    }

    /// A vault of values that protect nothing: for a world that is only played.
    pub(super) fn made_up(values: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut vault = Self::default();
        for (name, value) in values {
            vault.insert(&name, &value, Path::new("/nowhere").join(&name).as_path());
        }
        vault
    }

    fn insert(&mut self, name: &str, value: &str, path: &Path) {
        let file: Arc<str> = Arc::from(path.to_string_lossy().as_ref());
        self.values.insert(name.to_owned(), SecretValue { text: Arc::from(value), file });
    }

    /// A secret's value.
    pub fn get(&self, name: &Name) -> Option<&str> {
        self.values.get(name.as_str()).map(|secret| &*secret.text)
    }

    /// The secrets as templates see them.
    pub fn values(&self) -> impl Iterator<Item = (String, SecretValue)> {
        self.values.iter().map(|(name, value)| (name.clone(), value.clone()))
    }

    /// The secrets with a hash where their text would stand: it tells that a value has changed, and nothing else.
    pub fn concealed(&self) -> impl Iterator<Item = (String, SecretValue)> {
        self.values.iter().map(|(name, value)| {
            let digest = Digest::of(format!("{}\0{name}\0{}", self.key, value.text).as_bytes());
            let text: Arc<str> = Arc::from(format!("secret {digest}"));
            (name.clone(), SecretValue { text, file: Arc::clone(&value.file) })
        })
    }

    /// What hides these secrets.
    pub fn mask(&self) -> Mask {
        Mask::new(self.values.values().map(|secret| secret.text.to_string()))
    }
}

/// Hides secrets in texts: each value, and each line of a value of several lines.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    hidden: Vec<String>,
}

impl Mask {
    /// Hides these values.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut hidden: Vec<String> = Vec::new();
        for value in values {
            let whole = value.trim_end_matches('\n').to_owned();
            hidden.extend(whole.lines().filter(|line| line.len() >= 8 || *line == whole).map(str::to_owned));
            let escaped = serde_json::Value::String(whole.clone()).to_string();
            hidden.push(escaped.trim_matches('"').to_owned());
            hidden.push(whole);
        }
        hidden.retain(|text| !text.is_empty());
        // The longest first: a secret may be part of another.
        hidden.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        hidden.dedup();
        Self { hidden }
    }

    /// Hides every secret that a goal of the workspace has, or ever had.
    ///
    /// # Errors
    /// Where a secret is there and cannot be read: then nothing may be shown.
    pub fn of_workspace(workspace: &Workspace) -> io::Result<Self> {
        held(&workspace.folder().join("secrets").join(HELD)).map(Self::new)
    }

    /// Hides more.
    pub fn extend(&mut self, other: &Self) {
        *self = Self::new(self.hidden.iter().chain(&other.hidden).cloned());
    }

    /// The text without the secrets.
    pub fn apply(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, secret| if text.contains(secret) { text.replace(secret, MASK) } else { text })
    }

    /// True where there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.hidden.is_empty()
    }
}

/// Every value that was ever held.
fn held(path: &Path) -> io::Result<Vec<String>> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Adds a value to those that were ever held.
fn hold(path: &Path, value: &str) -> Result<(), WorkspaceError> {
    let mut values = held(path).map_err(WorkspaceError::new("read", path))?;
    if values.iter().any(|known| known == value) {
        return Ok(());
    }
    values.push(value.to_owned());
    write_private(path, serde_json::Value::from(values).to_string().as_bytes(), 0o600)
}

/// The workspace's key for hashes, made where it is missing.
fn key(path: &Path) -> Result<String, WorkspaceError> {
    match fs::read_to_string(path) {
        Ok(key) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = generate(43);
            write_private(path, key.as_bytes(), 0o600)?;
            Ok(key)
        }
        Err(error) => Err(WorkspaceError::new("read", path)(error)),
    }
}

/// Makes a secret of so many letters and digits, from the kernel's random bytes.
pub fn generate(length: u32) -> String {
    let mut secret = String::new();
    while secret.len() < length as usize {
        let bytes = uuid::Uuid::new_v4();
        // 248 is the largest multiple of 62 in a byte: what is above would favour the first letters. Bytes 6 and 8 hold the version.
        let random = bytes.as_bytes().iter().enumerate().filter(|(index, byte)| !matches!(index, 6 | 8) && **byte < 248);
        secret.extend(random.map(|(_, byte)| char::from(ALPHABET[usize::from(byte % 62)])));
    }
    secret.truncate(length as usize);
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_the_longest_first() {
        let mask = Mask::new(["secret".to_owned(), "secret-and-more".to_owned(), "line one is long\nshort".to_owned()]);
        assert_eq!(mask.apply("a secret-and-more b secret c"), "a *** b *** c");
        assert_eq!(mask.apply("line one is long, short"), "***, short");
        assert_eq!(Mask::new([String::new()]).apply("nothing"), "nothing");
    }

    #[test]
    fn what_was_ever_held_stays_masked_and_its_hash_tells_of_a_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::find(folder.path()).expect("a workspace");
        let (goal, name) = (Name::from("g"), Name::from("password"));
        let mut vault = Vault::default();
        let hash = |vault: &Vault| vault.concealed().map(|(_, secret)| secret.text.to_string()).collect::<Vec<_>>();
        vault.keep(&workspace, &goal, &name, "the first value").expect("it is kept");
        let first = hash(&vault);
        vault.keep(&workspace, &goal, &name, "another value").expect("it is kept");
        assert!(first != hash(&vault) && !first.concat().contains("value"));
        assert_eq!(hash(&Vault::read(&workspace, &goal).expect("it is read")), hash(&vault), "the same in the next engine");
        #[expect(clippy::disallowed_methods, reason = "a test forgets them as `down --volumes` does")]
        fs::remove_dir_all(workspace.secrets(&goal)).expect("they are forgotten");
        let mask = Mask::of_workspace(&workspace).expect("a mask");
        assert_eq!(mask.apply("the first value, another value"), "***, ***");
    }

    #[test]
    fn generates_what_was_asked_for() {
        let (one, two) = (generate(24), generate(24));
        assert_eq!(one.len(), 24);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(one, two);
    }
}

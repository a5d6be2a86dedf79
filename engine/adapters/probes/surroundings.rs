//! What a look needs to know besides its check.

use std::path::{Path, PathBuf};

/// Where a look is made from.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The workspace's root: relative paths begin there.
    pub root: PathBuf,
    /// A PEM file of the authorities to trust instead of the built-in ones, as `SSL_CERT_FILE` names it.
    pub authorities: Option<PathBuf>,
}

impl Surroundings {
    /// A path of a check, seen from the workspace's root.
    pub(super) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }
}

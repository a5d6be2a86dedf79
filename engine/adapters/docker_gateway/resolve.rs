//! Where a path of the host leads.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Follows all links. What does not exist yet is taken below the nearest folder that does; none where a link leads nowhere, where a folder
/// cannot be looked into, or where `..` stands in what does not exist.
pub fn resolve(path: &Path) -> Option<PathBuf> {
    let mut missing: Vec<&std::ffi::OsStr> = Vec::new();
    let mut there = path;
    loop {
        match there.canonicalize() {
            Ok(mut real) => {
                real.extend(missing.iter().rev());
                return Some(real);
            }
            // A link that leads nowhere is there itself, and could lead anywhere by the time that it is mounted.
            Err(error) if error.kind() == io::ErrorKind::NotFound && there.symlink_metadata().is_err() => {
                let Some(Component::Normal(name)) = there.components().next_back() else { return None };
                missing.push(name);
                there = there.parent()?;
            }
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_and_what_is_missing_is_taken_below_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::os::unix::fs::symlink("/", root.join("out")).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", root.join("dangling")).unwrap();
        assert_eq!(resolve(&root.join("out/etc")), Some(PathBuf::from("/etc")));
        assert_eq!(resolve(&root.join("new/one")), Some(root.join("new/one")));
        assert_eq!(resolve(&root.join("dangling")), None);
        assert_eq!(resolve(&root.join("dangling/one")), None);
        assert_eq!(resolve(&root.join("new/../../etc")), None);
    }
}

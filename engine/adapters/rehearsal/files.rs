//! The files of a simulated world. Those of the host are neither touched nor looked at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::kernel::action::Seen;
use crate::ports::job::{DirectoryJob, FileJob};

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A directory.
    Directory,
    /// A file with this content; none: with whatever is wanted of it.
    File(Option<String>),
}

/// Directories and files.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    nodes: BTreeMap<PathBuf, Node>,
    /// What was removed, and when: what a work had made in there is gone with it.
    removed: Vec<(PathBuf, u64)>,
}

impl Files {
    pub(super) fn at(&self, path: &Path) -> Option<&Node> {
        self.nodes.get(path)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Path> {
        self.nodes.keys().map(PathBuf::as_path)
    }

    /// Puts something there, and the directories above it.
    pub(super) fn put(&mut self, root: &Path, path: &Path, node: Node) {
        for above in path.ancestors().skip(1).take_while(|above| *above != root && above.starts_with(root)) {
            self.nodes.entry(above.to_owned()).or_insert(Node::Directory);
        }
        self.nodes.insert(path.to_owned(), node);
    }

    /// The topmost directory above a path that is not there.
    pub(super) fn topmost_absent<'p>(&self, root: &Path, path: &'p Path) -> Option<&'p Path> {
        let inside = |above: &&Path| *above != root && above.starts_with(root) && !self.nodes.contains_key(*above);
        path.ancestors().skip(1).take_while(inside).last()
    }

    pub(super) fn make_all(&mut self, paths: &[PathBuf]) {
        for path in paths {
            self.nodes.insert(path.clone(), Node::File(None));
        }
    }

    /// Makes a directory. One that is there is used, and not owned.
    pub(super) fn make_directory(&mut self, root: &Path, job: &DirectoryJob) -> Seen {
        let created = self.nodes.get(&job.path) != Some(&Node::Directory);
        if created {
            self.put(root, &job.path, Node::Directory);
        }
        made_at(root, &job.path, created)
    }

    /// Writes a file. One that was there before is written, and not owned.
    pub(super) fn make_file(&mut self, root: &Path, job: &FileJob) -> Seen {
        let created = !self.nodes.contains_key(&job.path);
        self.put(root, &job.path, Node::File(Some(job.content.clone())));
        made_at(root, &job.path, created)
    }

    /// Removes what is there, with all that is in it.
    pub(super) fn remove(&mut self, path: &Path, now: u64) {
        self.nodes.retain(|other, _| !other.starts_with(path));
        self.removed.push((path.to_owned(), now));
    }

    /// Removes what is empty of the directories above a path, from the nearest up to this one, or to what others have.
    pub(super) fn remove_way(&mut self, top: &Path, path: &Path, others: &[PathBuf], now: u64) {
        for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(top)) {
            if others.iter().any(|other| other == folder) || self.nodes.keys().any(|other| other != folder && other.starts_with(folder)) {
                break;
            }
            self.remove(folder, now);
        }
    }

    /// Whether something made at a path at that time is still there.
    pub(super) fn lasts(&self, path: &Path, made: u64) -> bool {
        !self.removed.iter().any(|(removed, at)| *at >= made && path.starts_with(removed))
    }
}

/// What is told of a path: from the workspace's root where it is in there.
fn made_at(root: &Path, path: &Path, created: bool) -> Seen {
    let path = path.strip_prefix(root).unwrap_or(path);
    Seen::Made { created, path: path.to_str().map(str::to_owned), outputs: IndexMap::new() }
}

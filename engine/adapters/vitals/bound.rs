//! How much memory the control groups above us leave: a container's limit is the size of its host.

use std::fs;
use std::io;
use std::path::Path;

use super::meminfo::{number, stat};
use crate::adapters::process::cgroup::hierarchy::Place;

/// What one group leaves to all in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    /// How much it may use, in bytes.
    pub(super) limit: u64,
    /// How much of that could still be had, in bytes: file pages that nobody uses count as free, as in `MemAvailable`.
    pub(super) available: u64,
}

/// How a version of control groups calls its files.
struct Files {
    /// The limits; the least of them counts. At `memory.high` a group is slowed down until it is below it again.
    limits: &'static [&'static str],
    usage: &'static str,
    /// The field of `memory.stat` that counts the groups inside too.
    reclaimable: &'static str,
}

const V1: Files = Files { limits: &["memory.limit_in_bytes"], usage: "memory.usage_in_bytes", reclaimable: "total_inactive_file" };
const V2: Files = Files { limits: &["memory.max", "memory.high"], usage: "memory.current", reclaimable: "inactive_file" };

/// The bounds of a version 1 hierarchy, of our own group and of all above it.
pub(super) fn of_v1(place: &Place) -> io::Result<Vec<Bound>> {
    bounds(place, &V1)
}

/// The same of the version 2 hierarchy.
pub(super) fn of_v2(place: &Place) -> io::Result<Vec<Bound>> {
    bounds(place, &V2)
}

fn bounds(place: &Place, files: &Files) -> io::Result<Vec<Bound>> {
    let groups = place.here.ancestors().take_while(|group| group.starts_with(&place.mount));
    groups.filter_map(|group| bound(group, files).transpose()).collect()
}

fn bound(group: &Path, files: &Files) -> io::Result<Option<Bound>> {
    let mut limit = None;
    for file in files.limits {
        // The root group has none, and neither has one that is not handed the controller.
        let own = read(&group.join(file))?.and_then(|text| number(&text));
        limit = [limit, own].into_iter().flatten().min();
    }
    let Some(limit) = limit else { return Ok(None) };
    let Some(usage) = read(&group.join(files.usage))?.and_then(|text| number(&text)) else { return Ok(None) };
    let reclaimable = read(&group.join("memory.stat"))?.and_then(|text| stat(&text, files.reclaimable)).unwrap_or(0);
    Ok(Some(Bound { limit, available: limit.saturating_sub(usage.saturating_sub(reclaimable)) }))
}

/// A file; none where it is not there.
fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write what the kernel would")]
mod tests {
    use super::*;

    fn group(place: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(place).unwrap();
        for (name, text) in files {
            fs::write(place.join(name), text).unwrap();
        }
    }

    #[test]
    fn every_group_up_the_tree_bounds_what_is_inside() {
        let folder = tempfile::tempdir().unwrap();
        let mount = folder.path();
        group(mount, &[("memory.stat", "inactive_file 5\n")]);
        group(
            &mount.join("a"),
            &[("memory.max", "1000\n"), ("memory.high", "900\n"), ("memory.current", "300\n"), ("memory.stat", "inactive_file 100\n")],
        );
        group(&mount.join("a/b"), &[("memory.max", "max\n"), ("memory.high", "max\n"), ("memory.current", "200\n")]);
        group(&mount.join("a/b/c"), &[("memory.max", "400\n"), ("memory.current", "500\n")]);
        let place = Place { mount: mount.to_owned(), here: mount.join("a/b/c") };
        let expected = [Bound { limit: 400, available: 0 }, Bound { limit: 900, available: 700 }];
        assert_eq!(of_v2(&place).unwrap(), expected);
        assert_eq!(of_v1(&place).unwrap(), [], "its files have other names");
    }

    #[test]
    fn the_files_of_version_1_have_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("box");
        let stat = "inactive_file 1\ntotal_inactive_file 60\n";
        group(&here, &[("memory.limit_in_bytes", "800\n"), ("memory.usage_in_bytes", "500\n"), ("memory.stat", stat)]);
        let place = Place { mount: folder.path().to_owned(), here };
        assert_eq!(of_v1(&place).unwrap(), [Bound { limit: 800, available: 360 }]);
    }
}

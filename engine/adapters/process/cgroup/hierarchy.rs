//! Which cgroup hierarchies are mounted, and where in them this process is.
//!
//! Groups are made below our own place and not at the root: whoever limits or delegated us keeps their say.

use std::fs;
use std::path::{Path, PathBuf};

use crate::adapters::process::limits::Limit;

/// The group that an engine moves into so that the one around it can hand controllers down. That one is then the engine's own.
pub(in crate::adapters) const LEAF: &str = "sculpt-supervisor";

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::adapters) struct Place {
    /// Where the hierarchy is mounted.
    pub(in crate::adapters) mount: PathBuf,
    /// The directory of our own group.
    pub(in crate::adapters) here: PathBuf,
}

/// The hierarchies that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::adapters) struct Hierarchies {
    pub(in crate::adapters) v2: Option<Place>,
    pub(in crate::adapters) freezer: Option<Place>,
    /// Version 1 controllers, where they are not in version 2.
    pub(in crate::adapters) limits: Vec<(Limit, Place)>,
    /// Where version 1 counts processor time. Version 2 does so in every group.
    pub(in crate::adapters) cpuacct: Option<Place>,
    /// All that are mounted here, these among them.
    pub(in crate::adapters) all: Vec<Place>,
}

impl Hierarchies {
    /// What this process sees; empty where `/proc` or cgroups are missing.
    pub(in crate::adapters) fn read() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::parse(&mounts, &own)
    }

    /// What is mounted here, with the groups of another process as its own.
    pub(in crate::adapters) fn of(pid: u32) -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        Self::parse(&mounts, &groups)
    }

    fn parse(mounts: &str, own: &str) -> Self {
        let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
        let v1 = |controller: &str| {
            let path = own.lines().find_map(|line| {
                let mut fields = line.splitn(3, ':').skip(1);
                fields.next()?.split(',').any(|name| name == controller).then(|| fields.next())?
            })?;
            mounts.iter().find(|mount| mount.kind == "cgroup" && mount.options.iter().any(|o| o == controller))?.place(path)
        };
        let v2 = own.lines().find_map(|line| line.strip_prefix("0::"));
        let of = |mount: &Mount| {
            let v1 = |line: &str| {
                let (names, path) = line.split_once(':')?.1.split_once(':')?;
                let is_named = |name: &str| !name.is_empty() && mount.options.iter().any(|option| option == name);
                names.split(',').any(is_named).then(|| path.to_owned())
            };
            let path = match mount.kind.as_str() {
                "cgroup" => own.lines().find_map(v1),
                "cgroup2" => v2.map(|path| around_leaf(path).to_owned()),
                _ => None,
            };
            mount.place(&path?)
        };
        let mut all: Vec<Place> = mounts.iter().filter_map(of).collect();
        all.dedup();
        Self {
            all,
            v2: v2.and_then(|path| mounts.iter().find(|mount| mount.kind == "cgroup2")?.place(around_leaf(path))),
            freezer: v1("freezer"),
            cpuacct: v1("cpuacct"),
            limits: Limit::ALL.into_iter().filter_map(|limit| Some((limit, v1(limit.controller())?))).collect(),
        }
    }
}

struct Mount {
    root: String,
    point: PathBuf,
    kind: String,
    options: Vec<String>,
}

impl Mount {
    /// `31 23 0:28 ROOT POINT rw,relatime … - cgroup SOURCE rw,cpu`, see proc(5).
    fn parse(line: &str) -> Option<Self> {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(3);
        let mut back = back.split(' ');
        Some(Self {
            root: unescape(front.next()?),
            point: PathBuf::from(unescape(front.next()?)),
            kind: back.next()?.to_owned(),
            options: back.nth(1)?.split(',').map(str::to_owned).collect(),
        })
    }

    /// Where a path of the hierarchy is below this mount; none where the mount does not show it.
    fn place(&self, path: &str) -> Option<Place> {
        let inside = Path::new(path).strip_prefix(&self.root).ok()?;
        if inside.components().any(|part| part == std::path::Component::ParentDir) {
            return None;
        }
        // Joining an empty path would leave a slash at the end.
        let here = if inside.as_os_str().is_empty() { self.point.clone() } else { self.point.join(inside) };
        Some(Place { mount: self.point.clone(), here })
    }
}

/// The path of a group; of an engine's leaf that of the group around it.
fn around_leaf(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", LEAF)) => "/",
        Some((around, LEAF)) => around,
        _ => path,
    }
}

/// Mount points write blanks as `\040`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(mount: &str, here: &str) -> Place {
        Place { mount: mount.into(), here: here.into() }
    }

    #[test]
    fn reads_a_hybrid_host() {
        let mounts = "\
            35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
            32 31 0:29 / /sys/fs/cgroup/cpu\\040all rw - cgroup cgroup rw,cpu,cpuacct\n\
            37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime shared:7 - cgroup cgroup rw,freezer\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let own = "6:freezer:/\n4:memory:/api/x\n1:cpu,cpuacct:/\n0::/user.slice/a.scope\n";
        let found = Hierarchies::parse(mounts, own);
        assert_eq!(found.v2, Some(place("/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/user.slice/a.scope")));
        assert_eq!(found.freezer, Some(place("/sys/fs/cgroup/freezer", "/sys/fs/cgroup/freezer")));
        let memory = place("/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/api/x");
        let cpu = place("/sys/fs/cgroup/cpu all", "/sys/fs/cgroup/cpu all");
        assert_eq!(found.limits, [(Limit::Memory, memory), (Limit::Cpus, cpu.clone())]);
        assert_eq!(found.cpuacct, Some(cpu), "one mount may have both");
        assert_eq!(found.all.len(), 4, "{:?}", found.all);
    }

    #[test]
    fn the_group_around_its_leaf_is_the_engines_own() {
        let mounts = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let at = |own: &str| Hierarchies::parse(mounts, own).v2.expect("a place").here;
        assert_eq!(at("0::/system.slice/a.scope/sculpt-supervisor\n"), Path::new("/sys/fs/cgroup/system.slice/a.scope"));
        assert_eq!(at("0::/sculpt-supervisor\n"), Path::new("/sys/fs/cgroup"));
        assert_eq!(at("0::/my-sculpt-supervisor\n"), Path::new("/sys/fs/cgroup/my-sculpt-supervisor"));
    }

    #[test]
    fn a_mounted_part_shows_only_its_part() {
        let mounts = "41 31 0:38 /docker/7 /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        assert_eq!(Hierarchies::parse(mounts, "0::/docker/7/job\n").v2, Some(place("/sys/fs/cgroup", "/sys/fs/cgroup/job")));
        assert_eq!(Hierarchies::parse(mounts, "0::/elsewhere\n").v2, None);
        assert_eq!(Hierarchies::parse("", "0::/../..\n"), Hierarchies::default());
        let rooted = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        assert_eq!(Hierarchies::parse(rooted, "0::/../..\n").v2, None, "our own group is outside of what we see");
    }
}

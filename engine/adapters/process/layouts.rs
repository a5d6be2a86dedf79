//! The ways in which hosts lay out their control groups, of which each has one: simulated by folders that hold the files of each.

use std::fs;
use std::path::{Path, PathBuf};

use super::cgroup::hierarchy::{Hierarchies, Place};
use super::containment::Containment;
use super::limits::{Limit, Limits};
use super::mechanism::{Gap, Mechanism};
use crate::base::size::ByteSize;

const LIMITS: Limits = Limits { memory: Some(ByteSize(64 << 20)), cpus: Some(0.5), pids: Some(8) };

/// The groups that a limit on an attempt touches, outermost first.
const GROUPS: [&str; 4] = ["", "sculpt-host", "sculpt-host/goal", "sculpt-host/goal/a0"];

/// A hierarchy with these control files in every group; `None` in place of a text makes a file that cannot be written.
#[expect(clippy::disallowed_methods, reason = "a test makes the host that it looks at")]
fn hierarchy(folder: &Path, name: &str, files: &[(&str, Option<&str>)]) -> Place {
    let mount = folder.join(name);
    for group in GROUPS {
        let dir = mount.join(group);
        fs::create_dir_all(&dir).unwrap();
        for (file, text) in files.iter().chain(&[("cgroup.procs", Some(""))]) {
            match text {
                Some(text) => fs::write(dir.join(file), text).unwrap(),
                None => fs::create_dir(dir.join(file)).unwrap(),
            }
        }
    }
    Place { mount: mount.clone(), here: mount }
}

/// Version 2 with controllers that are handed down to us.
fn v2(folder: &Path) -> Place {
    let controllers = Some("cpu memory pids");
    let settings = [("memory.max", Some("max")), ("memory.swap.max", Some("max")), ("cpu.max", Some("max")), ("pids.max", Some("max"))];
    let files = [("cgroup.events", Some("populated 0\n")), ("cgroup.controllers", controllers), ("cgroup.subtree_control", controllers)];
    hierarchy(folder, "v2", &[&files[..], &settings].concat())
}

/// Version 2 beside version 1, which has all controllers; or in a group where none is handed down.
fn bare_v2(folder: &Path) -> Place {
    undelegated_v2(folder, "")
}

/// Version 2 in a group that has these controllers and other processes: the kernel refuses to hand one down.
fn undelegated_v2(folder: &Path, controllers: &str) -> Place {
    let kind = Some("domain\n");
    let files = [
        ("cgroup.events", Some("populated 0\n")),
        ("cgroup.controllers", Some(controllers)),
        ("cgroup.subtree_control", None),
        ("cgroup.type", kind),
    ];
    hierarchy(folder, "bare", &files)
}

fn v1(folder: &Path, limit: Limit) -> (Limit, Place) {
    let files: &[(&str, Option<&str>)] = match limit {
        Limit::Memory => {
            &[("memory.limit_in_bytes", Some("")), ("memory.memsw.limit_in_bytes", Some("")), ("memory.oom_control", Some("oom_kill 0\n"))]
        }
        Limit::Cpus => &[("cpu.cfs_period_us", Some("")), ("cpu.cfs_quota_us", Some(""))],
        Limit::Pids => &[("pids.max", Some(""))],
    };
    (limit, hierarchy(folder, limit.controller(), files))
}

/// The file that a limit was written to, and what it says, in each version.
fn written(folder: &Path, limit: Limit, by_v2: bool) -> String {
    let (v2, v1) = match limit {
        Limit::Memory => ("memory.max", "memory.limit_in_bytes"),
        Limit::Cpus => ("cpu.max", "cpu.cfs_quota_us"),
        Limit::Pids => ("pids.max", "pids.max"),
    };
    let file: PathBuf =
        if by_v2 { folder.join("v2").join(GROUPS[3]).join(v2) } else { folder.join(limit.controller()).join(GROUPS[3]).join(v1) };
    fs::read_to_string(file).unwrap()
}

/// Its name, what holds processes together there, how it is made, and what can be limited.
type Layout<'a> = (&'a str, Mechanism, Box<dyn Fn(&Path) -> Hierarchies + 'a>, Vec<Limit>);

/// {v2, v2 without controllers, v2 with others in the group, hybrid, v1, v1 with one controller, none} × {memory, cpus, pids}: a limit is enforced and written where its
/// controller reads it, or it is refused with a reason; and the report has said so before. Open files need no group; see the launch.
#[test]
fn on_every_layout_a_limit_is_enforced_or_said_not_to_be() {
    let all = Limit::ALL;
    let freezer = |folder: &Path| Some(hierarchy(folder, "freezer", &[("freezer.state", Some("THAWED\n"))]));
    let some_v1 = |folder: &Path, limits: &[Limit]| limits.iter().map(|limit| v1(folder, *limit)).collect();
    let layouts: Vec<Layout<'_>> = vec![
        ("v2", Mechanism::CgroupV2, Box::new(|dir| Hierarchies { v2: Some(v2(dir)), ..Hierarchies::default() }), all.to_vec()),
        ("v2 bare", Mechanism::CgroupV2, Box::new(|dir| Hierarchies { v2: Some(bare_v2(dir)), ..Hierarchies::default() }), vec![]),
        (
            "v2 crowded",
            Mechanism::CgroupV2,
            Box::new(|dir| Hierarchies { v2: Some(undelegated_v2(dir, "cpu memory pids")), ..Hierarchies::default() }),
            vec![],
        ),
        (
            "hybrid",
            Mechanism::CgroupV2,
            Box::new(|dir| Hierarchies {
                v2: Some(bare_v2(dir)),
                freezer: freezer(dir),
                limits: some_v1(dir, &all),
                cpuacct: None,
                ..Hierarchies::default()
            }),
            all.to_vec(),
        ),
        (
            "v1",
            Mechanism::CgroupV1,
            Box::new(|dir| Hierarchies {
                v2: None,
                freezer: freezer(dir),
                limits: some_v1(dir, &all),
                cpuacct: None,
                ..Hierarchies::default()
            }),
            all.to_vec(),
        ),
        (
            "v1 with pids alone",
            Mechanism::CgroupV1,
            Box::new(|dir| Hierarchies {
                v2: None,
                freezer: freezer(dir),
                limits: some_v1(dir, &[Limit::Pids]),
                cpuacct: None,
                ..Hierarchies::default()
            }),
            vec![Limit::Pids],
        ),
        ("none", Mechanism::Subreaper, Box::new(|_| Hierarchies::default()), vec![]),
    ];
    for (layout, mechanism, found, expected) in layouts {
        let folder = tempfile::tempdir().unwrap();
        let found = found(folder.path());
        let host = match mechanism {
            Mechanism::Subreaper => {
                assert!(Containment::groups_in(found, Mechanism::CgroupV2, "host").is_none(), "there is none to make groups in");
                Containment::with(mechanism, "host", Path::new("sculpt")).unwrap()
            }
            _ => Containment::groups_in(found, mechanism, "host").expect(layout),
        };
        assert_eq!(host.report().limits, expected, "{layout}");
        assert_eq!(host.report().gaps.contains(&Gap::NotAlone), layout.starts_with("v2 "), "{layout}");
        let scope = host.attempt(&"goal".into()).unwrap();
        let outcome = host.limit(&scope, &LIMITS);
        assert_eq!(outcome.enforced, expected, "{layout}: {outcome:?}");
        let refused: Vec<Limit> = outcome.refused.iter().map(|(limit, _)| *limit).collect();
        assert_eq!(refused, all.into_iter().filter(|limit| !expected.contains(limit)).collect::<Vec<_>>(), "{layout}");
        assert!(outcome.refused.iter().all(|(_, why)| !why.is_empty()), "{layout}: {outcome:?}");
        for limit in expected {
            let by_v2 = layout == "v2";
            let text = match (limit, by_v2) {
                (Limit::Memory, _) => "67108864",
                (Limit::Cpus, true) => "50000 100000",
                (Limit::Cpus, false) => "50000",
                (Limit::Pids, _) => "8",
            };
            assert!(written(folder.path(), limit, by_v2).starts_with(text), "{layout}: {limit:?}");
            if limit == Limit::Memory {
                let (file, text) = if by_v2 { ("v2", "0") } else { ("memory", "67108864") };
                let swap = if by_v2 { "memory.swap.max" } else { "memory.memsw.limit_in_bytes" };
                let swap = fs::read_to_string(folder.path().join(file).join(GROUPS[3]).join(swap)).unwrap();
                assert!(swap.starts_with(text), "{layout}: {swap}");
            }
        }
    }
}

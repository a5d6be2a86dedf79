//! Where what starts work later is written down on a host.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::kernel::suspect::Manager;

/// A file or folder that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where.
    pub path: PathBuf,
    /// What is written there.
    pub holds: Holds,
}

/// What a place holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A folder of unit files.
    Units(Manager),
    /// The control groups of running units.
    Running(Manager),
    /// A folder of users' crontabs.
    Crontabs,
    /// A folder of tables or scripts that cron reads.
    CronFolder,
    /// One table that cron reads.
    CronTable,
    /// A folder of `at` jobs.
    AtJobs,
    /// The Docker client's configuration.
    DockerConfig,
    /// A folder with a folder for each Docker context.
    DockerContexts,
}

impl Holds {
    /// True where it is one file, and no folder of them.
    pub(super) const fn is_file(self) -> bool {
        matches!(self, Self::CronTable | Self::DockerConfig)
    }

    /// Whether an entry with this name starts work. Lock files, drafts and files of other kinds do not.
    pub(super) fn takes(self, name: &str) -> bool {
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        match self {
            Self::Units(_) => ends(&[".service", ".timer", ".socket", ".path", ".scope"]),
            Self::Running(_) => ends(&[".service", ".scope"]),
            // Debian's are in a folder beside the jobs of `at`, others have them one above.
            Self::Crontabs => !name.starts_with("tmp.") && !name.starts_with('.') && !["crontabs", "atjobs", "atspool"].contains(&name),
            Self::CronFolder => !name.starts_with('.'),
            Self::AtJobs => !name.starts_with('.') && name.len() == 14,
            Self::CronTable | Self::DockerConfig | Self::DockerContexts => true,
        }
    }
}

/// Whose folders are looked at: those that a command's environment names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct User {
    /// Their home.
    pub home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`, where it is set.
    pub config: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`, where it is set.
    pub runtime: Option<PathBuf>,
    /// `$DOCKER_CONFIG`, where it is set.
    pub docker: Option<PathBuf>,
    /// Their number.
    pub id: u32,
}

impl User {
    /// Whoever a command with this environment works for.
    pub fn of(environment: &IndexMap<String, String>) -> Self {
        let set = |name: &str| environment.get(name).filter(|value| value.starts_with('/')).map(PathBuf::from);
        Self {
            home: set("HOME"),
            config: set("XDG_CONFIG_HOME"),
            runtime: set("XDG_RUNTIME_DIR"),
            docker: set("DOCKER_CONFIG"),
            id: rustix::process::geteuid().as_raw(),
        }
    }
}

/// All places of a host, below this root, for this user.
pub fn places(root: &Path, user: &User) -> Vec<Place> {
    let mut all = Vec::new();
    let mut add = |path: PathBuf, holds: Holds| all.push(Place { path, holds });
    for folder in ["etc", "run", "run/systemd/transient", "usr/local/lib", "usr/lib", "lib"] {
        let path = root.join(folder);
        let system = if folder.ends_with("transient") { path } else { path.join("systemd/system") };
        add(system, Holds::Units(Manager::System));
    }
    for folder in ["etc", "run", "usr/local/lib", "usr/lib"] {
        add(root.join(folder).join("systemd/user"), Holds::Units(Manager::User));
    }
    if let Some(config) = user.config.clone().or_else(|| Some(user.home.as_ref()?.join(".config"))) {
        add(config.join("systemd/user"), Holds::Units(Manager::User));
    }
    if let Some(home) = &user.home {
        add(home.join(".local/share/systemd/user"), Holds::Units(Manager::User));
    }
    if let Some(runtime) = &user.runtime {
        add(runtime.join("systemd/user"), Holds::Units(Manager::User));
        add(runtime.join("systemd/transient"), Holds::Units(Manager::User));
    }
    // Version 1 has a hierarchy only for systemd; with version 2 there is only one.
    for groups in ["sys/fs/cgroup/systemd", "sys/fs/cgroup"] {
        let (groups, id) = (root.join(groups), user.id);
        let own = groups.join(format!("user.slice/user-{id}.slice/user@{id}.service"));
        add(groups.join("system.slice"), Holds::Running(Manager::System));
        add(own.join("app.slice"), Holds::Running(Manager::User));
        add(own, Holds::Running(Manager::User));
    }
    for spool in ["var/spool/cron/crontabs", "var/spool/cron"] {
        add(root.join(spool), Holds::Crontabs);
    }
    add(root.join("etc/crontab"), Holds::CronTable);
    for folder in ["cron.d", "cron.hourly", "cron.daily", "cron.weekly", "cron.monthly"] {
        add(root.join("etc").join(folder), Holds::CronFolder);
    }
    for spool in ["var/spool/cron/atjobs", "var/spool/at"] {
        add(root.join(spool), Holds::AtJobs);
    }
    if let Some(docker) = user.docker.clone().or_else(|| Some(user.home.as_ref()?.join(".docker"))) {
        add(docker.join("config.json"), Holds::DockerConfig);
        add(docker.join("contexts/meta"), Holds::DockerContexts);
    }
    once_each(all)
}

/// Where two ways lead to one folder (`/lib` and `/usr/lib`), only the first is gone.
fn once_each(all: Vec<Place>) -> Vec<Place> {
    let mut seen = HashSet::new();
    let real = |place: &Place| place.path.canonicalize().unwrap_or_else(|_| place.path.clone());
    all.into_iter().filter(|place| seen.insert(real(place))).collect()
}

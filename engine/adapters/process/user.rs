//! Users and groups by name or number.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::process::Stdio;

use rustix::process::{Gid, Uid};

use super::launch::{Launch, SpawnError};

/// Who a process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    /// The supplementary groups: those of the user, and no other.
    pub(super) groups: Vec<Gid>,
}

/// The numbers of a user and a group by their names; the user's first group where none is named.
///
/// # Errors
/// Where there is no such user or group.
pub fn ids(user: &str, group: Option<&str>) -> Result<(u32, u32), SpawnError> {
    let account = account(user).ok_or_else(|| SpawnError::NoSuchUser(user.to_owned()))?;
    let gid = match group {
        Some(group) => group_id(group).ok_or_else(|| SpawnError::NoSuchGroup(group.to_owned()))?,
        None => account.gid.unwrap_or(account.uid),
    };
    Ok((account.uid, gid))
}

/// Whom a socket is to belong to, so that a launched process can use it: the launch's user, where that user may use this other socket too;
/// else the engine's own.
///
/// # Errors
/// Where there is no such user or group.
pub fn heir(launch: &Launch, other: &Metadata) -> Result<u32, SpawnError> {
    let engine = rustix::process::geteuid().as_raw();
    let Some(user) = resolve(launch)? else { return Ok(engine) };
    let may = |bits: u32| other.mode() & bits == bits;
    let by_group = user.groups.iter().any(|group| group.as_raw() == other.gid()) && may(0o060);
    let allowed = user.uid.is_root() || other.uid() == user.uid.as_raw() && may(0o600) || by_group || may(0o006);
    Ok(if allowed { user.uid.as_raw() } else { engine })
}

/// Whom a launch names; none where it names nobody.
pub(super) fn resolve(launch: &Launch) -> Result<Option<Identity>, SpawnError> {
    let Some(named) = launch.user.as_ref().or(launch.group.as_ref()) else { return Ok(None) };
    if !rustix::process::geteuid().is_root() {
        // Whoever names himself asks for nothing.
        let me = launch.user.as_ref().is_some_and(|user| ids(user, None).is_ok_and(|(uid, _)| uid == rustix::process::geteuid().as_raw()));
        return if me && launch.group.is_none() { Ok(None) } else { Err(SpawnError::NotRoot(named.clone())) };
    }
    let user = match &launch.user {
        Some(user) => account(user).ok_or_else(|| SpawnError::NoSuchUser(user.clone()))?,
        None => Account { name: None, uid: rustix::process::geteuid().as_raw(), gid: Some(rustix::process::getegid().as_raw()) },
    };
    let gid = match (&launch.group, user.gid) {
        (Some(group), _) => group_id(group).ok_or_else(|| SpawnError::NoSuchGroup(group.clone()))?,
        (None, Some(gid)) => gid,
        // A bare number without an account has no group of its own; root's would be too much.
        (None, None) => user.uid,
    };
    let mut groups = user.name.as_deref().map(supplementary).unwrap_or_default();
    groups.push(gid);
    groups.sort_unstable();
    groups.dedup();
    Ok(Some(Identity { uid: Uid::from_raw(user.uid), gid: Gid::from_raw(gid), groups: groups.into_iter().map(Gid::from_raw).collect() }))
}

struct Account {
    name: Option<String>,
    uid: u32,
    gid: Option<u32>,
}

fn account(wanted: &str) -> Option<Account> {
    let find = |text: &str| {
        text.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let (name, uid) = (fields.first()?, fields.get(2)?);
            (*name == wanted || *uid == wanted).then_some(())?;
            Some(Account { name: Some((*name).to_owned()), uid: uid.parse().ok()?, gid: fields.get(3)?.parse().ok() })
        })
    };
    lookup("/etc/passwd", "passwd", wanted, find).or_else(|| Some(Account { name: None, uid: wanted.parse().ok()?, gid: None }))
}

/// The name of a user, where the host's own file has it: what asks a directory service may take long.
pub fn name_of(uid: u32) -> Option<String> {
    let text = fs::read_to_string("/etc/passwd").ok()?;
    let name = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(uid)).then(|| (*fields[0]).to_owned())
    };
    text.lines().find_map(name)
}

fn group_id(wanted: &str) -> Option<u32> {
    let find = |text: &str| {
        text.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.first() == Some(&wanted)).then(|| fields.get(2)?.parse().ok())?
        })
    };
    lookup("/etc/group", "group", wanted, find).or_else(|| wanted.parse().ok())
}

fn supplementary(user: &str) -> Vec<u32> {
    let Ok(text) = fs::read_to_string("/etc/group") else { return Vec::new() };
    let member = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        fields.get(3)?.split(',').any(|name| name == user).then(|| fields.get(2)?.parse().ok())?
    };
    text.lines().filter_map(member).collect()
}

/// The file first, since it costs nothing; then `getent`, which also asks LDAP and systemd.
fn lookup<T>(file: &str, database: &str, key: &str, find: impl Fn(&str) -> Option<T>) -> Option<T> {
    fs::read_to_string(file).ok().and_then(|text| find(&text)).or_else(|| find(&getent(database, key)?))
}

#[expect(clippy::disallowed_methods, reason = "a look into the account databases; it starts nothing of a goal's")]
fn getent(database: &str, key: &str) -> Option<String> {
    let output = std::process::Command::new("getent").args([database, "--", key]).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

//! The files that a process writes to.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::launch::{Launch, SpawnError};
use super::user::Identity;

/// Opens standard output and standard error; both belong to the process's user, for whom a later reopening works too.
pub(super) fn open(launch: &Launch, user: Option<&Identity>) -> Result<(File, File), SpawnError> {
    let stdout = open_one(&launch.stdout, user)?;
    let stderr = if launch.stdout == launch.stderr {
        stdout.try_clone().map_err(|error| failed(&launch.stderr, &error))?
    } else {
        open_one(&launch.stderr, user)?
    };
    Ok((stdout, stderr))
}

fn open_one(path: &Path, user: Option<&Identity>) -> Result<File, SpawnError> {
    #[expect(clippy::disallowed_methods, reason = "the output of a process that was permitted")]
    let file = File::options().append(true).create(true).mode(0o600).open(path).map_err(|error| failed(path, &error))?;
    if let Some(user) = user {
        rustix::fs::fchown(&file, Some(user.uid), Some(user.gid)).map_err(|error| failed(path, &error.into()))?;
    }
    Ok(file)
}

fn failed(path: &Path, error: &std::io::Error) -> SpawnError {
    SpawnError::other(format!("open the output file {}", path.display()), error)
}

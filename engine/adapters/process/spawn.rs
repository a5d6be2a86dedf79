//! From a launch to a process, and from an error number to what it means.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::clone::{self, Cloned, Image, Membership, Step};
use super::identity::{ProcessId, boot_id, unique};
use super::launch::{Launch, SpawnError};
use super::output;
use super::running::Running;
use super::table::Stat;
use super::user::Identity;
use super::view::View;

/// Where programs are looked for when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Starts the process as a member of a group.
pub(super) fn spawn(launch: &Launch, user: Option<Identity>, membership: Membership) -> Result<Running, SpawnError> {
    let cloned = start(launch, user, Some(membership))?;
    // It is our child and not yet waited for: its number cannot have passed to another.
    let start = Stat::read(cloned.pid).map(|stat| stat.start).unwrap_or_default();
    let id = ProcessId { pid: cloned.pid, start, boot: boot_id().to_owned(), unique: unique(&cloned.handle) };
    Running::own(id, cloned.handle).map_err(|error| SpawnError::other("wait for a started process", &error))
}

/// The same without a runtime to wait in.
pub(super) fn start(launch: &Launch, user: Option<Identity>, membership: Option<Membership>) -> Result<Cloned, SpawnError> {
    let program = launch.argv.first().filter(|program| !program.is_empty()).cloned().unwrap_or_default();
    let (stdout, stderr) = output::open(launch, user.as_ref())?;
    let stdin = nothing().map_err(|error| SpawnError::other("open /dev/null", &error))?;
    let path = launch.env.iter().rev().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, value)| value);
    let environment = launch.env.iter().map(|(name, value)| format!("{name}={value}"));
    let cwd = CString::new(launch.cwd.as_os_str().as_bytes());
    let cwd = cwd.map_err(|error| SpawnError::BadCwd { path: launch.cwd.clone(), why: error.to_string() })?;
    let image = Image {
        candidates: texts(candidates(&program, path))?,
        arguments: texts(launch.argv.iter().cloned())?,
        environment: texts(environment)?,
        cwd: Some(cwd),
        stdio: [stdin, stdout.into(), stderr.into()],
        user,
        files: launch.files.map(super::limits::allowed_files),
        view: launch.view.as_ref().map(|view| Arc::clone(&view.namespace)),
        membership,
    };
    clone::start(&image).map_err(|(step, error)| explain(launch, &program, step, &error))
}

/// Starts a program of ours with these arguments, an empty environment and these standard files.
pub(super) fn start_own(program: &Path, arguments: &[&str], stdio: [OwnedFd; 3]) -> Result<Cloned, SpawnError> {
    start_own_in(program, arguments, Vec::new(), None, stdio)
}

/// The same in a view of the host's files, where there is one.
pub(super) fn start_own_seeing(program: &Path, arguments: &[&str], view: Option<&View>, stdio: [OwnedFd; 3]) -> Result<Cloned, SpawnError> {
    let image = own(program, arguments, Vec::new(), None, stdio)?;
    start_image(program, &Image { view: view.map(|view| Arc::clone(&view.namespace)), ..image })
}

/// The same with an environment, in a folder.
pub(super) fn start_own_in(
    program: &Path,
    arguments: &[&str],
    environment: Vec<String>,
    folder: Option<&Path>,
    stdio: [OwnedFd; 3],
) -> Result<Cloned, SpawnError> {
    start_image(program, &own(program, arguments, environment, folder, stdio)?)
}

fn own(
    program: &Path,
    arguments: &[&str],
    environment: Vec<String>,
    folder: Option<&Path>,
    stdio: [OwnedFd; 3],
) -> Result<Image, SpawnError> {
    let cwd = folder.map(|folder| CString::new(folder.as_os_str().as_bytes())).transpose();
    let candidate = program.to_string_lossy().into_owned();
    let arguments = std::iter::once("sculpt").chain(arguments.iter().copied()).map(str::to_owned);
    Ok(Image {
        candidates: texts([candidate])?,
        arguments: texts(arguments)?,
        environment: texts(environment)?,
        cwd: cwd.map_err(|error| SpawnError::other("pass on a folder", &error.into()))?,
        stdio,
        user: None,
        files: None,
        view: None,
        membership: None,
    })
}

fn start_image(program: &Path, image: &Image) -> Result<Cloned, SpawnError> {
    clone::start(image).map_err(|(_, error)| SpawnError::other(format!("start {}", program.display()), &error))
}

/// The file that has nothing and takes everything.
pub(super) fn nothing() -> io::Result<OwnedFd> {
    #[expect(clippy::disallowed_methods, reason = "the standard input of a process that was permitted")]
    File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from)
}

/// A program with a `/` is where it says; any other one is looked for.
fn candidates(program: &str, path: &str) -> Vec<String> {
    if program.is_empty() {
        return Vec::new();
    }
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    // An empty part of a PATH means the working directory.
    path.split(':').map(|dir| if dir.is_empty() { format!("./{program}") } else { format!("{dir}/{program}") }).collect()
}

fn texts(texts: impl IntoIterator<Item = String>) -> Result<Vec<CString>, SpawnError> {
    let text = |text: String| CString::new(text).map_err(|error| SpawnError::other("pass on an argument or a variable", &error.into()));
    texts.into_iter().map(text).collect()
}

fn explain(launch: &Launch, program: &str, step: Step, cause: &io::Error) -> SpawnError {
    let program = program.to_owned();
    match step {
        Step::Clone => SpawnError::other(format!("start `{program}`"), cause),
        Step::Files => SpawnError::other("keep the engine's files from the process (needs Linux 5.11)", cause),
        Step::Session => SpawnError::other("start a session", cause),
        Step::Join => SpawnError::other("put the process into its control group", cause),
        Step::Limit => SpawnError::other("limit the open files of the process", cause),
        Step::View => SpawnError::other("enter a view of the host's files", cause),
        Step::User => SpawnError::other("become the user", cause),
        Step::Directory => SpawnError::BadCwd { path: launch.cwd.clone(), why: cause.to_string() },
        Step::Program => match cause.raw_os_error().unwrap_or_default() {
            libc::ENOENT | libc::ENOTDIR => SpawnError::NotFound { program },
            libc::EACCES | libc::ENOEXEC | libc::EISDIR | libc::EPERM | libc::ETXTBSY => {
                SpawnError::PermissionDenied { program, why: cause.to_string() }
            }
            _ => SpawnError::other(format!("start `{program}`"), cause),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_searched_as_a_shell_does() {
        assert_eq!(candidates("ls", "/bin::/opt"), ["/bin/ls", "./ls", "/opt/ls"]);
        assert_eq!(candidates("./ls", "/bin"), ["./ls"]);
        assert!(candidates("", "/bin").is_empty());
    }
}

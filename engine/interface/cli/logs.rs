//! `sculpt logs [-f] PLACE`: what was said, masked.

use std::collections::HashMap;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

use super::context::{Context, log_path, mask, with_outside};
use super::remote::wake;
use crate::adapters::workspace::Workspace;
use crate::interface::failure::Failure;
use crate::interface::log::LogReader;
use crate::interface::terminal::{Tone, show};
use crate::views::logs::{LogFile, files, goes_on};
use crate::views::place::find;
use crate::views::replay::Replay;

/// How long to wait for a change before looking anyway: not every file system tells of changes, and no one tells of a process's end.
const PATIENCE: Duration = Duration::from_millis(250);

/// Shows what was said at a place, with secrets masked.
#[derive(Debug, Args)]
pub struct Logs {
    /// A goal, a phase (goal/phase) or a resource (goal/phase/resource)
    place: String,
    /// Go on as long as more may be said
    #[arg(short, long)]
    follow: bool,
}

/// Logs on their way to standard output.
struct Following<'a> {
    context: &'a Context,
    workspace: Workspace,
    readers: HashMap<PathBuf, LogReader>,
    /// Whose log was shown last.
    last: Option<PathBuf>,
    /// Whether more than one log is shown, so that each needs a heading.
    several: bool,
}

impl Logs {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let workspace = context.workspace()?;
        let mut replay = Replay::of(&workspace.folder())?;
        if wake(&workspace, &replay.state) {
            replay.refresh()?;
        }
        let found = find(&replay.state, &self.place)?;
        let known = files(&found);
        if known.is_empty() && !self.follow {
            let hint = format!("look why: `sculpt why {}`", self.place);
            return Err(Failure::refused(format!("nothing was said at `{}`: no command and no service ran there", self.place), hint));
        }
        let mut following = Following { context, workspace, readers: HashMap::new(), last: None, several: known.len() > 1 };
        let watch = self.follow.then(|| Watch::of(&following.workspace)).transpose()?;
        loop {
            let found = find(&replay.state, &self.place)?;
            // Asked before reading: what was written before the end is then surely read.
            let more = self.follow && with_outside(&following.workspace, |outside| goes_on(&replay.state, &found, outside));
            let files = files(&found);
            following.several |= files.len() > 1;
            following.show(&files)?;
            let Some(watch) = watch.as_ref().filter(|_| more) else { break };
            watch.wait(&files.iter().map(|file| log_path(&following.workspace, file)).collect::<Vec<_>>())?;
            replay.refresh()?;
        }
        following.finish()?;
        Ok(0)
    }
}

impl Following<'_> {
    /// Shows what is new in these logs.
    fn show(&mut self, files: &[LogFile]) -> Result<(), Failure> {
        // Read anew each time: a run may have brought new secrets.
        let mask = mask(&self.workspace)?;
        for file in files {
            let path = log_path(&self.workspace, file);
            if !self.readers.contains_key(&path) {
                let Some(reader) = LogReader::open(&path).map_err(Failure::file("read", &path))? else { continue };
                self.readers.insert(path.clone(), reader);
            }
            let Some(mut reader) = self.readers.remove(&path) else { continue };
            let read = reader.read(&|text| mask.apply(text), &mut |text| self.write(file, &path, text).map_err(std::io::Error::other));
            self.readers.insert(path.clone(), reader);
            read.map_err(|error| unwrap_failure(error, &path))?;
        }
        Ok(())
    }

    /// Shows last lines that have no end.
    fn finish(mut self) -> Result<(), Failure> {
        let mask = mask(&self.workspace)?;
        let mut rest = String::new();
        for (path, reader) in std::mem::take(&mut self.readers) {
            let take = &mut |text: &str| {
                rest.push_str(text);
                Ok(())
            };
            reader.finish(&|text| mask.apply(text), take).map_err(Failure::file("read", path))?;
        }
        if rest.is_empty() { Ok(()) } else { show(&rest) }
    }

    fn write(&mut self, file: &LogFile, path: &Path, text: &str) -> Result<(), Failure> {
        if self.context.json {
            let lines: Vec<String> = text.lines().map(|line| line_of(file, line)).collect();
            return show(&format!("{}\n", lines.join("\n")));
        }
        if self.several && self.last.as_deref() != Some(path) {
            let gap = if self.last.is_some() { "\n" } else { "" };
            let head = format!("==> {} (attempt {}) <==", file.owner, file.attempt);
            show(&format!("{gap}{}\n", self.context.out.paint(Tone::Bold, &head)))?;
            self.last = Some(path.to_owned());
        }
        show(text)
    }
}

/// A line for programs.
fn line_of(file: &LogFile, line: &str) -> String {
    serde_json::json!({ "place": file.owner.to_string(), "run": file.run.to_string(), "attempt": file.attempt, "line": line }).to_string()
}

/// A failure that went through an I/O error comes out as it was.
fn unwrap_failure(error: std::io::Error, path: &Path) -> Failure {
    match error.downcast::<Failure>() {
        Ok(failure) => failure,
        Err(error) => Failure::file("read", path)(error),
    }
}

/// Waits until something is written: to the journal, or to one of the logs.
struct Watch(rustix::fd::OwnedFd);

impl Watch {
    fn of(workspace: &Workspace) -> Result<Self, Failure> {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let watch = inotify::init(flags).map_err(|error| Failure::file("watch", workspace.folder())(error.into()))?;
        let watch = Self(watch);
        watch.add(&workspace.folder().join(crate::journal::read::FILE));
        Ok(watch)
    }

    /// A file that cannot be watched is looked at again after [`PATIENCE`].
    fn add(&self, path: &Path) {
        let _unwatched = inotify::add_watch(&self.0, path, inotify::WatchFlags::MODIFY);
    }

    fn wait(&self, paths: &[PathBuf]) -> Result<(), Failure> {
        for path in paths {
            self.add(path);
        }
        let failed = |error: rustix::io::Errno| Failure::file("watch", "the logs")(error.into());
        let patience = Timespec { tv_sec: 0, tv_nsec: i64::from(PATIENCE.subsec_nanos()) };
        let mut ready = [PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN)];
        match poll(&mut ready, Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed(error)),
        }
        // What happened does not matter, only that it did; all of it is taken.
        let mut events = [0; 4096];
        loop {
            match rustix::io::read(&self.0, &mut events) {
                Ok(0) | Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

//! A container's output, followed into a file.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::StreamExt as _;

use super::error::DockerError;
use super::fleet::{Fleet, nanoseconds, runs};
use super::log_mark::{LogMark, Skip};

const DOING: &str = "follow a container's output";
/// How many pieces are written at once, where so many are ready.
const PIECES: usize = 256;
/// Docker cuts longer lines of a terminal into pieces of this many bytes, each with its own time.
const TERMINAL_PIECE: usize = 16 * 1024;

impl Fleet {
    /// Follows stdout and stderr to the end of a file until the container ends, raw and as they come. The file is made where it is not there.
    ///
    /// It goes on where an earlier call for the same container and file was broken off, however that was: nothing is lost, nothing doubled
    /// (see `log_mark`; `x.at` stands beside the log `x`). Another container's output is written after what is there.
    ///
    /// # Errors
    /// [`DockerError::Answer`] or [`DockerError::Lost`] where the container engine hangs up before the container ends: call it again.
    pub async fn logs_to(&self, id: &str, log: &Path) -> Result<(), DockerError> {
        self.must_own(DOING, id).await?;
        loop {
            // Looked at before: what was said until then is in what is read after.
            let live = runs(&self.must_own(DOING, id).await?);
            let mut sink = Sink::open(id, log)?;
            let options = LogsOptions {
                follow: live,
                stdout: true,
                stderr: true,
                timestamps: true,
                since: sink.mark.since(),
                tail: "all".to_owned(),
                ..LogsOptions::default()
            };
            let said = self.engine.client.logs(id, Some(options));
            let mut said = std::pin::pin!(said.ready_chunks(PIECES));
            while let Some(pieces) = said.next().await {
                sink.write(pieces)?;
            }
            if !live {
                return Ok(());
            }
            // A container engine that dies hangs up as one does whose container has ended.
            if runs(&self.must_own(DOING, id).await?) {
                return Err(DockerError::Answer { doing: DOING, lacking: "the rest: the container engine hung up" });
            }
        }
    }
}

/// A log and its mark.
struct Sink {
    log: File,
    at: File,
    path: PathBuf,
    mark: LogMark,
    skips: [Skip; 2],
}

impl Sink {
    fn open(id: &str, path: &Path) -> Result<Self, DockerError> {
        let failed = |source| DockerError::File { doing: "open the log", path: path.to_owned(), source };
        let beside = path.with_file_name(format!("{}.at", path.file_name().unwrap_or_default().to_string_lossy()));
        let (log, mut at) = (open(path).map_err(failed)?, open(&beside).map_err(failed)?);
        let length = log.metadata().map_err(failed)?.len();
        let mark = match LogMark::read(&mut at).map_err(failed)? {
            Some(mark) if mark.container == id => {
                if mark.length < length {
                    log.set_len(mark.length).map_err(failed)?;
                }
                mark
            }
            _ => LogMark { container: id.to_owned(), length, ..LogMark::default() },
        };
        mark.write(&at).map_err(failed)?;
        let skips = mark.streams.map(Skip::new);
        Ok(Self { log, at, path: path.to_owned(), mark, skips })
    }

    fn write(&mut self, pieces: Vec<Result<LogOutput, bollard::errors::Error>>) -> Result<(), DockerError> {
        let mut text = Vec::new();
        let mut broken = None;
        for piece in pieces {
            match piece {
                Ok(piece) => self.take(&piece, &mut text)?,
                Err(error) => broken = Some(error),
            }
        }
        let failed = |source| DockerError::File { doing: "write the log", path: self.path.clone(), source };
        self.log.write_all_at(&text, self.mark.length).map_err(failed)?;
        self.mark.length += text.len() as u64;
        self.mark.write(&self.at).map_err(failed)?;
        broken.map_or(Ok(()), |error| Err(DockerError::of(DOING)(error)))
    }

    /// Takes a piece without its time, where it is new.
    fn take(&mut self, piece: &LogOutput, text: &mut Vec<u8>) -> Result<(), DockerError> {
        let (stream, terminal, bytes): (usize, bool, &[u8]) = match piece {
            LogOutput::StdErr { message } => (1, false, message),
            LogOutput::StdOut { message } | LogOutput::StdIn { message } => (0, false, message),
            LogOutput::Console { message } => (0, true, message),
        };
        let mut rest = Some(bytes);
        while let Some(bytes) = rest.take() {
            let (at, said) = split(bytes).ok_or(DockerError::Answer { doing: DOING, lacking: "a time" })?;
            let said = match said.split_at_checked(TERMINAL_PIECE) {
                Some((said, more)) if terminal && split(more).is_some() => {
                    rest = Some(more);
                    said
                }
                _ => said,
            };
            if self.skips[stream].is_new(at) {
                text.extend_from_slice(said);
                self.mark.streams[stream].wrote(at);
            }
        }
        Ok(())
    }
}

/// The time in front of a piece, and what was said.
fn split(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let end = bytes.iter().take(40).position(|byte| *byte == b' ')?;
    let at = nanoseconds(Some(str::from_utf8(&bytes[..end]).ok()?))?;
    Some((at, &bytes[end + 1..]))
}

#[expect(clippy::disallowed_methods, reason = "the log of a container is written here, as that of a process is by its own streams")]
fn open(path: &Path) -> std::io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make the files that they look at")]
mod tests {
    use super::*;

    fn console(text: &str) -> LogOutput {
        LogOutput::Console { message: text.to_owned().into() }
    }

    #[test]
    fn a_long_line_of_a_terminal_is_joined_without_the_times_inside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let long = "x".repeat(TERMINAL_PIECE);
        let mut sink = Sink::open("a", &path).unwrap();
        let time = "2026-01-02T03:04:05.000000006Z";
        sink.write(vec![Ok(console(&format!("{time} {long}{time} yz\n")))]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{long}yz\n"));
    }

    #[test]
    fn what_was_written_after_the_mark_is_cut_off_and_another_container_goes_on_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let line = |second: u32, said: &str| Ok(console(&format!("2026-01-02T03:04:{second:02}.000000000Z {said}\n")));
        Sink::open("a", &path).unwrap().write(vec![line(1, "one"), line(2, "two")]).unwrap();
        std::fs::write(&path, "one\ntwo\nthr").unwrap();
        Sink::open("a", &path).unwrap().write(vec![line(1, "one"), line(2, "two"), line(3, "three")]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
        Sink::open("b", &path).unwrap().write(vec![line(1, "other")]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\nother\n");
    }
}

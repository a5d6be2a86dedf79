//! Whether a suspect is still there, when somebody looks.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::adapters::process::identity::ProcessId;
use crate::kernel::suspect::Subject;

/// Whether it is still there, as far as this user can tell: what cannot be looked at is taken to be there.
pub fn is_there(subject: &Subject) -> bool {
    if let Some(process) = subject.process() {
        return ProcessId { pid: process.pid, start: process.start, boot: process.boot.clone(), unique: None }.alive();
    }
    let Some(path) = subject.path() else { return true };
    match subject {
        Subject::Crontab { lines, .. } if !lines.is_empty() => match fs::read_to_string(path) {
            // A line that is shortened or masked is not found again; then the file stands for it.
            Ok(text) => lines.iter().any(|line| is_altered(line) || text.lines().any(|other| other == line)),
            Err(error) => error.kind() != ErrorKind::NotFound,
        },
        Subject::DockerContext { name: Some(name), .. } if Path::new(path).is_file() => match fs::read_to_string(path) {
            Ok(text) => {
                serde_json::from_str::<serde_json::Value>(&text).map_or(true, |config| config["currentContext"].as_str() == Some(name))
            }
            Err(error) => error.kind() != ErrorKind::NotFound,
        },
        _ => !fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound),
    }
}

fn is_altered(line: &str) -> bool {
    line.ends_with('…') || line.contains("***")
}

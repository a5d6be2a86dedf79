//! The console blocks of the README are run, in order, in a workspace with the goals that the README shows; and say what is written there.
//!
//! Times, pids and the folder differ from run to run: both sides are compared with placeholders in their place. What takes long or needs more
//! than a shell is marked `<!-- captured: GOAL -->`; `captured.rs` looks at that.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use regex::Regex;
use tempfile::TempDir;

use super::Page;
use super::blocks::{Block, blocks};

/// Stands between the outputs of two commands.
const MARK: char = '\u{1}';

/// A command with what it says, as a page shows them.
pub(super) struct Step {
    pub(super) command: String,
    pub(super) output: String,
}

/// The commands of a console block.
pub(super) fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), output: String::new() });
        } else {
            let step = steps.last_mut().unwrap_or_else(|| panic!("line {}: a console block begins with `$ `", block.line));
            step.output.push_str(line);
            step.output.push('\n');
        }
    }
    steps
}

/// A shell in a workspace, with this build's `sculpt`.
pub(super) fn shell(dir: &Path, script: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_sculpt")).parent().unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", program.display());
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("exec 2>&1\n{script}")])
        .current_dir(dir)
        .env_clear()
        .envs([("PATH", path.as_str()), ("LC_ALL", "C.UTF-8"), ("USER", "ada"), ("HOME", "/nonexistent")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A workspace whose goals are taken down at the end, also where a test fails.
pub(super) struct Workspace(TempDir);

impl Workspace {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        shell(self.path(), "sculpt down --all");
    }
}

/// Runs commands in one shell, and gives the output of each.
fn run(dir: &Path, steps: &[Step]) -> Vec<String> {
    use std::fmt::Write as _;
    let mut script = String::new();
    for step in steps {
        // The mark leaves `$?` as the command before it did.
        writeln!(script, "status=$?; printf '\\001'; (exit $status)\n{}", step.command).unwrap();
    }
    shell(dir, &script).split(MARK).skip(1).map(str::to_owned).collect()
}

/// The text without what differs from run to run. Columns are as wide as the times in them, so gaps count as one space beside a time.
pub(super) fn settled(text: &str, dir: &Path) -> String {
    let time = Regex::new(r"\b(\d+m\d+s|\d+(\.\d+)?(ms|s))\b").unwrap();
    let pid = Regex::new(r"\bpid \d+").unwrap();
    let gap = Regex::new(" +").unwrap();
    let line = |line: &str| {
        let line = line.replace(dir.to_str().unwrap(), "/home/ada/project");
        let line = pid.replace_all(&line, "pid N").into_owned();
        if time.is_match(&line) { gap.replace_all(&time.replace_all(&line, "TIME"), " ").into_owned() } else { line }
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn the_readme_says_what_the_program_says() {
    let page = Page::read("README.md");
    let workspace = Workspace::new();
    let dir = &workspace.path().canonicalize().unwrap();
    fs::create_dir(dir.join("goals")).unwrap();
    for block in blocks(&page) {
        if let Some(file) = block.file() {
            let path = dir.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &block.text).unwrap();
        }
    }
    let mut count = 0;
    for block in blocks(&page).iter().filter(|block| block.language == "console" && block.marker.is_none()) {
        let steps = steps(block);
        for step in &steps {
            // A file that is shown is there.
            if let Some(file) = step.command.strip_prefix("cat ") {
                fs::write(dir.join(file), &step.output).unwrap();
            }
        }
        let said = run(dir, &steps);
        assert_eq!(said.len(), steps.len(), "{said:?}");
        for (step, said) in steps.iter().zip(said) {
            let (written, said) = (settled(&step.output, dir), settled(&said, dir));
            assert!(written == said, "README.md, `{}`, says:\n{written}\nand the program says:\n{said}", step.command);
            count += 1;
        }
    }
    let left = shell(dir, "sculpt down --all >/dev/null; sculpt ps");
    assert_eq!(left, "nothing lives: no resource is there, and no command is at work\n");
    assert!(count >= 6, "only {count} commands were found");
}

//! Reading logs: raw files, masked line by line before anybody sees them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Hides what nobody may see.
pub type Mask<'a> = dyn Fn(&str) -> String + 'a;

/// A line is cut here, so that a file without line ends needs no more memory than this, in bytes.
const LONGEST: usize = 1 << 20;

/// How far from the end a tail is looked for, in bytes.
const TAIL: u64 = 64 << 10;

/// A log that is read while it may still grow.
#[derive(Debug)]
pub struct LogReader {
    file: File,
    /// What was read of the last line, which has no end yet.
    rest: Vec<u8>,
}

impl LogReader {
    /// Opens a log at its beginning; none where it is not there (yet).
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        match File::open(path) {
            Ok(file) => Ok(Some(Self { file, rest: Vec::new() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the whole lines that are new, masked. They are given in parts of bounded size.
    pub fn read(&mut self, mask: &Mask<'_>, give: &mut dyn FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        let mut part = vec![0; 64 << 10];
        loop {
            let count = self.file.read(&mut part)?;
            if count == 0 {
                return Ok(());
            }
            self.rest.extend_from_slice(&part[..count]);
            // Only whole lines: half a secret would not be known as one.
            let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
            let cut = whole.or_else(|| (self.rest.len() > LONGEST).then_some(self.rest.len()));
            if let Some(cut) = cut {
                let lines: Vec<u8> = self.rest.drain(..cut).collect();
                give(&mask(&String::from_utf8_lossy(&lines)))?;
            }
        }
    }

    /// Gives the last line, which has no end, where there is one. Nothing more may be read after that.
    pub fn finish(self, mask: &Mask<'_>, give: &mut dyn FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        give(&format!("{}\n", mask(&String::from_utf8_lossy(&self.rest))))
    }
}

/// The last lines of a log, masked; none where there is no log.
pub fn tail(path: &Path, lines: usize, mask: &Mask<'_>) -> io::Result<Vec<String>> {
    let Some(mut reader) = LogReader::open(path)? else { return Ok(Vec::new()) };
    let length = reader.file.metadata()?.len();
    let from = length.saturating_sub(TAIL);
    reader.file.seek(SeekFrom::Start(from))?;
    let mut last: VecDeque<String> = VecDeque::new();
    let mut cut = from > 0;
    let mut keep = |text: &str| {
        // The first line was cut in its middle.
        for line in text.lines().skip(usize::from(std::mem::take(&mut cut))) {
            if last.len() == lines {
                last.pop_front();
            }
            last.push_back(printable(line));
        }
        Ok(())
    };
    reader.read(mask, &mut keep)?;
    reader.finish(mask, &mut keep)?;
    Ok(last.into())
}

/// A line without what would move the cursor or change colours: the last state of what a progress bar wrote over itself.
fn printable(line: &str) -> String {
    let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                if chars.next() == Some('[') {
                    for c in chars.by_ref() {
                        if ('@'..='~').contains(&c) {
                            break;
                        }
                    }
                }
            }
            '\t' => text.push(c),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_tail_is_masked_and_harmless() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let filler = "x".repeat(100);
        for n in 0..2000 {
            writeln!(file, "{n} {filler}").expect("written");
        }
        write!(file, "10%\r100%\n\u{1b}[31mred\u{1b}[0m\npassword hunter2\nno end").expect("written");
        let mask = |text: &str| text.replace("hunter2", "***");
        let lines = tail(file.path(), 4, &mask).expect("read");
        assert_eq!(lines, ["100%", "red", "password ***", "no end"]);
        assert_eq!(tail(file.path(), 5, &mask).expect("read")[0], format!("1999 {filler}"));
        assert_eq!(tail(Path::new("/nonexistent"), 4, &mask).expect("none"), Vec::<String>::new());
    }

    #[test]
    fn a_secret_is_masked_although_it_arrives_in_two_parts() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let mut reader = LogReader::open(file.path()).expect("opened").expect("there");
        let mut shown = String::new();
        let mut give = |text: &str| {
            shown.push_str(text);
            Ok(())
        };
        let mask = |text: &str| text.replace("hunter2", "***");
        for part in ["one\nhun", "ter2 two\nthree"] {
            file.write_all(part.as_bytes()).expect("written");
            reader.read(&mask, &mut give).expect("read");
        }
        reader.finish(&mask, &mut give).expect("read");
        assert_eq!(shown, "one\n*** two\nthree\n");
    }
}

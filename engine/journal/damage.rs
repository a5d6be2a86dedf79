//! What is wrong with a journal, and what that means: which records can no longer be believed, and of which goals and runs they tell.
//!
//! | where | means |
//! |---|---|
//! | in a sealed segment that a snapshot covers | the state is whole: only the record of what happened is not |
//! | behind the newest snapshot that is intact | an engine cannot know what happened after it |

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::chain::{Break, Chain, Frame, MAX_LINE};
use super::error::{Broken, ReadError};
use super::follow::{begin, newest};
use super::head::Head;
use super::retain::beginning;
use super::scan::{Scan, ScanError, Step};
use super::segment::{self, ACTIVE, Numbered};
use super::verify::verify;
use super::walk::{BUFFER, Walk};
use crate::base::time::Timestamp;
use crate::kernel::action::EffectId;
use crate::kernel::record::Record;

/// A broken place, and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The place.
    pub broken: Broken,
    /// The file, from the workspace's folder.
    pub file: String,
    /// The number of the file's first line.
    pub begins: u64,
    /// The record that should stand there.
    pub seq: u64,
    /// The first line that goes when it is set aside: a sealed segment goes whole.
    pub first: u64,
    /// The last line that is gone, and its hash, where what comes behind says so.
    pub end: Option<Head>,
    /// Whether a snapshot stands for it: then the state is whole.
    pub covered: bool,
    /// How many bytes of the file are intact.
    pub intact: u64,
    /// The chain up to there.
    pub chain: Chain,
    /// What can be read behind the break, in this file and, where nothing stands for it, in all later ones.
    pub behind: Vec<Line>,
}

/// A line behind a break. Nothing of it is proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The file, from the workspace's folder.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
    /// The number that it gives itself.
    pub seq: Option<u64>,
    /// When it says that it was written.
    pub at: Option<Timestamp>,
    /// What it says that happened; none where it cannot be read.
    pub event: Option<&'static str>,
    /// The run or the place that it is about, where it is about one.
    pub about: Option<String>,
    /// Whether its own hash is right: then it is as it was written, and only its place in the chain is in doubt.
    pub whole: bool,
}

/// Looks for damage in the journal of a workspace's folder; none is found in one that is whole.
///
/// # Errors
/// Where there is no journal, or it cannot be read at all.
pub fn survey(dir: &Path) -> Result<Vec<Damage>, ReadError> {
    if let Err(ReadError::Broken(broken)) = Head::read(dir) {
        return Ok(vec![Damage::of_the_head(broken)]);
    }
    let snapshot = match newest(dir) {
        Ok((snapshot, _)) => snapshot,
        // Nothing stands for the beginning. What is there is looked at all the same.
        Err(ReadError::Pruned { .. }) => None,
        Err(ReadError::Broken(broken)) => return Ok(vec![Damage::of_the_head(broken)]),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    if let Some(snapshot) = &snapshot {
        found.extend(covered(dir, snapshot.last)?);
    }
    let mut about: HashMap<EffectId, String> = HashMap::new();
    let (from, state, _) = begin(snapshot);
    about.extend(state.effects.into_iter().map(|(id, open)| (id, open.owner.to_string())));
    let mut walk = Walk::open(dir, from)?;
    loop {
        match walk.step() {
            Ok(Step::Record) => {
                if let Ok(Record::Requested { id, owner, .. }) = serde_json::from_slice(walk.frame().rec) {
                    about.insert(id, owner.to_string());
                }
            }
            Ok(Step::Header) => {}
            Ok(Step::End | Step::Torn(_)) => break,
            Err(ReadError::Broken(broken)) => {
                let first = walk.first();
                let files = files_from(dir, first)?;
                let behind = behind(dir, &files, broken.line, &mut about)?;
                let file = broken.segment.map_or_else(|| ACTIVE.to_owned(), segment::name);
                let (seq, chain) = (walk.chain().next(), walk.chain());
                found.push(Damage {
                    broken,
                    file,
                    begins: first,
                    seq,
                    first: seq,
                    end: None,
                    covered: false,
                    intact: walk.offset(),
                    chain,
                    behind,
                });
                break;
            }
            Err(error) => return Err(error),
        }
    }
    if found.is_empty()
        && let Err(ReadError::Broken(broken)) = verify(dir)
    {
        found.extend(Damage::of_a_gap(dir, broken)?);
    }
    Ok(found)
}

impl Damage {
    /// The head file is damaged, and nothing of the journal.
    fn of_the_head(broken: Broken) -> Self {
        let file = super::head::FILE.to_owned();
        Self { broken, file, begins: 0, seq: 0, first: 0, end: None, covered: true, intact: 0, chain: Chain::START, behind: Vec::new() }
    }

    /// Segments are gone.
    fn of_a_gap(dir: &Path, broken: Broken) -> Result<Option<Self>, ReadError> {
        let Break::Gap { first, last } = broken.what else { return Ok(None) };
        let path = files_from(dir, last + 1)?.into_iter().next().map_or_else(|| dir.join(ACTIVE), |one| one.path);
        let end = beginning(&path).map_err(ReadError::io(&path))?.map(|(end, _)| end);
        let file = segment::name(first);
        Ok(Some(Self {
            broken,
            file,
            begins: first,
            seq: first,
            first,
            end,
            covered: true,
            intact: 0,
            chain: Chain::START,
            behind: Vec::new(),
        }))
    }

    /// How many lines behind the break are about each run or place, in the order in which they come; the last is what cannot be read.
    pub fn affected(&self) -> Vec<(Option<&str>, usize)> {
        let mut counts: indexmap::IndexMap<Option<&str>, usize> = indexmap::IndexMap::new();
        for line in &self.behind {
            *counts.entry(line.about.as_deref()).or_default() += 1;
        }
        let rest = counts.shift_remove(&None);
        counts.into_iter().chain(rest.map(|count| (None, count))).collect()
    }
}

/// The damage in the sealed segments that a snapshot covers, each looked at by itself.
fn covered(dir: &Path, last: Head) -> Result<Vec<Damage>, ReadError> {
    let sealed = segment::sealed(dir).map_err(ReadError::io(dir))?;
    let mut found = Vec::new();
    for (index, one) in sealed.iter().enumerate().filter(|(_, one)| one.seq <= last.seq) {
        let next = sealed.get(index + 1).map_or_else(|| dir.join(ACTIVE), |next| next.path.clone());
        let end = beginning(&next).map_err(ReadError::io(&next))?.map(|(end, _)| end);
        let file = File::open(&one.path).map_err(ReadError::io(&one.path))?;
        let mut input = BufReader::with_capacity(BUFFER, file);
        let before = Chain::before(input.fill_buf().map_err(ReadError::io(&one.path))?);
        // The file's name says where it begins; of what its first line continues, the segment before it has the last word.
        let chain = before.filter(|chain| chain.next() == one.seq).unwrap_or(Chain::START);
        let mut scan = Scan::new(input, chain, true, None);
        let broken = loop {
            match scan.step() {
                Ok(Step::Header | Step::Record) => {}
                Ok(Step::Torn(_)) => break Some(scan.broken(Break::Unfinished)),
                Ok(Step::End) => {
                    let reached = scan.chain().last();
                    let goes_on = end.is_none_or(|end| {
                        reached == Some(end) || reached.is_some_and(|reached| reached.seq < end.seq && is_gap(&sealed, reached))
                    });
                    break (!goes_on).then(|| scan.broken(Break::NotContinued { last: scan.chain().next().saturating_sub(1) }));
                }
                Err(ScanError::Broken(broken)) => break Some(Broken { segment: Some(one.seq), ..broken }),
                Err(ScanError::Io(error)) => return Err(ReadError::io(&one.path)(error)),
            }
        };
        if let Some(broken) = broken {
            let (seq, chain, intact) = (scan.chain().next(), scan.chain(), scan.offset());
            let behind = behind(dir, std::slice::from_ref(one), broken.line, &mut HashMap::new())?;
            found.push(Damage {
                broken,
                file: segment::name(one.seq),
                begins: one.seq,
                seq,
                first: one.seq,
                end,
                covered: true,
                intact,
                chain,
                behind,
            });
        }
    }
    Ok(found)
}

/// Whether no segment begins behind this line: then segments are missing there, and this one is not the one that is damaged.
fn is_gap(sealed: &[Numbered], last: Head) -> bool {
    !sealed.iter().any(|one| one.seq == last.seq + 1)
}

/// The segment with this first line, and all later ones, the active one last.
fn files_from(dir: &Path, first: u64) -> Result<Vec<Numbered>, ReadError> {
    let mut files: Vec<Numbered> = segment::sealed(dir).map_err(ReadError::io(dir))?.into_iter().filter(|one| one.seq >= first).collect();
    let path = dir.join(ACTIVE);
    if path.exists() {
        files.push(Numbered { seq: u64::MAX, path });
    }
    Ok(files)
}

/// What can be read from a line of the first of these files on.
fn behind(dir: &Path, files: &[Numbered], from: u64, about: &mut HashMap<EffectId, String>) -> Result<Vec<Line>, ReadError> {
    let mut found = Vec::new();
    let mut from = from;
    for one in files {
        let name = one.path.strip_prefix(dir).unwrap_or(&one.path).display().to_string();
        let lines = lines(&one.path, from).map_err(ReadError::io(&one.path))?;
        found.extend((from..).zip(lines).map(|(line, text)| read(&name, line, &text, about)));
        from = 1;
    }
    Ok(found)
}

/// The lines of a file from one on.
fn lines(path: &PathBuf, from: u64) -> io::Result<Vec<Vec<u8>>> {
    let mut input = BufReader::with_capacity(BUFFER, File::open(path)?);
    let mut lines = Vec::new();
    for number in 1.. {
        let mut line = Vec::new();
        if input.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if number >= from {
            lines.push(line);
        }
    }
    Ok(lines)
}

fn read(file: &str, line: u64, text: &[u8], about: &mut HashMap<EffectId, String>) -> Line {
    let mut found = Line { file: file.to_owned(), line, seq: None, at: None, event: None, about: None, whole: false };
    let Some((frame, whole)) = Frame::salvage(text) else { return found };
    (found.seq, found.at, found.whole) = (Some(frame.seq), Some(frame.at), whole);
    let Ok(record) = serde_json::from_slice::<Record>(frame.rec) else { return found };
    found.event = Some(record.event());
    found.about = match &record {
        Record::Requested { id, owner, .. } => {
            about.insert(*id, owner.to_string());
            Some(owner.to_string())
        }
        Record::Observed { id, .. } => about.get(id).cloned(),
        Record::ResourceReady { owner, .. }
        | Record::ResourceUnhealthy { owner, .. }
        | Record::Suspected { owner, .. }
        | Record::SuspectAdopted { owner, .. }
        | Record::ResourceGone { owner, .. }
        | Record::Told { owner, .. }
        | Record::Restarting { owner, .. }
        | Record::NotRestarted { owner, .. }
        | Record::Collected { owner, .. }
        | Record::Leaked { owner, .. } => Some(owner.to_string()),
        Record::DownStarted { goal, .. } | Record::DownEnded { goal, .. } => Some(goal.to_string()),
        other => other.run().map(ToString::to_string),
    };
    found
}

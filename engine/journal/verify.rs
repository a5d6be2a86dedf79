//! `sculpt audit verify`: is every byte of the journal as it was written?

use std::path::Path;

use serde::Deserialize;

use super::chain::{Break, Frame};
use super::error::{Broken, ReadError};
use super::head::Head;
use super::scan::{Step, Torn};
use super::walk::{From, Walk};
use crate::base::digest::Digest;

/// A journal whose chain is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The workspace that the journal names.
    pub workspace: String,
    /// How many records are there, headers not counted.
    pub records: u64,
    /// In how many segments they are.
    pub segments: u64,
    /// The hash of the last line: whoever notes it elsewhere can prove later that nothing before it changed.
    pub head: Digest,
    /// Lines that are not there, as the journal itself says.
    pub gone: Vec<Gone>,
    /// A last line without an end: a write that is being made just now, or one that a dead engine did not finish. Not part of the chain.
    pub torn: Option<Torn>,
}

/// Lines that were taken away, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// Why.
    pub why: Taken,
}

/// Why lines were taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// Retention no longer keeps them.
    Pruned,
    /// They were damaged.
    Quarantined,
}

/// What a record says was taken away.
#[derive(Deserialize)]
struct Claim {
    event: Taken,
    first: u64,
    last: u64,
    hash: String,
}

/// Lines that are not there.
struct Hole {
    first: u64,
    /// The last of them, as the line behind it has it.
    end: Head,
    /// The place behind it.
    place: Broken,
}

/// Walks the whole journal of a workspace's folder, without the lock. The first broken place is an error that names it.
///
/// Where lines are not there, a later record must say so, with the hash of the last of them.
pub fn verify(dir: &Path) -> Result<Verified, ReadError> {
    let mut walk = Walk::open(dir, From::Oldest)?;
    let mut verified = Verified { workspace: String::new(), records: 0, segments: 0, head: Digest::NONE, gone: Vec::new(), torn: None };
    let (mut holes, mut claims) = (Vec::new(), Vec::new());
    holes.extend(hole(&walk, 0));
    loop {
        match walk.step() {
            Ok(Step::Header) => verified.segments += 1,
            Ok(Step::Record) => {
                verified.records += 1;
                claims.extend(claim(&walk.frame()));
            }
            Ok(Step::End) => break,
            Ok(Step::Torn(torn)) => {
                verified.torn = Some(torn);
                break;
            }
            Err(ReadError::Broken(Broken { what: Break::Gap { first, last }, .. })) => {
                walk = Walk::open(dir, From::Segment(last + 1))?;
                holes.extend(hole(&walk, first));
            }
            Err(error) => return Err(error),
        }
    }
    let header = walk.header().ok_or_else(|| walk.broken(Break::NoHeader))?;
    verified.workspace.clone_from(&header.workspace);
    verified.head = walk.chain().head();
    for Hole { first, end, place } in holes {
        match explained(&claims, first, end) {
            Some(gone) => verified.gone.extend(gone),
            None => return Err(Broken { what: Break::Gap { first, last: end.seq }, ..place }.into()),
        }
    }
    Ok(verified)
}

/// What the records say of a hole: one of them names its last line with its hash, and those before it follow without a gap.
fn explained(claims: &[Claim], first: u64, end: Head) -> Option<Vec<Gone>> {
    let mut claim = claims.iter().find(|claim| claim.last == end.seq && claim.hash == end.hash.to_string())?;
    let mut gone = vec![Gone { first: claim.first.max(first), last: end.seq, why: claim.event }];
    // What was pruned is the beginning: the record of an earlier pruning may have gone with it.
    while claim.first > first && !(first == 0 && claim.event == Taken::Pruned) {
        let last = claim.first - 1;
        claim = claims.iter().find(|claim| claim.first <= last && claim.last >= last)?;
        gone.push(Gone { first: claim.first.max(first), last, why: claim.event });
    }
    if claim.event == Taken::Pruned
        && let Some(begin) = gone.last_mut()
    {
        begin.first = first;
    }
    gone.reverse();
    Some(gone)
}

/// What is not there before the beginning of a walk.
fn hole(walk: &Walk, first: u64) -> Option<Hole> {
    let end = walk.chain().last().filter(|end| end.seq >= first)?;
    Some(Hole { first, end, place: walk.broken(Break::NoHeader) })
}

/// What the record of a line says was taken away.
fn claim(frame: &Frame<'_>) -> Option<Claim> {
    let says = [&b"{\"event\":\"pruned\""[..], b"{\"event\":\"quarantined\""].iter().any(|event| frame.rec.starts_with(event));
    if says { serde_json::from_slice(frame.rec).ok() } else { None }
}

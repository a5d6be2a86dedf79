//! `sculpt audit verify`: is every byte of the journal as it was written?

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::path::Path;

use super::chain::Break;
use super::error::ReadError;
use super::head::Head;
use super::read::{BUFFER, FILE};
use super::scan::{Scan, ScanError, Step, Torn};
use crate::base::digest::Digest;

/// A journal whose chain is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The workspace that the journal names.
    pub workspace: String,
    /// How many records it holds, the header not counted.
    pub records: u64,
    /// The hash of the last line: whoever notes it elsewhere can prove later that nothing before it changed.
    pub head: Digest,
    /// A last line without an end: a write that is being made just now, or one that a dead engine did not finish. Not part of the chain.
    pub torn: Option<Torn>,
}

/// Walks the journal of a workspace's folder, without the lock. The first broken place is an error that names it.
pub fn verify(dir: &Path) -> Result<Verified, ReadError> {
    let path = dir.join(FILE);
    let known = Head::read(dir)?;
    let file = File::open(&path).map_err(ReadError::io(&path))?;
    walk(BufReader::with_capacity(BUFFER, file), known).map_err(ReadError::scan(&path))
}

fn walk(input: impl BufRead + Seek, known: Option<Head>) -> Result<Verified, ScanError> {
    let mut scan = Scan::new(input, known);
    let torn = loop {
        match scan.step()? {
            Step::Frame(_) => {}
            Step::End => break None,
            Step::Torn(torn) => break Some(torn),
        }
    };
    let chain = scan.chain();
    let header = scan.header().ok_or_else(|| ScanError::Broken(scan.broken(Break::NoHeader)))?;
    Ok(Verified { workspace: header.workspace.clone(), records: chain.next() - 1, head: chain.head(), torn })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::base::time::Timestamp;
    use crate::journal::chain::{Chain, Header};
    use crate::journal::error::Broken;

    /// A small journal and the head file that belongs to it.
    fn journal(records: &[String]) -> (Vec<u8>, Head) {
        let mut chain = Chain::START;
        let mut lines = Vec::new();
        chain.push(Timestamp(1), &Header { version: 1, workspace: "w".into() }, &mut lines).unwrap();
        for (at, record) in (2..).zip(records) {
            chain.push(Timestamp(at), record, &mut lines).unwrap();
        }
        (lines, Head { seq: chain.next() - 1, hash: chain.head() })
    }

    fn check(bytes: &[u8], known: Option<Head>) -> Result<Verified, Broken> {
        walk(Cursor::new(bytes), known).map_err(|error| match error {
            ScanError::Broken(broken) => broken,
            ScanError::Io(error) => panic!("a slice can always be read: {error}"),
        })
    }

    fn words(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("record {i} \u{e9}\n")).collect()
    }

    #[test]
    fn every_flipped_bit_is_found_at_its_line() {
        let (bytes, head) = journal(&words(4));
        let whole = check(&bytes, Some(head)).unwrap();
        assert_eq!((whole.records, whole.torn, whole.head), (4, None, head.hash));
        let mut line = 1;
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut altered = bytes.clone();
                altered[at] ^= 1 << bit;
                // With the head file, and also without it: a lost line feed at the very end is then a torn line, which is said.
                let broken = check(&altered, Some(head)).expect_err("a bit was flipped");
                assert_eq!(broken.line, line, "byte {at} bit {bit}: {broken}");
                assert!(check(&altered, None).map_or(true, |verified| verified.torn.is_some()), "byte {at} bit {bit}");
            }
            line += u64::from(bytes[at] == b'\n');
        }
    }

    #[test]
    fn removed_repeated_swapped_and_replaced_lines_are_named() {
        let (bytes, head) = journal(&words(4));
        let (other, _) = journal(&["record 0".into(), "another".into(), "x".into(), "y".into()]);
        let split = |bytes: &[u8]| bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (lines, other) = (split(&bytes), split(&other));
        let found = |edit: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut lines = lines.clone();
            edit(&mut lines);
            check(&lines.concat(), Some(head)).unwrap_err()
        };
        let broken = |line, what| Broken { line, what };
        assert_eq!(found(&|l| drop(l.remove(2))), broken(3, Break::Missing { expected: 2, found: 3 }));
        assert_eq!(found(&|l| l.insert(2, l[1].clone())), broken(3, Break::Repeated { expected: 2, found: 1 }));
        assert_eq!(found(&|l| l.swap(2, 3)), broken(3, Break::Missing { expected: 2, found: 3 }));
        assert_eq!(found(&|l| l[3].clone_from(&other[3])), broken(4, Break::Foreign));
        assert_eq!(found(&|l| drop(l.remove(0))), broken(1, Break::Missing { expected: 0, found: 1 }));
        assert_eq!(found(&|l| l[2].insert(0, b' ')), broken(3, Break::Altered));
        assert_eq!(found(&|l| l.insert(2, b"\n".to_vec())), broken(3, Break::Malformed));
        assert_eq!(found(&|l| drop(l.pop())), broken(5, Break::Cut { known: 4 }));
        assert_eq!(found(&|l| l.clear()), broken(1, Break::Cut { known: 4 }));
        assert_eq!(
            found(&|l| l.truncate(4)).to_string(),
            "line 5 of the journal is broken: the journal ends here, but record 4 had been written to disk: its end was cut off"
        );
    }

    #[test]
    fn a_chain_that_was_written_anew_is_not_the_one_that_was_on_disk() {
        let (_, head) = journal(&words(4));
        let (forged, _) = journal(&["a".into(), "b".into(), "c".into(), "d".into()]);
        assert!(check(&forged, None).is_ok(), "a chain alone cannot know");
        assert_eq!(check(&forged, Some(head)), Err(Broken { line: 5, what: Break::NotTheHead }));
    }

    #[test]
    fn a_journal_needs_a_header_of_this_version() {
        let first = |record: &serde_json::Value| {
            let mut lines = Vec::new();
            Chain::START.clone().push(Timestamp(1), record, &mut lines).unwrap();
            check(&lines, None).unwrap_err().what
        };
        assert_eq!(first(&serde_json::json!({"version": 2, "anything": "else"})), Break::Version { found: 2 });
        assert_eq!(first(&serde_json::json!({"workspace": "w"})), Break::NoHeader);
        assert_eq!(first(&serde_json::json!({"version": 1})), Break::NoHeader);
        assert_eq!(check(b"", None).unwrap_err().what, Break::NoHeader);
        assert_eq!(check(b"{\"seq\"", None).unwrap_err().what, Break::NoHeader);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_journal_cut_anywhere_is_its_whole_lines_and_a_torn_rest(records in prop::collection::vec(".{0,20}", 0..5)) {
            let (bytes, head) = journal(&records);
            for cut in 1..bytes.len() {
                let ends = bytes[..cut].split_inclusive(|b| *b == b'\n').filter(|line| line.ends_with(b"\n")).count() as u64;
                let rest = bytes[..cut].iter().rev().take_while(|b| **b != b'\n').count() as u64;
                let torn = (rest > 0).then_some(Torn { line: ends + 1, bytes: rest });
                let seen = check(&bytes[..cut], None);
                match ends {
                    0 => prop_assert_eq!(seen.unwrap_err().what, Break::NoHeader),
                    ends => {
                        let seen = seen.unwrap();
                        prop_assert_eq!((seen.records, seen.torn), (ends - 1, torn));
                    }
                }
                prop_assert_eq!(check(&bytes[..cut], Some(head)).unwrap_err().what, Break::Cut { known: head.seq });
            }
        }

        #[test]
        fn no_bytes_make_it_panic_or_pass(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(check(&bytes, None).is_err());
        }
    }
}

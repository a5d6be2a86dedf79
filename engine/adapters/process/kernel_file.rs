//! Files that the kernel writes when they are read.
//!
//! Such a file says no size. The usual way asks for it in vain, and then reads in steps that begin at 32 bytes: ten calls for what two give.

use std::fs::File;
use std::io::{self, Read as _};

/// Room for what nearly all of them say, in bytes; what is longer is read on.
const ROOM: usize = 4096;

/// All that such a file says now.
pub(super) fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut said = Vec::with_capacity(ROOM);
    // A file that is read through a bound is not asked for its size.
    File::open(path)?.take(u64::MAX).read_to_end(&mut said)?;
    Ok(said)
}

/// The same as text.
pub(super) fn read_text(path: &str) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_than_the_room_is_read_whole() {
        // Some twenty lines for each mapping, the last of which is named so.
        let smaps = read_text("/proc/self/smaps").expect("Linux has it");
        assert!(smaps.len() > 2 * ROOM, "{smaps}");
        assert!(smaps.lines().next_back().is_some_and(|line| line.starts_with("VmFlags:")), "{smaps}");
        assert_eq!(read("/proc/self/comm").expect("Linux has it"), std::fs::read("/proc/self/comm").expect("Linux has it"));
    }
}

//! The texts in which the kernel tells of memory.

use crate::kernel::pressure::Psi;

/// A field of `/proc/meminfo`, in bytes.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kilobytes: u64 = value.split_whitespace().next()?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The last 10 s of `/proc/pressure/memory`, or of a group's `memory.pressure`.
pub(super) fn psi(text: &str) -> Option<Psi> {
    let share = |who: &str| {
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(who))?;
        hundredths(line.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?)
    };
    Some(Psi { some: share("some")?, full: share("full")? })
}

/// `1.50` is 150. The kernel writes two places.
fn hundredths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.')?;
    let (whole, part): (u16, u16) = (whole.parse().ok()?, part.get(..2)?.parse().ok()?);
    whole.checked_mul(100)?.checked_add(part)
}

/// A number in a file that has only this; none for `max`.
pub(super) fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// A field of a group's `memory.stat`, in bytes.
pub(super) fn stat(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let text = "MemTotal:        8149652 kB\nMemFree:          120 kB\nMemAvailable:    6263376 kB\n";
        assert_eq!(field(text, "MemTotal"), Some(8_149_652 * 1024));
        assert_eq!(field(text, "MemAvailable"), Some(6_263_376 * 1024));
        assert_eq!(field(text, "Mem"), None);
        let text = "some avg10=12.34 avg60=0.00 avg300=0.00 total=7\nfull avg10=99.07 avg60=0.00 avg300=0.00 total=4\n";
        assert_eq!(psi(text), Some(Psi { some: 12_34, full: 99_07 }));
        assert_eq!(psi("some avg10=0.05 avg60=0.00 avg300=0.00 total=7\n"), None, "a part is not the whole");
        assert_eq!((number("max\n"), number("4096\n")), (None, Some(4096)));
        assert_eq!(stat("anon 1\ninactive_file 77\ntotal_inactive_file 78\n", "inactive_file"), Some(77));
    }
}

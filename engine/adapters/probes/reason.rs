//! Why a look does not pass. What it says about the subject follows from the reason alone, in one table.

use std::fmt;

use crate::kernel::answer::{Answer, Said};
use crate::kernel::fault::Fault;

/// Why a look does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Nothing listens there.
    Refused,
    /// The connection was closed before a whole answer came.
    Closed,
    /// What came back is not HTTP.
    NotHttp,
    /// The HTTP status or a header is another one.
    Head,
    /// What came back over a connection is not what was expected.
    Content,
    /// A file is not there.
    Missing,
    /// A file is there and should not be, is of another kind, is too small, or does not hold what was expected.
    File,
    /// No answer within the check's timeout.
    Timeout,
    /// The host's name has no address.
    Dns,
    /// There is no way to the host.
    Unreachable,
    /// No TLS connection came about.
    Tls,
    /// The engine's user may not look.
    Permission,
    /// There is more content than is looked through, and what was expected is not in what was.
    TooLarge,
    /// The check itself makes no sense: a bad URL, pattern or path.
    Invalid,
    /// The machine failed in another way.
    Io,
}

impl Reason {
    /// What it says about the subject (nothing, where the checker itself could not look), and the fault it points to.
    const fn says(self) -> (Said, Fault) {
        match self {
            Self::Refused => (Said::Fail, Fault::ConnectionRefused),
            Self::Closed | Self::NotHttp | Self::Head | Self::Content => (Said::Fail, Fault::WrongAnswer),
            Self::Missing => (Said::Fail, Fault::MissingFile),
            Self::File => (Said::Fail, Fault::CheckFailed),
            Self::Timeout => (Said::Unknown, Fault::TimedOut),
            Self::Dns => (Said::Unknown, Fault::Dns),
            Self::Tls => (Said::Unknown, Fault::Tls),
            Self::Permission => (Said::Unknown, Fault::Permission),
            Self::TooLarge | Self::Invalid => (Said::Unknown, Fault::CheckerBroken),
            Self::Unreachable | Self::Io => (Said::Unknown, Fault::System),
        }
    }
}

/// An answer that is not a pass, on its way out of a look.
#[derive(Debug)]
pub(super) struct Miss {
    pub(super) reason: Reason,
    /// One short line for people. Content of the subject appears in it cut short.
    pub(super) evidence: String,
}

impl Miss {
    pub(super) fn new(reason: Reason, evidence: impl Into<String>) -> Self {
        Self { reason, evidence: evidence.into() }
    }
}

/// The answer of a look: evidence of what is so, or the miss.
pub(super) fn answer(found: Result<String, Miss>) -> Answer {
    match found {
        Ok(evidence) => Answer::pass(evidence),
        Err(Miss { reason, evidence }) => {
            let (said, fault) = reason.says();
            Answer { said, evidence, fault: Some(fault) }
        }
    }
}

/// A text of the subject, in one line and cut short for evidence.
pub(super) struct Short<'a>(pub(super) &'a str);

impl Short<'_> {
    const CHARS: usize = 80;
}

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        let shown = chars.by_ref().take(Self::CHARS).map(|c| if c.is_control() { ' ' } else { c });
        write!(f, "`{}", shown.collect::<String>())?;
        f.write_str(if chars.next().is_some() { "…`" } else { "`" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_short_and_one_line() {
        assert_eq!(Short("a\nb").to_string(), "`a b`");
        assert_eq!(Short(&"é".repeat(81)).to_string(), format!("`{}…`", "é".repeat(80)));
    }
}

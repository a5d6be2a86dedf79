//! Parts of the suite that need more than an ordinary machine gives.

/// Whether this part can run as it needs root. Where it cannot, that is said loudly, and is a failure where `SCULPT_CI=1`.
pub(crate) fn require_root(part: &str) -> bool {
    require(part, "root", rustix::process::geteuid().is_root())
}

/// Whether this part can run, given whether what it needs is there.
pub(crate) fn require(part: &str, need: &str, there: bool) -> bool {
    let strict = std::env::var_os("SCULPT_CI").is_some_and(|value| value == "1");
    assert!(there || !strict, "{part} needs {need}, and SCULPT_CI=1 allows no skipped part");
    if !there {
        eprintln!("SKIPPED: {part} needs {need}");
    }
    there
}

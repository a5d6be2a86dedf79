//! The commands of the contract: what a shell makes of them on a host, said for the world that has none.

use opensculpt::adapters::rehearsal::cast::{Cast, Performance, Role};
use opensculpt::base::owner::Owner;
use opensculpt::base::time::Span;
use opensculpt::kernel::action::Exit;
use opensculpt::ports::job::Command;

pub(super) const FAILS: &str = "exit 3";
pub(super) const KILLS_ITSELF: &str = "kill -9 $$";
pub(super) const STAYS: &str = "exec sleep 600";
/// It opens `ignores` once it does: a pipe, for whoever waits for that.
pub(super) const IGNORES: &str = "trap '' TERM INT; : > ignores; sleep 600; sleep 600";
pub(super) const LEAVES: &str = "sleep 600 & sleep 600 & exit 0";
pub(super) const STAYS_WITH_CHILDREN: &str = "sleep 600 & sleep 600 & wait; sleep 600";
pub(super) const WRITES: &str = "echo content > made";
pub(super) const TELLS: &str = "echo answer=42 >> \"$SCULPT_OUTPUT\"";
pub(super) const SAYS: &str = "echo three rows";
pub(super) const NO_SUCH: &str = "/no/such/program";
pub(super) const ENDS_SOON: &str = "sleep 0.2; exit 5";

/// What each does.
pub(super) struct Scripts;

impl Cast for Scripts {
    fn perform(&self, _: &Owner, _: Role, command: &Command) -> Performance {
        let ends = |code| Performance::ending(Span(20), code);
        let script = command.argv.last().unwrap().as_str();
        match script {
            FAILS => ends(3),
            KILLS_ITSELF => Performance { exit: Exit::Signal(9), ..ends(0) },
            STAYS => Performance::staying(),
            IGNORES => Performance { obeys: false, ..Performance::staying() },
            LEAVES => Performance { leaves: 2, ..ends(0) },
            STAYS_WITH_CHILDREN => Performance { leaves: 2, ..Performance::staying() },
            WRITES => Performance { makes: vec![command.cwd.join("made")], ..ends(0) },
            TELLS => Performance { outputs: [("answer".into(), "42".to_owned())].into(), ..ends(0) },
            SAYS => Performance { says: Some("three rows\n".to_owned()), ..ends(0) },
            NO_SUCH => Performance { absent: true, ..ends(127) },
            ENDS_SOON => Performance::ending(Span(200), 5),
            other => match other.strip_prefix("exit ").and_then(|code| code.parse().ok()) {
                Some(code) => ends(code),
                None => panic!("nobody has said what `{other}` does"),
            },
        }
    }
}

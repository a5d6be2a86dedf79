//! `sculpt completions SHELL`.

use clap::Args;
use clap_complete::Shell;

use super::sculpt::command;
use crate::interface::failure::Failure;
use crate::interface::terminal::show;

/// Prints the completions of a shell.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn carry_out(self) -> Result<u8, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "sculpt", &mut script);
        show(&String::from_utf8_lossy(&script))?;
        Ok(0)
    }
}

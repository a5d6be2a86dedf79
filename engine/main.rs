//! The `sculpt` program: it parses its arguments and calls.

use std::process::ExitCode;

use opensculpt::adapters::process::scope_init;
use opensculpt::interface::cli::sculpt;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(scope_init::ENTRY) {
        return scope_init::main(args);
    }
    sculpt::main(std::env::args_os())
}

//! The `advisoryd` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    advisoryd::cli::main()
}

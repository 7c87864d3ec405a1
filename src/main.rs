//! The `lucid-node` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    lucid_node::cli::main()
}

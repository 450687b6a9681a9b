//! The repository's own commands. `cargo xtask check` is exactly what CI runs; `cargo xtask bench` measures.

mod bench;
mod check;
mod command;
mod deploy;
mod finding;
mod imports;
mod report;
mod rules;
mod source;
#[cfg(test)]
mod tests;
mod workspace;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask check [--full] [STEP...]
       cargo xtask bench [--quick] [--output table|json|markdown] [ROW...]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else {
        return usage();
    };
    if command == "bench" {
        return bench::bench(rest);
    }
    let full = rest.iter().any(|word| word == "--full");
    let chosen: Vec<&str> = rest.iter().map(String::as_str).filter(|word| *word != "--full").collect();
    if command != "check" || chosen.iter().any(|name| !check::STEPS.iter().any(|step| step.name == *name)) {
        return usage();
    }
    if check::run(&chosen, full) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Exit code 64 is the one of `sysexits.h` for a command line that cannot be understood.
fn usage() -> ExitCode {
    report::line(USAGE);
    report::line("steps:");
    for step in check::STEPS {
        report::line(format!("  {:<9} {}", step.name, step.about));
    }
    ExitCode::from(64)
}

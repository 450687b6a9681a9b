//! The `tollgate` command: parse, dispatch, exit code.

mod cli;
mod commands;
mod exit;
mod plain;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::Exit;

// glibc's allocator maps and unmaps every large buffer; a receiver makes one for each request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    let done = match cli.command {
        Command::Run(options) => commands::run::run(&options),
        Command::Check(options) => commands::check::check(&options),
        Command::Policy(command) => commands::policy::policy(&command),
        Command::Sampling(command) => commands::sampling::sampling(&command),
        Command::Catalogue(command) => commands::catalogue::catalogue(&command),
        Command::Drift(options) => commands::drift::drift(&options),
        Command::Keys(command) => commands::keys::keys(&command),
        Command::Subject(command) => commands::subject::subject(&command),
        Command::Certs(command) => commands::certs::certs(&command),
        Command::Spool(command) => commands::spool::spool(&command),
        Command::Trace(command) => commands::trace::trace(&command),
        Command::Demo(options) => commands::demo::demo(&options),
    };
    done.unwrap_or_else(Exit::report)
}

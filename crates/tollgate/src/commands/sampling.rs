//! `tollgate sampling`: what a sampling policy does, shown before it is deployed.

mod replay;

use std::process::ExitCode;

use crate::cli::sampling::Sampling;
use crate::exit::Exit;

pub(crate) fn sampling(command: &Sampling) -> Result<ExitCode, Exit> {
    match command {
        Sampling::Replay(options) => replay::replay(options),
    }
}

//! `tollgate run NODE`: one node until it is told to stop.

use std::process::ExitCode;
use std::sync::Arc;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use tollgate_runtime::{LogFormat, Signals, init_logs, refuse_core_dumps};

use super::documents;
use crate::cli::Run;
use crate::exit::Exit;

pub(crate) fn run(options: &Run) -> Result<ExitCode, Exit> {
    // First of all: whoever is told to stop while it starts has done nothing wrong.
    let signals = Signals::listen().map_err(Exit::failed)?;
    options.end_with_parent.map_or(Ok(()), end_with)?;
    // Keys, tokens and what services sent are in this process's memory.
    refuse_core_dumps().map_err(Exit::failed)?;
    init_logs(LogFormat::detect());
    let (documents, node_file) = documents::load_with(&options.set, &options.node_file)?;
    tollgate_pipeline::run(&Arc::new(documents), &options.node, node_file, &signals)?;
    Ok(ExitCode::SUCCESS)
}

/// From now on the kernel ends this process with its parent, whatever ends that one and whatever this one is doing.
fn end_with(parent: i32) -> Result<(), Exit> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(Exit::failed)?;
    // The parent may have ended before the kernel was asked.
    let is_there = Pid::from_raw(parent).is_some_and(|parent| getppid() == Some(parent));
    if is_there {
        Ok(())
    } else {
        Err(Exit::failed("--end-with-parent names a process that is not the parent of this one"))
    }
}

//! `tollgate run NODE`: one node until it is told to stop.

use std::process::ExitCode;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use tollgate_runtime::{LogFormat, Signals, init_logs, refuse_core_dumps};

use tollgate_pipeline::{NodeFile, Start};

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
    let (start, node_file) = start(options)?;
    tollgate_pipeline::run(&start, &options.node, node_file, &signals)?;
    Ok(ExitCode::SUCCESS)
}

/// Documents with a fault do not take a region's own paths down that ran before.
fn start(options: &Run) -> Result<(Start, NodeFile), Exit> {
    let refused = match documents::load_with(&options.set, &options.node_file) {
        Ok((documents, file)) => return Ok((Start::on(documents), file)),
        Err(refused) => refused,
    };
    let file = NodeFile::load(&options.node_file, &options.set.dir);
    match (&refused, file) {
        (Exit::Config(why), Ok(file)) => {
            let start = Start::on_kept(&file, &options.set.dir, why);
            start.map(|start| (start, file)).ok_or(refused)
        }
        _ => Err(refused),
    }
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

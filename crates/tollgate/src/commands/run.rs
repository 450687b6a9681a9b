//! `tollgate run NODE`: one node until it is told to stop.

use std::process::ExitCode;
use std::sync::Arc;

use tollgate_pipeline::{NodeFile, RunError};
use tollgate_runtime::{LogFormat, init_logs};

use super::documents;
use crate::cli::Run;
use crate::exit::Exit;

pub(crate) fn run(options: &Run) -> Result<ExitCode, Exit> {
    init_logs(LogFormat::detect());
    let documents = Arc::new(documents::load(&options.set)?);
    let node_file = NodeFile::load(&options.node_file, &options.set.dir).map_err(Exit::config)?;
    tollgate_pipeline::run(&documents, &options.node, node_file).map_err(|error| match error {
        RunError::Config(text) => Exit::Config(text),
        error => Exit::failed(error),
    })?;
    Ok(ExitCode::SUCCESS)
}

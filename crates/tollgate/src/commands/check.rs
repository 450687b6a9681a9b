//! `tollgate check`: loads and validates everything, and prints where data can go.

use std::process::ExitCode;

use tollgate_pipeline::{NodeFile, Report};

use super::documents;
use crate::cli::Check;
use crate::exit::Exit;

pub(crate) fn check(options: &Check) -> Result<ExitCode, Exit> {
    let documents = documents::load(&options.set)?;
    let node_file = options.node_file.as_ref().map(|file| NodeFile::load(file, &options.set.dir)).transpose();
    let node_file = node_file.map_err(Exit::config)?;
    let report = Report::new(&documents, node_file.as_ref(), options.rate);
    print(&report);
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn print(report: &Report<'_>) {
    print!("{report}");
}

//! `tollgate check`: loads and validates everything, and prints where data can go.

use std::path::Path;
use std::process::ExitCode;

use tollgate_pipeline::{Documents, NodeFile, Opened, Report};
use tollgate_runtime::Clock;

use super::documents;
use crate::cli::Check;
use crate::exit::Exit;

pub(crate) fn check(options: &Check) -> Result<ExitCode, Exit> {
    let Some(path) = &options.node_file else {
        let documents = documents::load(&options.set)?;
        print(&Report::new(&documents, None, options.rate, Clock::system().now()).to_string());
        return Ok(ExitCode::SUCCESS);
    };
    let (documents, file) = documents::load_with(&options.set, path)?;
    let node = node(options, &documents, &file, path)?;
    print(&format!("{}{node}", Report::new(&documents, Some(&file), options.rate, Clock::system().now())));
    Ok(ExitCode::SUCCESS)
}

/// What there is to say of a node that could run.
fn node(options: &Check, documents: &Documents, file: &NodeFile, path: &Path) -> Result<String, Exit> {
    let opened = Opened::open(documents, options.node.as_ref(), file, &Clock::system())?;
    let warnings: String = opened.warnings().map(|warning| format!("\n  warning: {warning}")).collect();
    Ok(format!("\n{} can run with {}{warnings}\n", opened.node(), path.display()))
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn print(report: &str) {
    print!("{report}");
}

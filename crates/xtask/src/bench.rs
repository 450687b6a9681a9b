//! `cargo xtask bench`: builds the measuring stand and the binary it measures as they are released, and runs the stand.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use crate::check::Outcome;
use crate::command::{cargo, run};
use crate::report;
use crate::workspace::Workspace;

/// Passes the arguments on; what the stand prints goes to standard output, and nothing else does.
pub(crate) fn bench(arguments: &[String]) -> ExitCode {
    let root = Workspace::root();
    let mut build = cargo(&root);
    build.args(["build", "--release", "--package", "tollgate", "--package", "tollgate-bench"]);
    if let Outcome::Failed(why) = run(&mut build) {
        why.iter().for_each(report::line);
        return ExitCode::FAILURE;
    }
    let mut stand = cargo(&root);
    stand.args(["run", "--release", "--quiet", "--package", "tollgate-bench", "--"]).args(arguments);
    // This process becomes the stand: whoever ends the one ends the other.
    let fault = stand.exec();
    report::line(format!("{}: {fault}", stand.get_program().display()));
    ExitCode::FAILURE
}

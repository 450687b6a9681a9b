//! `cargo xtask bench`: builds the measuring stand and the binary it measures as they are released, and runs the stand.

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
    let mut stand = cargo(&root);
    stand.args(["run", "--release", "--quiet", "--package", "tollgate-bench", "--"]).args(arguments);
    for command in [&mut build, &mut stand] {
        if let Outcome::Failed(why) = run(command) {
            why.iter().for_each(report::line);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

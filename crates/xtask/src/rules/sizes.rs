//! Small files: one idea each. The size of a function is clippy's `too_many_lines`.

use crate::finding::Finding;
use crate::workspace::Workspace;

const FILE: usize = 600;
const MAIN: usize = 120;

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &workspace.sources {
        let is = |name: &str| source.path.file_name().is_some_and(|file| file == name);
        let lines = source.lines_without_tests();
        if lines > FILE {
            findings.push(Finding::of_file(&source.path, format!("{lines} lines without tests, more than {FILE}")));
        }
        if is("main.rs") && lines >= MAIN {
            findings.push(Finding::of_file(&source.path, format!("main.rs has {lines} lines, not under {MAIN}")));
        }
        if is("mod.rs") {
            findings.push(Finding::of_file(&source.path, "a module's file has the module's name, not mod.rs"));
        }
    }
    findings
}

//! What a run has found: rows, and what could not be measured, with the reason.

use crate::row::Row;

/// Rows in the order of the table.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) rows: Vec<Row>,
    /// What is missing in the rows, and why.
    pub(crate) left_out: Vec<String>,
}

impl Found {
    /// Says at once, and in the report, that something is not measured.
    pub(crate) fn leave_out(&mut self, what: &str, why: impl std::fmt::Display) {
        let text = format!("{what}: {why}");
        note(&format!("left out: {text}"));
        self.left_out.push(text);
    }
}

/// Tells whoever watches; the table goes to standard output.
#[expect(clippy::print_stderr, reason = "progress of a tool")]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

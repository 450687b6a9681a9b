//! Prints what a command is for.

use serde_json::Value;

#[expect(clippy::print_stdout, reason = "the result is what the command is for")]
pub(super) fn text(text: &str) {
    print!("{text}");
}

/// One object, on lines of its own, so that two results can be compared line by line.
pub(super) fn json(value: &Value) {
    text(&format!("{value:#}\n"));
}

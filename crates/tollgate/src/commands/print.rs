//! Prints what a command is for.

use std::io::{self, ErrorKind, Write as _};
use std::process;

use serde_json::Value;

use crate::exit::Exit;
use crate::plain;

/// Prints to standard output. Whoever closed it has read enough (`| head`), and the exit code says what it would have said.
pub(super) fn bytes(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            // A result that is cut short must not pass for one.
            Exit::failed(format_args!("cannot write to standard output: {error}")).report();
            process::exit(1)
        }
        _ => {}
    }
}

pub(super) fn text(text: &str) {
    bytes(plain::lines(text).as_bytes());
}

/// One object, on lines of its own, so that two results can be compared line by line.
pub(super) fn json(value: &Value) {
    text(&format!("{value:#}\n"));
}

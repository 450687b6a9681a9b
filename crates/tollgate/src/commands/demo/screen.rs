//! What is seen while the demo runs: on a terminal a table that is drawn over itself, elsewhere a line for each step.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use rustix::termios::tcgetwinsize;
use tollgate_runtime::Clock;

use crate::cli::Output;

/// How often the table is drawn.
const TICK: Duration = Duration::from_secs(1);
/// What a terminal has that does not say.
const USUAL: (usize, usize) = (24, 80);

/// The standard error of the demo.
pub(super) struct Screen {
    clock: Clock,
    /// Lines that the next table is drawn over.
    lines: usize,
    live: bool,
    next: Duration,
}

impl Screen {
    pub(super) fn new(output: Output, clock: Clock) -> Self {
        let live = output == Output::Text && std::io::stderr().is_terminal();
        Self { next: clock.uptime(), clock, lines: 0, live }
    }

    /// Says what happens from now on; takes the place of a table.
    pub(super) fn step(&mut self, text: &str) {
        self.clear();
        show(&format!("{text}\n"));
        self.next = self.clock.uptime();
    }

    /// Whether somebody watches and it is time for a new table.
    pub(super) fn is_due(&self) -> bool {
        self.live && self.clock.uptime() >= self.next
    }

    /// Draws a table in the place of the last one.
    pub(super) fn draw(&mut self, text: &str) {
        self.clear();
        let (rows, columns) = size();
        let shown = cut(text, rows, columns);
        self.lines = shown.len();
        show(&format!("{}\n", shown.join("\n")));
        self.next = self.clock.uptime() + TICK;
    }

    /// Goes back to where the table began.
    fn clear(&mut self) {
        if self.lines > 0 {
            show(&format!("\x1b[{}A\x1b[J", self.lines));
            self.lines = 0;
        }
    }
}

/// Rows and columns of the terminal.
fn size() -> (usize, usize) {
    let size = tcgetwinsize(std::io::stderr()).ok();
    let size = size.map(|size| (usize::from(size.ws_row), usize::from(size.ws_col)));
    size.filter(|(rows, columns)| *rows > 0 && *columns > 0).unwrap_or(USUAL)
}

/// What is wider is wrapped and what is higher scrolls away: then there is no way back to where it began.
fn cut(text: &str, rows: usize, columns: usize) -> Vec<String> {
    let lines = text.lines().take(rows.saturating_sub(1));
    lines.map(|line| line.chars().take(columns).collect()).collect()
}

fn show(text: &str) {
    // Whoever closed the pipe does not watch any more.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_never_takes_more_than_the_terminal_has() {
        assert_eq!(cut("eu → us\nlonger line\nlast", 24, 6), ["eu → u", "longer", "last"]);
        assert_eq!(cut("1\n\n3\n4", 3, 80), ["1", ""], "an empty line at the end is a line too");
        assert!(cut("1", 0, 0).is_empty());
    }
}

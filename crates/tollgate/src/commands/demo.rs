//! `tollgate demo`: the example federation as processes on loopback, with traffic, a live table and a search for
//! every planted value in everything the far side holds.

mod check;
mod federation;
mod metrics;
mod post;
mod tally;
mod traffic;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tollgate_runtime::Clock;
use tollgate_scenario::scaffold::{self, Loopback, Scaffold};

use crate::cli::{Demo, Output};
use crate::exit::Exit;
use federation::Federation;
use tally::Tally;
use traffic::Load;

/// How often the table is drawn.
const TICK: Duration = Duration::from_secs(1);
/// How long the last traces may take: their wait, and a little more.
const SETTLE: Duration = Duration::from_secs(40);

pub(crate) fn demo(options: &Demo) -> Result<ExitCode, Exit> {
    let clock = Clock::system();
    if let Some(dir) = &options.scaffold {
        let scaffold = write(dir, &clock)?;
        say(&format!("{} processes; start them with the Procfile in {}", scaffold.processes.len(), dir.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let dir = tempfile::Builder::new().prefix("tollgate-demo-").tempdir().map_err(Exit::failed)?;
    let scaffold = write(dir.path(), &clock)?;
    progress(&format!("starting {} processes on loopback", scaffold.processes.len()));
    let federation = Federation::start(dir.path(), &scaffold)?;
    let tally = drive(options, &clock, &federation, &scaffold)?;
    progress("stopping the processes");
    federation.stop();
    progress("searching everything that the US side holds for every planted value");
    let found = check::search(dir.path(), &scaffold, &tally)?;
    // The kept traces stay, so that whoever ran the demo can look at them; the logs behind them are large and done with.
    scaffold.processes.iter().try_for_each(|process| remove(&dir.path().join(&process.data).join("spool")))?;
    let dir = dir.keep();
    match options.output {
        Output::Json => say(&tally.json(&found)),
        Output::Text => say(&tally.summary(&found, &dir)),
    }
    Ok(if found.crossed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn remove(folder: &Path) -> Result<(), Exit> {
    std::fs::remove_dir_all(folder).map_err(Exit::failed)
}

fn write(dir: &Path, clock: &Clock) -> Result<Scaffold, Exit> {
    scaffold::write(dir, free_loopback()?, clock.now()).map_err(Exit::failed)
}

/// A block of loopback addresses that differs from process to process, so that two demos do not meet.
fn free_loopback() -> Result<Loopback, Exit> {
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{}.{low}.0/24", high | 0x40).parse().map_err(Exit::failed)
}

/// Sends traffic for the asked time, then waits until what was acknowledged has come through.
fn drive(options: &Demo, clock: &Clock, federation: &Federation, scaffold: &Scaffold) -> Result<Tally, Exit> {
    let mut load = Load::new(scaffold, clock.clone())?;
    let mut table = Table::new(options.output);
    let end = clock.uptime() + options.duration;
    let mut next = clock.uptime();
    while clock.uptime() < end {
        federation.still_runs()?;
        load.send()?;
        if clock.uptime() >= next {
            table.draw(&load.tally(federation)?);
            next = clock.uptime() + TICK;
        }
    }
    progress("waiting for the last traces to be judged and delivered");
    let patience = clock.uptime() + SETTLE;
    loop {
        federation.still_runs()?;
        let tally = load.tally(federation)?;
        if tally.is_settled() || clock.uptime() > patience {
            table.draw(&tally);
            return Ok(tally);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The live table: drawn over itself on a terminal, not at all where nobody watches.
struct Table {
    lines: usize,
    live: bool,
}

impl Table {
    fn new(output: Output) -> Self {
        Self { lines: 0, live: output == Output::Text && std::io::stderr().is_terminal() }
    }

    fn draw(&mut self, tally: &Tally) {
        if !self.live {
            return;
        }
        let text = tally.table();
        let back = if self.lines > 0 { format!("\x1b[{}A\x1b[J", self.lines) } else { String::new() };
        progress(&format!("{back}{text}"));
        self.lines = text.lines().count();
    }
}

#[expect(clippy::print_stderr, reason = "progress goes to whoever watches, the result to standard output")]
fn progress(text: &str) {
    eprintln!("{text}");
}

#[expect(clippy::print_stdout, reason = "the result is what the command is for")]
fn say(text: &str) {
    println!("{text}");
}

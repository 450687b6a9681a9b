//! `tollgate demo`: the example federation as processes on loopback, with traffic, a live table and a search for
//! every planted value in everything the far side holds.

mod check;
mod federation;
mod metrics;
mod post;
mod tally;
mod traffic;

use std::io::IsTerminal;
use std::net::{Ipv4Addr, TcpListener};
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
/// How many blocks of loopback addresses are tried; prime to their number.
const BLOCKS: u32 = 251;
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

/// A block of loopback addresses where nobody listens; it differs from process to process, so that two demos do not meet.
fn free_loopback() -> Result<Loopback, Exit> {
    let own = std::process::id();
    let blocks = (0..BLOCKS).map(|step| own.wrapping_add(step * BLOCKS).to_be_bytes());
    let mut blocks = blocks.map(|[.., high, low]| [127, high | 0x40, low]);
    let [a, b, c] = blocks.find(is_free).ok_or_else(|| Exit::failed("no block of loopback addresses is free"))?;
    format!("{a}.{b}.{c}.0/24").parse().map_err(Exit::failed)
}

/// Whoever lays a federation out in a block puts its first collector and its first central node there.
fn is_free([a, b, c]: &[u8; 3]) -> bool {
    [(11, 4317), (51, 4417)]
        .iter()
        .all(|(host, port)| TcpListener::bind((Ipv4Addr::new(*a, *b, *c, *host), *port)).is_ok())
}

/// Sends traffic for the asked time, then waits until what was acknowledged has come through.
fn drive(options: &Demo, clock: &Clock, federation: &Federation, scaffold: &Scaffold) -> Result<Tally, Exit> {
    let mut load = Load::new(scaffold, clock.clone())?;
    let mut table = Table::new(options.output);
    let begin = clock.uptime();
    let (end, mut next) = (begin + options.duration, begin);
    while clock.uptime() < end {
        federation.still_runs()?;
        load.send()?;
        if clock.uptime() >= next {
            let (passed, of) = ((next - begin).as_secs(), options.duration.as_secs());
            table.draw(&format!("{passed} of {of} s\n\n{}", load.tally(federation)?.table()));
            next = clock.uptime() + TICK;
        }
    }
    table.clear();
    progress("waiting for the last traces to be judged and delivered");
    let patience = clock.uptime() + SETTLE;
    loop {
        federation.still_runs()?;
        let tally = load.tally(federation)?;
        if tally.is_settled() || clock.uptime() > patience {
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

    fn draw(&mut self, text: &str) {
        if self.live {
            self.clear();
            progress(text);
            self.lines = text.lines().count();
        }
    }

    /// Goes back to where it began.
    #[expect(clippy::print_stderr, reason = "progress goes to whoever watches")]
    fn clear(&mut self) {
        if self.lines > 0 {
            eprint!("\x1b[{}A\x1b[J", self.lines);
            self.lines = 0;
        }
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

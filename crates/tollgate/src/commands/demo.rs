//! `tollgate demo`: the example federation as processes on loopback, with traffic, a live table and a search of what each
//! region holds for every value that was planted in another.

mod check;
mod federation;
mod metrics;
mod place;
mod planted;
mod report;
mod screen;
mod tally;
mod traffic;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tollgate_runtime::{Clock, Signals};
use tollgate_scenario::scaffold::{self, Scaffold};

use crate::cli::{Demo, Output};
use crate::exit::Exit;
use federation::Federation;
use place::Place;
use report::Report;
use screen::Screen;
use tally::Tally;
use traffic::Load;

/// How long the last traces may take: their wait, and a little more.
const SETTLE: Duration = Duration::from_secs(40);

pub(crate) fn demo(options: &Demo) -> Result<ExitCode, Exit> {
    match &options.scaffold {
        Some(dir) => lay_out(dir),
        None => run(options),
    }
}

fn lay_out(dir: &Path) -> Result<ExitCode, Exit> {
    let place = place::find()?;
    let scaffold = write(dir, &place, &Clock::system())?;
    if let Some(remark) = &place.remark {
        say(remark);
    }
    let (processes, shown) = (&scaffold.processes, dir.display());
    say(&format!("{} processes: start the lines of the Procfile in {shown}, as many as you like", processes.len()));
    if let Some(address) = processes.iter().find_map(scaffold::Process::otlp_grpc) {
        say(&format!(
            "services send OTLP to a collector, by gRPC to {address} for one; nodes.json lists all addresses"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn run(options: &Demo) -> Result<ExitCode, Exit> {
    let (clock, signals) = (Clock::system(), Signals::listen().map_err(Exit::failed)?);
    place::require_room(&std::env::temp_dir())?;
    let (place, dir) = (place::find()?, temporary_folder()?);
    let scaffold = write(dir.path(), &place, &clock)?;
    let mut screen = Screen::new(options.output, clock.clone());
    if let Some(remark) = &place.remark {
        screen.step(remark);
    }
    screen.step(&format!("starting {} processes on {}", scaffold.processes.len(), place.loopback));
    let federation = Federation::start(dir.path(), &scaffold, signals.stop.clone())?;
    let mut load = Load::new(&scaffold, clock.clone())?;
    let tally = drive(options.duration, &clock, &federation, &mut load, &mut screen)?;
    federation.keep_pages()?;
    screen.step("stopping the processes");
    federation.stop()?;
    screen.step("searching each region for the values that were planted in the others");
    let found = check::search(dir.path(), &scaffold.processes, &load.planted(), &signals.stop)?;
    if found.crossed.is_empty() {
        remove_logs(dir.path(), &scaffold)?;
    }
    let dir = dir.keep();
    let report = Report { tally: &tally, found: &found, processes: &scaffold.processes, dir: &dir };
    match options.output {
        Output::Json => {
            screen.step(&format!("all that the processes wrote, until you remove it: {}", dir.display()));
            say(&report.json());
        }
        Output::Text => say(&report.text()),
    }
    report.objection().map_or(Ok(ExitCode::SUCCESS), |objection| Err(Exit::failed(objection)))
}

fn temporary_folder() -> Result<tempfile::TempDir, Exit> {
    tempfile::Builder::new().prefix("tollgate-demo-").tempdir().map_err(Exit::failed)
}

/// The kept traces stay, so that whoever ran the demo can look at them; the logs behind them are large and done with.
fn remove_logs(dir: &Path, scaffold: &Scaffold) -> Result<(), Exit> {
    let mut logs = scaffold.processes.iter().map(|process| dir.join(&process.data).join("spool"));
    logs.try_for_each(std::fs::remove_dir_all::<PathBuf>).map_err(Exit::failed)
}

fn write(dir: &Path, place: &Place, clock: &Clock) -> Result<Scaffold, Exit> {
    scaffold::write(dir, place.loopback, clock.now()).map_err(Exit::failed)
}

/// Sends traffic for the asked time, then waits until what was acknowledged has come through.
fn drive(
    duration: Duration,
    clock: &Clock,
    federation: &Federation,
    load: &mut Load,
    screen: &mut Screen,
) -> Result<Tally, Exit> {
    screen.step(&format!("sending traffic for {duration:?}"));
    let begin = clock.uptime();
    loop {
        load.send(federation)?;
        let passed = clock.uptime().saturating_sub(begin);
        if screen.is_due() {
            let head = format!("{} of {duration:?}", passed.as_secs());
            screen.draw(&format!("{head}\n\n{}", report::table(&load.tally(federation)?)));
        }
        if passed >= duration {
            break;
        }
    }
    screen.step("waiting for the last traces to be judged and delivered");
    let patience = clock.uptime() + SETTLE;
    loop {
        federation.still_runs()?;
        let tally = load.tally(federation)?;
        if tally.is_settled() || clock.uptime() > patience {
            return Ok(tally);
        }
        if screen.is_due() {
            screen.draw(&report::table(&tally));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn say(text: &str) {
    // Whoever closed the pipe does not want to know.
    let _ = writeln!(std::io::stdout(), "{text}");
}

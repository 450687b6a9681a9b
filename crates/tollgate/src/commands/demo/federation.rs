//! The processes of the demo: started, watched, stopped. None outlives the demo, whatever ends it.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tollgate_runtime::{Clock, Shutdown};
use tollgate_scenario::scaffold::{Process, Scaffold};

use super::metrics::{self, Scrape};
use crate::commands::http::Client;
use crate::exit::Exit;

/// How long the slowest machine may take to start all of them.
const START: Duration = Duration::from_secs(60);
/// How long a process may take to flush and end.
const STOP: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
/// What a process writes, in a folder of its own.
const LOG: &str = "stderr.log";
/// What it answers to whoever asks, kept beside its log.
const SAID: [(&str, &str); 2] = [("/status", "status.json"), ("/metrics", "metrics.txt")];

/// Running processes; ended when this is dropped.
pub(super) struct Federation {
    running: Mutex<Vec<(String, Child)>>,
    processes: Vec<Process>,
    dir: PathBuf,
    /// Set when the demo itself is told to stop.
    interrupted: Shutdown,
}

/// The folder of what a process writes and answers.
pub(super) fn said_by(dir: &Path, process: &Process) -> PathBuf {
    dir.join("logs").join(&process.name)
}

impl Federation {
    /// Starts all processes and waits until each is ready.
    pub(super) fn start(dir: &Path, scaffold: &Scaffold, interrupted: Shutdown) -> Result<Self, Exit> {
        let processes = scaffold.processes.clone();
        let federation = Self { running: Mutex::default(), processes, dir: dir.to_owned(), interrupted };
        for process in &scaffold.processes {
            let child = start(dir, process).map_err(Exit::failed)?;
            federation.lock().push((process.name.clone(), child));
        }
        federation.wait_until_ready()?;
        Ok(federation)
    }

    fn wait_until_ready(&self) -> Result<(), Exit> {
        let clock = Clock::system();
        for process in &self.processes {
            let mut client = Client::new(process.admin());
            while !matches!(client.get("/readyz"), Ok((200, _))) {
                self.still_runs()?;
                if clock.uptime() > START {
                    return Err(Exit::failed(format!("{} is not ready after {START:?}", process.name)));
                }
                std::thread::sleep(POLL);
            }
        }
        Ok(())
    }

    /// An error if one of them has ended, or if the demo is to end.
    pub(super) fn still_runs(&self) -> Result<(), Exit> {
        go_on(&self.interrupted)?;
        for (name, child) in self.lock().iter_mut() {
            if let Some(status) = child.try_wait().map_err(Exit::failed)? {
                // The folder will be gone: its last words are all that is left.
                let last = last_lines(&self.dir.join("logs").join(name.as_str()).join(LOG));
                return Err(Exit::failed(format!("{name} has ended: {status}\n{last}")));
            }
        }
        Ok(())
    }

    /// What each of them has counted.
    pub(super) fn scrape(&self) -> Result<Vec<Scrape>, Exit> {
        metrics::scrape(&self.processes).map_err(|fault| match self.still_runs() {
            Err(reason) => reason,
            Ok(()) => Exit::failed(format!("the metrics of a process cannot be read: {fault}")),
        })
    }

    /// Keeps what the processes answer to whoever asks: a value must not show there either.
    pub(super) fn keep_pages(&self) -> Result<(), Exit> {
        for process in &self.processes {
            let addresses = [process.admin(), process.metrics()];
            for (address, (page, file)) in addresses.into_iter().zip(SAID) {
                let (_, text) = Client::new(address).get(page).map_err(Exit::failed)?;
                let file = said_by(&self.dir, process).join(file);
                let unwritable = |fault| Exit::failed(format!("cannot write {}: {fault}", file.display()));
                std::fs::write(&file, text).map_err(unwritable)?;
            }
        }
        Ok(())
    }

    /// Stops all of them as an operator would.
    pub(super) fn stop(&self) -> Result<(), Exit> {
        for (_, child) in self.lock().iter() {
            terminate(child);
        }
        let clock = Clock::system();
        let run = |(_, child): &mut (String, Child)| matches!(child.try_wait(), Ok(None));
        while clock.uptime() < STOP && self.lock().iter_mut().any(run) {
            go_on(&self.interrupted)?;
            std::thread::sleep(POLL);
        }
        self.kill();
        Ok(())
    }

    /// Ends those that have not ended.
    fn kill(&self) {
        let mut running = self.lock();
        for (_, child) in running.iter_mut() {
            // One that has ended gives an error that means nothing.
            let _ = child.kill();
        }
        for (_, mut child) in running.drain(..) {
            let _ = child.wait();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, Child)>> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Federation {
    /// A demo that failed or was interrupted needs nothing any more of what they still hold.
    fn drop(&mut self) {
        self.kill();
    }
}

/// An error if the demo is to end.
pub(super) fn go_on(interrupted: &Shutdown) -> Result<(), Exit> {
    if interrupted.is_started() { Err(Exit::failed("interrupted")) } else { Ok(()) }
}

/// The kernel watches the thread that starts a process, not only its program: this has to be the main one.
fn start(dir: &Path, process: &Process) -> std::io::Result<Child> {
    let folder = said_by(dir, process);
    std::fs::create_dir_all(&folder)?;
    let log = File::create(folder.join(LOG))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["run", "--set", "."]).arg("--node-file").arg(&process.node_file);
    command.arg("--end-with-parent").arg(std::process::id().to_string()).arg(process.node.to_string());
    // A group of its own: Ctrl-C on the terminal is for the demo, which then ends its processes.
    command.process_group(0).current_dir(dir);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()
}

fn terminate(child: &Child) {
    let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It may have ended already.
    let _ = process.map(|process| kill_process(process, Signal::TERM));
}

fn last_lines(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let last: Vec<_> = log.lines().rev().take(5).collect();
    last.into_iter().rev().collect::<Vec<_>>().join("\n")
}

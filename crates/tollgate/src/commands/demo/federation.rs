//! The processes of the demo: started, watched, stopped.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tollgate_runtime::{Clock, Shutdown, shutdown_by_signals};
use tollgate_scenario::scaffold::{Process, Scaffold};

use super::post::Client;
use crate::exit::Exit;

/// How long the slowest machine may take to start all of them.
const START: Duration = Duration::from_secs(60);
/// How long a process may take to flush and end.
const STOP: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
/// What a process says, in a folder of its own.
const LOG: &str = "stderr.log";

/// Running processes; ended when this is dropped, whatever happened.
pub(super) struct Federation {
    running: Mutex<Vec<(String, Child)>>,
    processes: Vec<Process>,
    /// Set when the demo itself is told to stop.
    interrupted: Shutdown,
}

impl Federation {
    /// Starts all processes and waits until each is ready.
    pub(super) fn start(dir: &Path, scaffold: &Scaffold) -> Result<Self, Exit> {
        let program = std::env::current_exe().map_err(Exit::failed)?;
        let interrupted = shutdown_by_signals().map_err(Exit::failed)?;
        let federation = Self { running: Mutex::default(), processes: scaffold.processes.clone(), interrupted };
        for process in &scaffold.processes {
            let folder = dir.join("logs").join(&process.name);
            std::fs::create_dir_all(&folder).map_err(Exit::failed)?;
            let log = File::create(folder.join(LOG)).map_err(Exit::failed)?;
            let mut command = Command::new(&program);
            command
                .args(["run", "--set", "."])
                .arg("--node-file")
                .arg(&process.node_file)
                .arg(process.node.to_string());
            let child = command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
            federation.lock().push((process.name.clone(), child.map_err(Exit::failed)?));
        }
        federation.wait_until_ready(dir)?;
        Ok(federation)
    }

    fn wait_until_ready(&self, dir: &Path) -> Result<(), Exit> {
        let clock = Clock::system();
        for process in &self.processes {
            let mut client = Client::new(process.admin());
            while !matches!(client.get("/readyz"), Ok((200, _))) {
                self.still_runs().map_err(|error| with_log(error, dir))?;
                if clock.uptime() > START {
                    return Err(Exit::failed(format!("{} is not ready after {START:?}", process.name)));
                }
                std::thread::sleep(POLL);
            }
        }
        Ok(())
    }

    /// The processes, in the order of the Procfile.
    pub(super) fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// An error if one of them has ended, or if the demo is to end.
    pub(super) fn still_runs(&self) -> Result<(), Exit> {
        if self.interrupted.is_started() {
            return Err(Exit::failed("interrupted"));
        }
        for (name, child) in self.lock().iter_mut() {
            if let Some(status) = child.try_wait().map_err(Exit::failed)? {
                return Err(Exit::failed(format!("{name} has ended: {status}")));
            }
        }
        Ok(())
    }

    /// Stops all of them as an operator would.
    pub(super) fn stop(&self) {
        let mut running = self.lock();
        for (_, child) in running.iter() {
            terminate(child);
        }
        let clock = Clock::system();
        while clock.uptime() < STOP && running.iter_mut().any(|(_, child)| matches!(child.try_wait(), Ok(None))) {
            std::thread::sleep(POLL);
        }
        for (_, mut child) in running.drain(..) {
            // One that did not end in time is ended here; one that did gives an error that means nothing.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, Child)>> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        self.stop();
    }
}

fn terminate(child: &Child) {
    let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It may have ended already.
    let _ = process.map(|process| kill_process(process, Signal::TERM));
}

/// Adds the last words of the processes to an error, because the folder will be gone.
fn with_log(error: Exit, dir: &Path) -> Exit {
    let Exit::Failed(text) = error else { return error };
    let name = text.split(' ').next().unwrap_or_default();
    let log = std::fs::read_to_string(dir.join("logs").join(name).join(LOG)).unwrap_or_default();
    let last: Vec<_> = log.lines().rev().take(5).collect();
    Exit::Failed(format!("{text}\n{}", last.into_iter().rev().collect::<Vec<_>>().join("\n")))
}

//! A process under test. It ends with its value and with the stand.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tollgate_testkit::holds_within;

use super::StandError;

/// How much of a log is shown with a fault.
const SHOWN: usize = 2_000;

/// A running program whose output goes to a file.
#[derive(Debug)]
pub(crate) struct Child {
    child: std::process::Child,
    log: PathBuf,
}

impl Child {
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self, StandError> {
        let output = File::options().create(true).append(true).open(log)?;
        let child = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn()?;
        Ok(Self { child, log: log.to_owned() })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it is ready; it is not if it has ended.
    pub(crate) fn until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<(), StandError> {
        let mut ended = false;
        let settled = holds_within(limit, || {
            ended = !matches!(self.child.try_wait(), Ok(None));
            ended || ready()
        });
        match (ended, settled) {
            (true, _) => Err(StandError::Ended(self.log())),
            (false, true) => Ok(()),
            (false, false) => Err(StandError::NotReady { limit: limit.as_secs(), log: self.log() }),
        }
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(&mut self, limit: Duration) -> Result<(), StandError> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // An ended child stays a zombie until it is waited for: the id cannot be somebody else's.
        let _ = id.map(|id| kill_process(id, Signal::TERM));
        let ended = holds_within(limit, || !matches!(self.child.try_wait(), Ok(None)));
        if ended { Ok(()) } else { Err(StandError::NotReady { limit: limit.as_secs(), log: self.log() }) }
    }

    /// The end of what it printed.
    pub(crate) fn log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let start = log.char_indices().rev().nth(SHOWN).map_or(0, |(at, _)| at);
        log.get(start..).unwrap_or_default().to_owned()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A node under callgrind that counts instructions only when it is told to: starting and ending are in no figure.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::StandError;
use super::cores::bare;
use super::layout::Run;
use super::station::{Site, Station};
use crate::micro::collected;

/// Under valgrind, everything takes a multiple of its time, on a busy machine once more.
const PATIENCE: Duration = Duration::from_secs(180);

/// A node whose instructions can be counted.
pub(crate) struct Counted {
    pub(crate) station: Station,
    /// Where valgrind takes orders.
    orders: PathBuf,
    process: u32,
}

impl Counted {
    pub(crate) fn start(site: Site<'_>, run: &Run<'_>) -> Result<Self, StandError> {
        let orders = site.layout.path("orders");
        let mut command = bare("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--instr-atstart=no"]);
        command.arg(format!("--vgdb-prefix={}", orders.display())).arg(site.binary);
        let station = site.node(command, run, PATIENCE)?;
        let process = station.id().ok_or(StandError::NoFigure("a thread"))?;
        Ok(Self { station, orders, process })
    }

    /// Counts from now on.
    pub(crate) fn count(&self) -> Result<(), StandError> {
        self.order("on")
    }

    /// Counts no more and ends; returns what was counted.
    pub(crate) fn stop(self) -> Result<i64, StandError> {
        self.order("off")?;
        collected(&self.station.stop(PATIENCE)?).ok_or(StandError::NoFigure("callgrind"))
    }

    fn order(&self, what: &str) -> Result<(), StandError> {
        let mut command = Command::new("vgdb");
        command.arg(format!("--vgdb-prefix={}", self.orders.display())).arg(format!("--pid={}", self.process));
        let status = command.args(["instrumentation", what]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { Err(StandError::NoFigure("vgdb")) }
    }
}

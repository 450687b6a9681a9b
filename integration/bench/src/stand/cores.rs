//! Two cores: what is measured has one for itself, load and sink share the other.

use std::process::Command;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::keep::kept;

/// The two cores of a measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    measured: usize,
    around: usize,
}

impl Cores {
    /// Takes two cores that this process may use and moves this thread, and what it starts from now on, to the second;
    /// `None` where there are not two.
    pub(crate) fn take() -> Option<Self> {
        let usable = sched_getaffinity(None).ok()?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|core| usable.is_set(*core));
        let (around, measured) = (usable.next()?, usable.next()?);
        enter(&[around]).then_some(Self { measured, around })
    }

    /// Starts something on the measured core: threads inherit the affinity, so that not even the first runs elsewhere.
    pub(crate) fn on_measured<T>(self, start: impl FnOnce() -> T) -> T {
        self.on(&[self.measured], start)
    }

    /// Starts something that may use the core of load and sinks too.
    pub(crate) fn on_both<T>(self, start: impl FnOnce() -> T) -> T {
        self.on(&[self.measured, self.around], start)
    }

    fn on<T>(self, cores: &[usize], start: impl FnOnce() -> T) -> T {
        enter(cores);
        let started = start();
        enter(&[self.around]);
        started
    }
}

fn enter(cores: &[usize]) -> bool {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None, &set).is_ok()
}

/// A command that ends with the stand, without what of the stand's surroundings could change it.
pub(crate) fn bare(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = kept(program);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if ["OTEL_", "TOLLGATE_", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"]
            .iter()
            .any(|it| name_text.starts_with(it))
        {
            command.env_remove(name);
        }
    }
    command
}

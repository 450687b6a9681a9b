//! A child that ends with this program, whatever ends it: the child asks the kernel for that, and then becomes the program
//! that was wanted.
//!
//! It stays one process with one id all the time, so what is counted of it is the wanted program's alone.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::Args;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// Also when the file of this program has been replaced meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// What is to be run, and who must be there for it.
#[derive(Debug, Args)]
pub(crate) struct Keep {
    parent: i32,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<OsString>,
}

impl Keep {
    /// Becomes the program; returns only why that cannot be.
    pub(crate) fn run(&self) -> io::Error {
        if let Err(fault) = set_parent_process_death_signal(Some(Signal::KILL)) {
            return fault.into();
        }
        // The parent may have ended before the kernel was asked.
        if Pid::from_raw(self.parent).is_none_or(|parent| getppid() != Some(parent)) {
            return io::Error::other("the parent has ended");
        }
        let Some((program, arguments)) = self.command.split_first() else { return io::ErrorKind::InvalidInput.into() };
        let fault = Command::new(program).args(arguments).exec();
        io::Error::new(fault.kind(), format!("{}: {fault}", program.display()))
    }
}

/// A command to start from the main thread: the kernel watches the thread that starts a process, not only its program.
pub(crate) fn kept(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(THIS_PROGRAM);
    command.arg("keep").arg(std::process::id().to_string()).arg("--").arg(program);
    command
}

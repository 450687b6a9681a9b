//! The one temporary folder of a run, which is removed whatever ends the run.
//!
//! A second process does that: it holds the other end of a pipe that the kernel closes when the run is over, by itself or
//! by `kill -9`. The children of the run end at that same moment, see `keep.rs`.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use clap::Args;
use tempfile::TempDir;
use tollgate_testkit::holds_within;

/// How long the processes of a run may take to let go of their files.
const PATIENCE: Duration = Duration::from_secs(60);

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// The folder of this run, while this value lives.
#[derive(Debug)]
pub(crate) struct Scratch(Child);

impl Scratch {
    pub(crate) fn take() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("tollgate-bench-{}", std::process::id()));
        let mut sweep = Command::new(std::env::current_exe()?);
        sweep.arg("sweep").arg(&folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: Ctrl-C on the terminal is for the run.
        let sweep = Self(sweep.process_group(0).spawn()?);
        // Only now: a run that is killed between the two would leave it behind.
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        FOLDER.get_or_init(|| folder);
        Ok(sweep)
    }
}

impl Drop for Scratch {
    /// Nothing of a run that has ended is left when the next one begins.
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // What it could not remove stays.
        let _ = self.0.wait();
    }
}

/// A new folder in that of the run; in a test, in the usual place.
pub(crate) fn folder() -> io::Result<TempDir> {
    FOLDER.get().map_or_else(tempfile::tempdir, tempfile::tempdir_in)
}

/// Removes a folder as soon as the process that started this one has ended.
#[derive(Debug, Args)]
pub(crate) struct Sweep {
    folder: PathBuf,
}

impl Sweep {
    /// Returns whether the folder is gone.
    pub(crate) fn run(&self) -> bool {
        // Nobody writes: this returns at the end of the pipe.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        holds_within(PATIENCE, || fs::remove_dir_all(&self.folder).is_ok() || !self.folder.exists())
    }
}

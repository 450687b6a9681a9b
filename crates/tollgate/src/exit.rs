//! Exit codes: 0 done, 1 failed, 3 something newly crosses (`policy diff`), 64 wrong usage, 78 invalid documents or node file
//! (`sysexits.h`).

use std::process::ExitCode;

use tollgate_pipeline::{RunError, Unfit};

use crate::plain;

const USAGE: u8 = 64;
/// Documents, a node file or an invariant must be changed first.
pub(crate) const CONFIG: u8 = 78;
/// A difference lets something newly cross, or in a weaker form.
pub(crate) const WIDENED: u8 = 3;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Exit {
    /// Something failed that a later attempt may do better.
    Failed(String),
    /// The documents, the node file or a file that it names must be changed first; one fault a line.
    Config(String),
}

impl Exit {
    pub(crate) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    pub(crate) fn config(error: impl std::fmt::Display) -> Self {
        Self::Config(error.to_string())
    }

    /// Says why on standard error.
    pub(crate) fn report(self) -> ExitCode {
        let (text, code) = match self {
            Self::Failed(text) => (text, ExitCode::FAILURE),
            Self::Config(text) => (text, ExitCode::from(CONFIG)),
        };
        say(&text);
        code
    }
}

impl From<Unfit> for Exit {
    fn from(unfit: Unfit) -> Self {
        if unfit.may_pass() { Self::failed(unfit) } else { Self::config(unfit) }
    }
}

impl From<RunError> for Exit {
    fn from(error: RunError) -> Self {
        if error.may_pass() { Self::failed(error) } else { Self::config(error) }
    }
}

#[expect(clippy::print_stderr, reason = "the last words of a command go to its user, not to a log")]
fn say(text: &str) {
    eprintln!("{}", plain::lines(text.trim_end()));
}

/// Help and version are no errors; anything else is wrong usage.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // A closed pipe is the only way to fail here, and nobody is left to tell.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

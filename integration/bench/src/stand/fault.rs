//! Why a row could not be measured.

use std::path::PathBuf;

/// What went wrong on the stand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StandError {
    /// The machine refuses a file, a socket or a process.
    #[error("the machine refuses: {0}")]
    Machine(#[from] std::io::Error),
    /// Certificates cannot be made or used.
    #[error("certificates: {0}")]
    Certificates(String),
    /// TLS cannot be set up.
    #[error("tls: {0}")]
    Tls(#[from] rustls::Error),
    /// HTTP/2 broke.
    #[error("http: {0}")]
    Http(#[from] hyper::Error),
    /// What is measured refused the load or broke it off.
    #[error("the load: {0}")]
    Load(String),
    /// What was sent did not come out at the other end.
    #[error("{missing} spans had not arrived {patience} s after the end")]
    Missing {
        /// How many.
        missing: u64,
        /// How long was waited.
        patience: u64,
    },
    /// What came out is not what the row claims to measure.
    #[error("the output is wrong: {0}")]
    Output(String),
    /// There is no Collector to compare with.
    #[error("there is no Collector: {0}")]
    NoCollector(String),
    /// The machine has too little memory for what is to be measured.
    #[error("needs {needed} MiB of memory, {free} MiB are free")]
    NoRoom {
        /// In MiB.
        needed: u64,
        /// In MiB.
        free: u64,
    },
    /// The binary that is to be measured is not there.
    #[error("{} is missing; `cargo build --release --package tollgate` builds it, `TOLLGATE_BIN` names another", .0.display())]
    NoBinary(PathBuf),
    /// A process ended before it was told to; the end of its log.
    #[error("has ended; its log:\n{0}")]
    Ended(String),
    /// A process does not do what it was started or told to do.
    #[error("not ready after {limit} s; its log:\n{log}")]
    NotReady {
        /// How long was waited.
        limit: u64,
        /// The end of its log.
        log: String,
    },
    /// Instructions cannot be counted.
    #[error("valgrind is not installed")]
    NoValgrind,
    /// What a tool printed holds no figure.
    #[error("no figure in the output of {0}")]
    NoFigure(&'static str),
    /// One of several that are measured failed.
    #[error("{0}: {1}")]
    At(String, #[source] Box<StandError>),
    /// The documents of the stand are refused.
    #[error("the documents: {0}")]
    Documents(String),
}

impl StandError {
    /// Says what was measured when it happened.
    pub(crate) fn at(self, station: &str) -> Self {
        Self::At(station.to_owned(), Box::new(self))
    }
}

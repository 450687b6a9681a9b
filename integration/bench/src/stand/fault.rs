//! Why a row could not be measured.

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
    #[error("no collector: {0}")]
    NoCollector(String),
    /// A process ended before it was told to.
    #[error("{0} has ended")]
    Ended(String),
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

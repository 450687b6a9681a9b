//! What can be said of sampling on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Sampling {
    /// Judge recorded traffic by a sampling policy: try one before it is deployed, or compare two.
    ///
    /// Judges as if all of it had arrived within one `decision_wait`, with the code that runs at central. Prints one JSON object
    /// a line for each trace, in the order in which they first appear: `trace_id`, `verdict` ("keep" or "drop"), `policy` (the
    /// one that decided, or why none did) and `spans`. A summary by policy goes to standard error. Ends with 1 if part of the
    /// traffic cannot be read, and with 78 if the policy is invalid.
    Replay(Replay),
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// YAML with a `tail_sampling:` block, or with what stands below one: `policies/sampling.yaml`, or part of a Collector's
    /// configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    /// What the Collector's file exporter wrote, one file after the other: OTLP/JSON lines, or protobuf with a length of four
    /// bytes before each message.
    #[arg(value_name = "FILES", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

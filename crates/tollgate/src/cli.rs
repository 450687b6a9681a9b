//! What can be said on the command line.

pub(crate) mod keys;
pub(crate) mod policy;
pub(crate) mod sampling;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tollgate_config::{ByteSize, Read};
use tollgate_federation::NodeId;
use tollgate_otlp::TraceId;

/// Regional federation router for OpenTelemetry.
///
/// Keeps metrics and logs in the region that made them, pseudonymises personal data at the regional gateway, and lets
/// traces cross a border only as far as a residency policy allows.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one node of the federation until it is told to stop.
    ///
    /// SIGTERM and SIGINT stop it in order, a second one at once. SIGHUP reads the documents again: a valid set comes into
    /// force as a whole, any other is refused, and the old one stays.
    Run(Run),
    /// Check the documents and a node file; print the resolved federation and every place data can go.
    Check(Check),
    /// The residency policy: what crosses which border, in which form, and why.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// The sampling policy: which traces are kept.
    #[command(subcommand)]
    Sampling(sampling::Sampling),
    /// The catalogue of attributes.
    #[command(subcommand)]
    Catalogue(policy::Catalogue),
    /// Show what services of a region send that the catalogue does not fit: keys without a class, and operational keys with so
    /// many distinct values that they may hold identifiers.
    ///
    /// Reads what gateways keep in their data folders, in clear; metrics (`tollgate_drift_requests`) show the same by the
    /// fingerprints that stand beside each name. Run it in the region: the names are not for anywhere else.
    Drift(Drift),
    /// The root keys of pseudonyms.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Those whom data is about.
    #[command(subcommand)]
    Subject(keys::Subject),
    /// Certificates.
    #[command(subcommand)]
    Certs(Certs),
    /// The log on disk.
    #[command(subcommand)]
    Spool(Spool),
    /// What central nodes know of traces.
    #[command(subcommand)]
    Trace(Trace),
    /// Run the example federation on this machine and show what crosses its borders.
    ///
    /// Needs nothing but this program: starts collectors, gateways and two central nodes of three regions on loopback, sends
    /// checkout traffic with planted personal data, then searches everything that each region holds for the values that were
    /// planted in the others. Ends with 1 if one is found. What was kept stays in a temporary folder that the summary names.
    Demo(Demo),
}

/// Where the documents are.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Folder that holds `regions/` and `policies/`.
    // The name is given because `certs dev DIR` has a `dir` of its own.
    #[arg(id = "set", long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Which node this process is, such as `eu-west/gateway/0`.
    #[arg(value_name = "NODE")]
    pub(crate) node: NodeId,
    #[command(flatten)]
    pub(crate) set: Set,
    /// What this process has on its own machine: folders, addresses, budgets, keys.
    #[arg(long, value_name = "FILE")]
    pub(crate) node_file: PathBuf,
    /// End when this process ends, which must be the one that starts this one: how the demo leaves nothing behind.
    #[arg(long, value_name = "PID", hide = true)]
    pub(crate) end_with_parent: Option<i32>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Which node the node file is for; unless given, the one that its certificate names.
    #[arg(value_name = "NODE", requires = "node_file")]
    pub(crate) node: Option<NodeId>,
    #[command(flatten)]
    pub(crate) set: Set,
    /// Also check whether a node could run with this node file: keys, secrets, certificates, budgets.
    #[arg(long, value_name = "FILE")]
    pub(crate) node_file: Option<PathBuf>,
    /// Rate at which the backlog of each consumer is measured, in bytes a second at one node.
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = bytes)]
    pub(crate) rate: u64,
    /// How the result is printed: a report for people, one JSON object, or SARIF for code review.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Sarif,
}

#[derive(Debug, Args)]
pub(crate) struct Drift {
    /// Data folders of gateways; what several found is put together.
    #[arg(value_name = "DATA", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// How the result is printed: a table for people, or one JSON object.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Certs {
    /// Make a development authority for each region and a certificate for each node of the documents.
    Dev {
        /// Where to write them.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        #[command(flatten)]
        set: Set,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Spool {
    /// Show segments, cursors, lanes, ages and sizes; never payloads.
    Inspect {
        /// The folder of one log, or of a node's data.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Trace {
    /// Say why a trace was kept or dropped: which spans arrived from where and when, how each policy voted, the verdict and its
    /// reason, and what became of spans that came late.
    ///
    /// Asks the admin listeners of nodes that sample, which remember as many traces as `history` of policies/sampling.yaml says.
    /// A trace belongs to one node of a tier: name all of them if you do not know which. Ends with 1 if none has seen it, or
    /// if one does not answer.
    Why {
        /// The id as central has it: where links blind ids, the blinded one.
        #[arg(value_name = "TRACE_ID")]
        trace: TraceId,
        #[command(flatten)]
        asked: Asked,
    },
    /// Show where traces do not join: spans whose parents are not here, and roots beside the first, by service and region.
    ///
    /// Central nodes follow a share of all traces and look at each once it has waited for `decision_wait_max`. A parent is
    /// `withheld` where the documents keep spans of a region away that may have made it, `missing` where spans of every region
    /// come and this one did not (a proxy or a service that is not instrumented took its place), `unknown` where it may still
    /// come or a sender was not heard of. Names of services are what services said. Ends with 1 if a node does not answer.
    Breaks(Asked),
}

/// Which nodes are asked, and how their answers are shown.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// Admin listener of a node that samples, such as `http://10.1.2.3:13133`; may be given several times.
    #[arg(long = "node", value_name = "ADDRESS", required = true)]
    pub(crate) nodes: Vec<String>,
    /// How the result is printed: lines for people, or one JSON object.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How long traffic is sent.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// How the result is printed: a table for people, or one JSON object.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    /// Instead of running it, write the federation out to a new folder, for running its processes by hand.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["duration", "output"])]
    pub(crate) scaffold: Option<PathBuf>,
}

/// How a result is printed: a table for people, or one JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    quantity(text)
}

fn bytes(text: &str) -> Result<u64, String> {
    quantity::<ByteSize>(text).map(ByteSize::bytes)
}

/// The same grammar as in the documents.
fn quantity<T: Read>(text: &str) -> Result<T, String> {
    // Quoted, because a bare number is not told to be put into quotes here.
    let (document, faults) = tollgate_config::parse("argument", &format!("{text:?}"));
    let value = document.root(&faults).read();
    let first = faults.iter().next().map(|fault| fault.message);
    value.ok_or_else(|| first.unwrap_or_else(|| "not a quantity".to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_is_put_together_without_a_conflict() {
        Cli::command().debug_assert();
    }

    #[test]
    fn quantities_are_written_as_in_the_documents() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert!(duration("5 parsecs").is_err() && bytes("many").is_err());
        let bare = duration("5").unwrap_err();
        assert!(bare.contains("such as 5s") && !bare.contains("quote"), "{bare}");
    }
}

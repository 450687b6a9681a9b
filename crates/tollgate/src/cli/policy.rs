//! What can be said of policies and catalogues on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use time::Date;
use tollgate_federation::{Listener, Origin, Signal};
use tollgate_residency::{Carrier, Proved, parse_day};

use super::{Output, Set};

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Run the golden cases of `policies/cases/`: what must become of a value on a path, and by which rule.
    Test(Test),
    /// Say what links would do with one attribute, or with every value of an OTLP/JSON file, and why.
    Explain(Explain),
    /// Say what crosses under one set of documents and not under another; ends with 3 if something newly crosses.
    Diff(Diff),
    /// Say what becomes illegal when an instrument falls, or what would cross if nothing were in shadow.
    WhatIf(WhatIf),
    /// Print what crosses each link: class by class, in which form.
    Show(Show),
    /// Apply to a recorded file exactly what a link would, and write what would cross to standard output.
    ///
    /// The file is what the Collector's file exporter writes: OTLP/JSON lines, or protobuf with a length of four bytes before
    /// each message; the output has the same format. What became of the values is summed up on standard error.
    Seal(Seal),
    /// Print the JSON Schema of a document, for editors.
    Schema(Schema),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Catalogue {
    /// List the keys of a release of the semantic conventions that have no class.
    Unclassified(Unclassified),
    /// Turn the drift of a running region into a catalogue of its own keys, each with a proposed class, for review.
    ///
    /// The result can stand as `policies/catalogue-own.yaml` once somebody has read it. A class is proposed by the words of the
    /// key and by nothing else; where no word is known it is `free`, which no example policy lets cross.
    Suggest(Suggest),
}

/// On which day a policy is asked.
#[derive(Debug, Args)]
pub(crate) struct Day {
    /// Day on which instruments and accepted risks are judged, such as 2027-02-11; today unless given.
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub(crate) on: Option<Date>,
}

/// Of which documents something is asked, on which day, and how the answer is printed.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    pub(crate) set: Set,
    #[command(flatten)]
    pub(crate) day: Day,
    /// How the result is printed: text for people, or one JSON object.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Files of golden cases, instead of all in `policies/cases/`.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A file of OTLP/JSON: one request, or one a line.
    #[arg(value_name = "FILE", required_unless_present_any = ["attribute", "carrier"], conflicts_with_all = ["attribute", "carrier"])]
    pub(crate) file: Option<PathBuf>,
    /// The key of an attribute.
    #[arg(long, value_name = "KEY")]
    pub(crate) attribute: Option<String>,
    /// Where it stands, such as `resource.attributes`, or a carrier with a value of its own, such as `span.name`.
    #[arg(long, value_name = "CARRIER", value_parser = carrier)]
    pub(crate) carrier: Option<Carrier>,
    /// The signal; every one that a link carries unless given.
    #[arg(long, value_name = "SIGNAL", value_parser = signal)]
    pub(crate) signal: Option<Signal>,
    /// Links that start in this region, or at this tier.
    #[arg(long, value_name = "REGION")]
    pub(crate) from: Option<String>,
    /// Links that lead to this region, tier or backend.
    #[arg(long, value_name = "REGION")]
    pub(crate) to: Option<String>,
    /// Where the data comes from, such as `EEA` or `EEA+UK`; every origin that can come over a link unless given.
    #[arg(long, value_name = "REGIME", value_parser = origin)]
    pub(crate) origin: Option<Origin>,
    #[command(flatten)]
    pub(crate) sent: Sent,
    #[command(flatten)]
    pub(crate) says: Says,
    /// Take the resource for somebody's device.
    #[arg(long)]
    pub(crate) device: bool,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// What is proved of who sent it; what rules hold back for any sender is held back where this is not known.
#[derive(Debug, Args)]
pub(crate) struct Sent {
    /// The cluster of the sending region whose collector sent it; without it no cluster is proved, and what rules hold back for
    /// any is held back.
    #[arg(long, value_name = "CLUSTER")]
    pub(crate) cluster: Option<String>,
    /// The listener by which that collector received it, otlp_grpc or otlp_http; without it none is known, and what rules hold
    /// back for either is held back.
    #[arg(long, value_name = "LISTENER", value_parser = listener)]
    pub(crate) listener: Option<Listener>,
}

impl Sent {
    /// As who applies rules knows it.
    pub(crate) fn proved(&self) -> Proved<'_> {
        Proved { cluster: self.cluster.as_deref(), listener: self.listener }
    }
}

/// What the resource says of itself; a file says it for each of its own.
#[derive(Debug, Args)]
pub(crate) struct Says {
    /// The `service.name` of the resource; without it the service is not clear, and what rules hold back for any is held back.
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub(crate) service: Option<String>,
    /// The `service.namespace` of the resource.
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub(crate) namespace: Option<String>,
    /// The `deployment.environment.name` of the resource.
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub(crate) environment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// Folder of the documents as they are, or one residency policy; the other documents of one are those of `--set`.
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// Folder of the documents as they would be, or one residency policy.
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// What a collector recorded (`shapes: record` in its node file, `shapes/shapes.json` in its data folder): also say how many
    /// records a day each change touches, at most. May be given for several collectors.
    #[arg(long, value_name = "FILE")]
    pub(crate) shapes: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct WhatIf {
    /// The instrument that falls; may be given more than once.
    #[arg(long, value_name = "INSTRUMENT", required_unless_present = "unshadowed")]
    pub(crate) without: Vec<String>,
    /// As if everything held that is in shadow.
    #[arg(long)]
    pub(crate) unshadowed: bool,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct Seal {
    /// What was recorded.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) set: Set,
    /// The region or tier that would send.
    #[arg(long, value_name = "REGION")]
    pub(crate) from: String,
    /// The region, tier or backend that would receive.
    #[arg(long, value_name = "REGION")]
    pub(crate) to: String,
    /// What the file holds.
    #[arg(long, value_name = "SIGNAL", value_parser = signal)]
    pub(crate) signal: Signal,
    /// Where the data comes from; the regime of the sending region unless given.
    #[arg(long, value_name = "REGIME", value_parser = origin)]
    pub(crate) origin: Option<Origin>,
    #[command(flatten)]
    pub(crate) sent: Sent,
    /// Make pseudonyms with keys that are made up for this run; without it, what needs a key stays.
    #[arg(long)]
    pub(crate) dev_keys: bool,
    #[command(flatten)]
    pub(crate) day: Day,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Which document: residency, catalogue, cases or sampling.
    #[arg(value_name = "DOCUMENT", value_parser = ["residency", "catalogue", "cases", "sampling"])]
    pub(crate) document: String,
}

#[derive(Debug, Args)]
pub(crate) struct Unclassified {
    /// A JSON list of keys; a template ends in `.*`.
    #[arg(value_name = "FILE")]
    pub(crate) keys: PathBuf,
    #[command(flatten)]
    pub(crate) set: Set,
    /// How the result is printed: a line for each key, or a JSON list.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Suggest {
    /// Data folders of gateways.
    #[arg(value_name = "DATA", required = true)]
    pub(crate) data: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) set: Set,
}

fn day(text: &str) -> Result<Date, String> {
    parse_day(text).ok_or_else(|| "expected a date such as 2027-02-11".to_owned())
}

fn signal(text: &str) -> Result<Signal, String> {
    text.parse().map_err(|_| "expected traces, metrics or logs".to_owned())
}

fn listener(text: &str) -> Result<Listener, String> {
    text.parse::<Listener>().map_err(|error| error.to_string())
}

fn origin(text: &str) -> Result<Origin, String> {
    text.parse::<Origin>().map_err(|error| error.to_string())
}

fn carrier(text: &str) -> Result<Carrier, String> {
    let found = Carrier::ALL.iter().copied().find(|carrier| carrier.as_str() == text);
    found.ok_or_else(|| {
        let known = Carrier::ALL.iter().map(|carrier| carrier.as_str());
        match tollgate_config::nearest(text, known.clone()) {
            Some(near) => format!("no carrier is called so, did you mean {near}?"),
            None => format!("expected one of {}", known.collect::<Vec<_>>().join(", ")),
        }
    })
}

//! What can be said of keys and of those whom data is about on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, Time};
use tollgate_federation::NodeId;
use tollgate_residency::parse_day;

use super::{Output, Set, duration};

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make keys: a folder for each, and in it the root of the epoch that is now.
    ///
    /// A key that blinds ids is made in one region only, for all: it is left out unless it is named.
    ///
    /// Refuses where there is a root already. All gateways of a region need the same roots: make them on one machine and
    /// copy the folders, or let all read one folder.
    New(New),
    /// Make the roots that are missing of this epoch and of those that come; does nothing if all are there.
    ///
    /// A key that blinds ids is left out unless it is named: one region makes its roots, and the others get copies.
    ///
    /// For a scheduled job: it can run at any time and as often as it likes. Running gateways take new roots up by
    /// themselves. Of the gateways of a region one runs it, and the others get its roots.
    Rotate(Rotate),
    /// Destroy the roots whose epoch ended longer than `retain` ago, or those of a named epoch.
    ///
    /// A root is overwritten and removed, and `destroyed.jsonl` in the key's folder says when. From then on nobody can make
    /// its pseudonyms again or find out whom they stand for. What was copied elsewhere, backups among it, is not reached:
    /// destroy it there too. The root of the epoch that is now is never destroyed.
    Destroy(Destroy),
    /// List roots: their epochs, what is to be done with them, and which keys pseudonyms made with them name.
    List(List),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Subject {
    /// Print the pseudonyms of somebody, whose name in the data is read from standard input.
    ///
    /// For requests of access and erasure. Only where the roots lie, in the region that the data comes from. Every
    /// pseudonym is printed that can have been made with a root that is still there: for each epoch of any length, and each
    /// destination, by the documents of --set and by all that were in force on this node before. Where these cannot be
    /// read, or name a key that the node file does not, that is said and the command ends with 78.
    Find(Find),
}

/// Where keys lie, and which of them.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The names of keys; all that the node file and the policy name unless given.
    #[arg(value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    #[command(flatten)]
    pub(crate) set: Set,
    /// The node file of a gateway: it says where the keys lie.
    #[arg(long, value_name = "FILE")]
    pub(crate) node_file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct New {
    #[command(flatten)]
    pub(crate) which: Which,
}

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Make the roots of all epochs that begin so soon, and in any case the next one's.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    pub(crate) ahead: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Destroy {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Instead of the roots that are due, destroy those of the epoch that begins then, such as 2026-11-03.
    #[arg(long, value_name = "TIME", requires_all = ["yes", "keys"], value_parser = moment)]
    pub(crate) epoch: Option<u64>,
    /// With --epoch: what was named in that epoch shall never be found again.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) node: Node,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) node: Node,
    /// How the result is printed: text for people, or one JSON object.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Find {
    /// The group of the transforms, such as `user`.
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: String,
    #[command(flatten)]
    pub(crate) set: Set,
    /// The node file of a gateway: it says where the keys lie.
    #[arg(long, value_name = "FILE")]
    pub(crate) node_file: PathBuf,
    #[command(flatten)]
    pub(crate) node: Node,
    /// How the result is printed: text for people, or one JSON object.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// Whose links the pseudonyms go over.
#[derive(Debug, Args)]
pub(crate) struct Node {
    /// Which node the node file is for; unless given, the one that its certificate names.
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<NodeId>,
}

/// Seconds since the Unix epoch.
fn moment(text: &str) -> Result<u64, String> {
    let day = parse_day(text).map(|day| day.with_time(Time::MIDNIGHT).assume_utc());
    let moment = day.or_else(|| OffsetDateTime::parse(text, &Rfc3339).ok());
    let seconds = moment.and_then(|moment| u64::try_from(moment.unix_timestamp()).ok());
    seconds.ok_or_else(|| "expected a day or a moment such as 2026-11-03 or 2026-11-03T12:00:00Z".to_owned())
}

//! What all parts of a running node share.

pub(crate) mod archive;
pub(crate) mod backlogs;
pub(crate) mod counters;
pub(crate) mod in_force;
pub(crate) mod keys;
pub(crate) mod lags;
pub(crate) mod launch;
pub(crate) mod logs;
pub(crate) mod machine;
pub(crate) mod node_file;
pub(crate) mod open;
pub(crate) mod outlets;
pub(crate) mod pages;
pub(crate) mod reload;
pub(crate) mod run;
pub(crate) mod secrets;
mod senders;
pub(crate) mod start;
pub(crate) mod unfit;
pub(crate) mod variables;
pub(crate) mod ways;

use std::path::PathBuf;
use std::sync::Arc;

use tollgate_config::ByteSize;
use tollgate_disk::Disk;
use tollgate_federation::{Federation, NodeId, Origin, Signal};
use tollgate_keys::KeyRing;
use tollgate_runtime::{Clock, Metrics, Shutdown, TaskGroup, Workers};
use tollgate_transport::{Dns, ServerTls, TierTls};

use crate::admit::attendance::Attendance;
use crate::documents::Documents;
use crate::hold::correlation::breaks::Breaks;
use crate::hold::history::History;
use crate::node::archive::Archive;
use crate::node::counters::{ConsumerCounters, Counters};
use crate::node::node_file::NodeFile;
use crate::node::reload::Reloader;
use crate::node::secrets::Secrets;
use crate::receive::listeners::Listeners;

/// What all parts of a running node share.
pub(crate) struct Node {
    pub(crate) me: NodeId,
    /// Differs at each start.
    pub(crate) boot: u64,
    /// The documents it was started on: its parts were built from them. What crosses is decided by those in force.
    pub(crate) documents: Arc<Documents>,
    pub(crate) federation: Arc<Federation>,
    pub(crate) reloader: Arc<Reloader>,
    pub(crate) archive: Arc<Archive>,
    pub(crate) file: NodeFile,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) secrets: Secrets,
    pub(crate) tls: TierTls,
    /// What a collector proves itself to services with, if the documents do not say plain text.
    pub(crate) services: Option<ServerTls>,
    /// What requests may take in memory.
    pub(crate) memory: ByteSize,
    pub(crate) dns: Option<Dns>,
    /// The origin of what this region's own services send.
    pub(crate) home: Origin,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    /// Where others send traces to: who of them lags.
    pub(crate) attendance: Option<Arc<Attendance>>,
    /// Where traces are judged, and unless the documents want none: why they were kept or dropped.
    pub(crate) history: Option<History>,
    /// Beside the history: what of traces does not join.
    pub(crate) breaks: Option<Breaks>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) metrics: Metrics,
    pub(crate) workers: Arc<Workers>,
    pub(crate) tasks: TaskGroup,
    pub(crate) shutdown: Shutdown,
    pub(crate) listeners: Listeners,
}

impl Node {
    /// A folder of this process's state.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.file.data.join(name)
    }

    /// The counters of a consumer.
    pub(crate) fn consumer(&self, name: &str, signal: Signal) -> Arc<ConsumerCounters> {
        self.counters.consumer(name, signal)
    }
}

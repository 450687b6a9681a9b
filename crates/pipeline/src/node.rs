//! What all parts of a running node share.

use std::path::PathBuf;
use std::sync::Arc;

use tollgate_disk::Disk;
use tollgate_federation::{Federation, NodeId, Origin, Signal};
use tollgate_runtime::{Clock, Shutdown, TaskGroup, Workers};
use tollgate_transport::{Dns, TierTls};

use crate::archive::Archive;
use crate::counters::{ConsumerCounters, Counters};
use crate::documents::Documents;
use crate::keys::KeyRing;
use crate::listeners::Listeners;
use crate::node_file::NodeFile;

/// What all parts of a running node share.
pub(crate) struct Node {
    pub(crate) me: NodeId,
    /// Differs at each start.
    pub(crate) boot: u64,
    pub(crate) documents: Arc<Documents>,
    pub(crate) federation: Arc<Federation>,
    pub(crate) archive: Arc<Archive>,
    pub(crate) file: NodeFile,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) tls: TierTls,
    pub(crate) dns: Option<Dns>,
    /// The origin of what this region's own services send.
    pub(crate) home: Origin,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) counters: Arc<Counters>,
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

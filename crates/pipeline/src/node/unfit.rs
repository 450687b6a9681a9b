//! Why a node cannot run with what it has on its machine, or hardly should.
//!
//! Promises:
//! 1. Each reason says whether somebody has to change something first, or a later start may go better by itself.
//! 2. No message carries a secret or a key.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use tollgate_config::{At, ByteSize};
use tollgate_federation::{BackendId, NodeId, PlaceId, Role};
use tollgate_keys::KeyError;
use tollgate_transport::TlsError;

use crate::node::node_file::SMALLEST_MEMORY;
use crate::node::secrets::SecretError;
use crate::send::backends::BackendError;

/// Something that lets a node run, but hardly as it was meant to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Warning {
    /// The policy asks for pseudonyms or blinded ids that nobody can make here.
    #[error(
        "no key {key} in the node file: what crosses to {to} as a pseudonym or a blinded id by it is absent instead"
    )]
    KeyMissing {
        /// The key's name in the policy.
        key: String,
        /// Where the link leads.
        to: PlaceId,
    },
    /// The key is named, and its folder has no root for what arrives now or soon.
    #[error(
        "key {key} has no root for {from} to {until}: what crosses to {to} as a pseudonym or a blinded id by it is absent then"
    )]
    RootMissing {
        /// The key's name in the policy.
        key: String,
        /// When the epoch began.
        from: String,
        /// When it ends.
        until: String,
        /// Where the link leads.
        to: PlaceId,
    },
    /// The machine gives less memory than is needed.
    #[error("half of the memory here, {half}, is too little: {SMALLEST_MEMORY} is taken as the budget")]
    LittleMemory {
        /// Half of what the machine or the cgroup gives.
        half: ByteSize,
    },
    /// The node file promises what the machine does not have.
    #[error("budgets.memory is {budget}, but the memory here is {limit}")]
    MuchMemory {
        /// What the node file says.
        budget: ByteSize,
        /// What the machine or the cgroup gives.
        limit: ByteSize,
    },
    /// The sampling policy asks for what requests under way leave of it.
    #[error(
        "sampling takes up to {sampling} of memory, once as many traces wait and are remembered as policies/sampling.yaml says, and \
         budgets.memory leaves {left} of {limit}: lower num_traces, decision_cache, decision_wait_max or history, or that budget"
    )]
    MuchSampling {
        /// What it takes at most.
        sampling: ByteSize,
        /// What the machine or the cgroup gives beyond the budget.
        left: ByteSize,
        /// What it gives in all.
        limit: ByteSize,
    },
    /// So does the node file for the disk.
    #[error("budgets.disk is {budget}, but the whole file system of {} has {size}", folder.display())]
    MuchDisk {
        /// What the node file says, or leaves to us.
        budget: ByteSize,
        /// The data folder.
        folder: PathBuf,
        /// What the file system has in all.
        size: ByteSize,
    },
    /// An address for a listener that the documents do not give the cluster.
    #[error("{0}: the documents give the cluster no such listener; nothing listens here")]
    ClosedListener(At),
}

/// One reason why a node cannot run with what it has.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Nobody expects it.
    #[error("the documents have no place for the node {0}")]
    UnknownNode(NodeId),
    /// It cannot prove who it is.
    #[error("the node file needs `identity`: who this node is between tiers")]
    NoIdentity,
    /// It proves to be another.
    #[error("the certificate is for {proved}, this node is {me}")]
    OtherNode {
        /// Whom the certificate names.
        proved: Box<NodeId>,
        /// Who was asked to run.
        me: Box<NodeId>,
    },
    /// The logs do not fit.
    #[error("{at}: {disk} is too little for the logs of a {role}: it is at least {least}")]
    LittleDisk {
        /// Where it is said.
        at: Box<At>,
        /// What is said.
        disk: ByteSize,
        /// The node's role.
        role: Role,
        /// What its logs need.
        least: ByteSize,
    },
    /// An address that nobody would listen on.
    #[error("{at}: a {role} has no such listener")]
    NoListener {
        /// Where it is said.
        at: Box<At>,
        /// The node's role.
        role: Role,
    },
    /// An address is none of this machine's.
    #[error("{}cannot listen on {address}: {source}", at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default())]
    Address {
        /// Where the node file says it; nowhere if the documents do.
        at: Option<Box<At>>,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing can be kept where it is to be kept.
    #[error("cannot make the data folder {} in {}: {source}", folder.display(), ground.display())]
    DataFolder {
        /// The folder.
        folder: PathBuf,
        /// What there is of its path.
        ground: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A certificate, its key or an authority cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A backend cannot be reached as it is written.
    #[error("{id}: {source}")]
    Backend {
        /// The backend.
        id: Box<BackendId>,
        /// Why.
        source: Box<BackendError>,
    },
}

impl Fault {
    fn may_pass(&self) -> bool {
        match self {
            Self::Key(fault) => fault.may_pass(),
            Self::Secret(fault) => fault.may_pass(),
            Self::Tls(fault) => fault.may_pass(),
            Self::Backend { source, .. } => matches!(&**source, BackendError::Tls(fault) if fault.may_pass()),
            // An interface may come up later, as a full or broken disk may be mended.
            Self::Address { .. } => true,
            Self::DataFolder { source, .. } => tollgate_disk::may_pass(source),
            Self::UnknownNode(_)
            | Self::NoIdentity
            | Self::OtherNode { .. }
            | Self::LittleDisk { .. }
            | Self::NoListener { .. } => false,
        }
    }
}

/// Every reason why a node cannot run with what it has, one a line.
#[derive(Debug)]
pub struct Unfit(Vec<Fault>);

impl Unfit {
    pub(crate) fn new(faults: Vec<Fault>) -> Self {
        Self(faults)
    }

    /// Whether a later start may succeed although nobody has changed a file.
    pub fn may_pass(&self) -> bool {
        self.0.iter().all(Fault::may_pass)
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(Fault::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Unfit {}

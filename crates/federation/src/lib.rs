//! The federation: regions, regimes, clusters, tiers, links, places, node identities, signals and origins.
//!
//! Promises:
//! 1. A reference that leads nowhere, and a link that could never carry what it names, are faults of the documents.
//! 2. Who may send to whom, and which origins may come over a link, follows from the documents and from nothing else.
//! 3. Only a `Federation` makes a `LocalPlace`: the proof that a place lies inside the asking node's region and regime.
//!
//! Not here: what may cross a link in which form (`tollgate_residency`), YAML (`tollgate_config`).

mod address;
mod admit;
mod backend;
mod closure;
mod cluster;
mod connect;
mod draft;
mod federation;
mod link;
mod listener;
mod local;
mod manifest;
mod name;
mod node;
mod origin;
mod partly;
mod place;
mod region;
mod signal;
mod thinning;
mod tier;

pub use address::{AddressError, HostPort, HttpUrl};
pub use admit::{NoWay, NotAdmitted, Via};
pub use backend::{Backend, BackendTarget, BackendTls, Compression, HeaderValue, Traces};
pub use cluster::{Batch, Cluster, DropRule, Listen, Stamp, StampSource, Tls};
pub use draft::{FederationDraft, Reliance};
pub use federation::{Federation, NodeIn};
pub use link::{Link, LinkId};
pub use listener::{Listener, UnknownListener};
pub use local::LocalPlace;
pub use manifest::{Manifest, ManifestError, Presence, Progress};
pub use name::{Name, NameError};
pub use node::{IdentityError, NodeId, Role, TierId};
pub use origin::{Origin, OriginError, Regime};
pub use place::{BackendId, Note, Place, PlaceId};
pub use region::Region;
pub use signal::{Signal, Signals, UnknownSignal};
pub use thinning::Thinning;
pub use tier::{Nodes, StaticNode, Tier};

//! What travels with every parcel between tiers.
//!
//! Promises:
//! 1. What was encoded is decoded to the same manifest; anything else is refused without a panic.
//! 2. Decoding allocates no more than the names it has checked; bytes left over are a fault.
//!
//! Not here: the metadata that carries it (`tollgate_transport`), whether its claims hold (`Federation`).

use crate::listener::Listener;
use crate::node::{IdentityError, NodeId};
use crate::origin::{Origin, OriginError};
use crate::signal::Signal;

/// The bill of lading of one parcel. Times are nanoseconds since the Unix epoch: this crate has no clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Who sends it.
    pub node: NodeId,
    /// Changes whenever the sender starts.
    pub boot: u64,
    /// Counts the sender's parcels since it started.
    pub parcel: u64,
    /// The regimes that the data comes from.
    pub origin: Origin,
    /// The digest of the link's policy that sealed it; zero inside a region.
    pub policy: [u8; 32],
    /// The digest of the link's policy in force at the sender, which lets through at least as much: what sealed the parcel
    /// is that one, or its meet with an earlier one. Zero inside a region.
    pub in_force: [u8; 32],
    /// What it carries.
    pub signal: Signal,
    /// How many items it carries.
    pub items: u32,
    /// Arrival of the oldest and of the newest item.
    pub interval: (u64, u64),
    /// The positions it covers in the sender's log, from and to.
    pub positions: (u64, u64),
    /// How far the sender is on this way; `None` where nobody waits for it.
    pub progress: Option<Progress>,
    /// By which listener of the collector that sends it all of it came; `None` where it does not say.
    pub listener: Option<Listener>,
}

/// How far a sender is, by its own clock: whatever reached it before `oldest_unsent` was acknowledged by the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Arrival of the oldest item that may be on its way or not sent yet; `now` when there is none.
    pub oldest_unsent: u64,
    /// When the sender wrote this: how long that item has waited is the difference, whatever clock the receiver has.
    pub now: u64,
    /// Whether there is more to come.
    pub presence: Presence,
}

/// Whether a sender is waited for when it is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// It is.
    #[default]
    Stays,
    /// It has sent everything and ends: nothing comes until it starts again.
    Leaves,
}

/// Why bytes are not a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Written by a release that this one does not know.
    #[error("manifest version {0} is not known here")]
    Version(u8),
    /// Fewer bytes than its fields need.
    #[error("the manifest is cut short")]
    Truncated,
    /// More bytes than its fields need.
    #[error("the manifest has bytes left over")]
    Trailing,
    /// A text that is not UTF-8.
    #[error("the manifest has a text that is not utf-8")]
    Text,
    /// A signal or flag that does not exist.
    #[error("the manifest has an unknown {0}")]
    Unknown(&'static str),
    /// A range whose end lies before its beginning.
    #[error("the manifest has {0} that end before they begin")]
    Backwards(&'static str),
    /// Not the identity of a node.
    #[error("the manifest names no node: {0}")]
    Node(#[from] IdentityError),
    /// Not an origin.
    #[error("the manifest has no origin: {0}")]
    Origin(#[from] OriginError),
}

/// What says neither a listener nor goodbye is written as it was before there was either, so that older releases take it.
const PLAIN: u8 = 3;
/// The same, then the listener; older releases ask to come back later with it.
const SAYS_MORE: u8 = 4;

impl Manifest {
    /// Encodes it: a version byte, then the fields in order, integers little endian, texts behind their length.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.version()];
        put_text(&mut out, &self.node.to_string());
        out.extend(self.boot.to_le_bytes());
        out.extend(self.parcel.to_le_bytes());
        put_text(&mut out, &self.origin.to_string());
        out.extend(self.policy);
        out.extend(self.in_force);
        out.push(match self.signal {
            Signal::Traces => 0,
            Signal::Metrics => 1,
            Signal::Logs => 2,
        });
        out.extend(self.items.to_le_bytes());
        let (interval, positions) = (self.interval, self.positions);
        for number in [interval.0, interval.1, positions.0, positions.1] {
            out.extend(number.to_le_bytes());
        }
        out.push(match self.progress.map(|progress| progress.presence) {
            None => 0,
            Some(Presence::Stays) => 1,
            Some(Presence::Leaves) => 2,
        });
        let progress =
            self.progress.map(|Progress { oldest_unsent, now, .. }| [oldest_unsent, now].map(u64::to_le_bytes));
        out.extend(progress.into_iter().flatten().flatten());
        if self.version() == SAYS_MORE {
            out.push(match self.listener {
                None => 0,
                Some(Listener::OtlpGrpc) => 1,
                Some(Listener::OtlpHttp) => 2,
            });
        }
        out
    }

    fn version(&self) -> u8 {
        let leaves = self.progress.is_some_and(|progress| progress.presence == Presence::Leaves);
        if leaves || self.listener.is_some() { SAYS_MORE } else { PLAIN }
    }

    /// Reads what `encode` wrote.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut reader = Reader { rest: bytes };
        let version = reader.byte()?;
        if ![PLAIN, SAYS_MORE].contains(&version) {
            return Err(ManifestError::Version(version));
        }
        let manifest = Self {
            node: reader.text()?.parse()?,
            boot: reader.number()?,
            parcel: reader.number()?,
            origin: reader.text()?.parse()?,
            policy: reader.take()?,
            in_force: reader.take()?,
            signal: reader.signal()?,
            items: u32::from_le_bytes(reader.take()?),
            interval: reader.range("intervals")?,
            positions: reader.range("positions")?,
            progress: reader.progress()?,
            listener: if version == SAYS_MORE { reader.listener()? } else { None },
        };
        match reader.rest {
            [] if manifest.version() != version => Err(ManifestError::Unknown("flag")),
            [] => Ok(manifest),
            _ => Err(ManifestError::Trailing),
        }
    }
}

/// Identities and origins are far shorter than two bytes can say: their grammars bound them.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(bytes);
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ManifestError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(ManifestError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8, ManifestError> {
        self.take().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u64, ManifestError> {
        self.take().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<&'b str, ManifestError> {
        let length = usize::from(u16::from_le_bytes(self.take()?));
        let (text, rest) = self.rest.split_at_checked(length).ok_or(ManifestError::Truncated)?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|_| ManifestError::Text)
    }

    fn signal(&mut self) -> Result<Signal, ManifestError> {
        match self.byte()? {
            0 => Ok(Signal::Traces),
            1 => Ok(Signal::Metrics),
            2 => Ok(Signal::Logs),
            _ => Err(ManifestError::Unknown("signal")),
        }
    }

    fn listener(&mut self) -> Result<Option<Listener>, ManifestError> {
        match self.byte()? {
            0 => Ok(None),
            1 => Ok(Some(Listener::OtlpGrpc)),
            2 => Ok(Some(Listener::OtlpHttp)),
            _ => Err(ManifestError::Unknown("listener")),
        }
    }

    fn range(&mut self, what: &'static str) -> Result<(u64, u64), ManifestError> {
        let (from, to) = (self.number()?, self.number()?);
        if from <= to { Ok((from, to)) } else { Err(ManifestError::Backwards(what)) }
    }

    fn progress(&mut self) -> Result<Option<Progress>, ManifestError> {
        let presence = match self.byte()? {
            0 => return Ok(None),
            1 => Presence::Stays,
            2 => Presence::Leaves,
            _ => return Err(ManifestError::Unknown("flag")),
        };
        let (oldest_unsent, now) = self.range("waits")?;
        Ok(Some(Progress { oldest_unsent, now, presence }))
    }
}

//! Gathers a request's body under the byte budget.
//!
//! Promises:
//! 1. Whoever waits for the budget holds none of it, so half-sent messages cannot block each other.
//! 2. Nothing waits longer than the deadline: neither for the sender nor for the budget. Where others find no room, who
//!    sends nothing for a second gives way.
//! 3. A body that is shorter or longer than it declared is refused, not passed on cut.
//!
//! Outside the budget stay what HTTP/2 has buffered of a request and the one chunk that it waits with: its seat stands for
//! both, so that seats bound them whatever the number of streams and connections.

use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};
use tollgate_federation::Compression;
use tollgate_runtime::{ByteBudget, Permit};

use super::connection::{OPEN_FRAME, OPEN_STREAM_WINDOW};
use super::denial::Denial;
use super::listener::Limits;
use crate::inflate::{InflateError, inflate};

/// The head of a gRPC message: one byte of flags, four of length.
pub(crate) const PREFIX: usize = 5;

/// Chunks below this are copied: a small one may keep alive the much larger buffer it was cut from.
const WORTH_SHARING: usize = 8 << 10;

/// What a body that declares its length may take before it has arrived: one parcel between tiers. More is taken only as it
/// comes, so that a few bytes which promise many do not hold the budget.
const UPFRONT: usize = 512 << 10;
/// Room is made for at most so many times the bytes that are covered.
const MOST_AHEAD: usize = 4;

/// What may be in memory of a request that waits: a stream's window, and one frame. Between tiers both are larger, and the
/// peers are known and few.
pub(crate) const SEAT: u64 = OPEN_STREAM_WINDOW as u64 + OPEN_FRAME as u64;

/// How long a sender may be silent where others find no room.
const SILENCE: Duration = Duration::from_secs(1);

/// How the length of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// The prefix of the one message says it.
    Grpc,
    /// `content-length` says it.
    Length(u64),
    /// Only its end does. On HTTP/2 a reset can look like one; what is taken then is the beginning of a request that its
    /// sender, who saw no answer, sends again.
    Open,
}

/// Bytes in memory and the permit for them.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    pub(crate) permit: Permit,
}

impl Held {
    /// Replaces compressed bytes by what they stand for, which is taken from the budget as it grows.
    pub(crate) fn inflated(self, compression: Compression, gate: &Gate<'_>) -> Result<Self, Denial> {
        if compression == Compression::None {
            return Ok(self);
        }
        let mut permit = self.permit;
        let packed = permit.bytes();
        let limit = gate.limits.max_message;
        let outcome = inflate(compression, &self.bytes, limit, |step| gate.grow(&mut permit, step).is_ok());
        let bytes = outcome.map_err(|error| match error {
            InflateError::Malformed => Denial::Malformed(error.to_string()),
            InflateError::TooLarge => gate.too_large(),
            InflateError::NoRoom => gate.exhausted(),
        })?;
        drop(self.bytes);
        permit.shrink_to(permit.bytes() - packed);
        Ok(Self { bytes: bytes.into(), permit })
    }
}

/// What one request may take, and until when.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) budget: &'a ByteBudget,
    pub(crate) deadline: Instant,
    pub(crate) arriving: &'a ByteBudget,
    /// Given back when the body is there.
    pub(crate) seat: Permit,
}

impl Gate<'_> {
    pub(crate) const fn too_large(&self) -> Denial {
        Denial::TooLarge { limit: self.limits.max_message as u64 }
    }

    pub(crate) const fn exhausted(&self) -> Denial {
        Denial::Exhausted { retry_after: self.limits.retry_after }
    }

    /// Takes `step` bytes more without waiting: whoever holds something never waits.
    pub(crate) fn grow(&self, permit: &mut Permit, step: usize) -> Result<(), Denial> {
        let more = self.budget.try_take(step as u64).ok_or_else(|| self.exhausted())?;
        permit.merge(more);
        Ok(())
    }

    /// Waits for bytes while holding none.
    async fn reserve(&self, bytes: usize) -> Result<Permit, Denial> {
        match timeout_at(self.deadline, self.budget.take(bytes as u64)).await {
            Ok(permit) => permit.ok_or(Denial::TooLarge { limit: self.budget.total() }),
            Err(_) => Err(self.exhausted()),
        }
    }

    /// Reads a body whole.
    pub(crate) async fn gather<B>(&self, body: B, framing: Framing) -> Result<Held, Denial>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        self.read(body, framing).await.map(|(_, held)| held)
    }

    /// Reads the one message of a gRPC body, and whether it is compressed.
    pub(crate) async fn message<B>(&self, body: B) -> Result<(bool, Held), Denial>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (prefix, held) = self.read(body, Framing::Grpc).await?;
        Ok((prefix.first() == Some(&1), held))
    }

    async fn read<B>(&self, mut body: B, framing: Framing) -> Result<(Vec<u8>, Held), Denial>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let mut gathering = Gathering::new(self, framing);
        if let Framing::Length(length) = framing {
            gathering.declare(usize::try_from(length).map_err(|_| self.too_large())?).await?;
        }
        loop {
            match self.next(&mut body).await? {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => gathering.push(data).await?,
                    Err(_trailers) => {}
                },
                Some(Err(_)) => return Err(Denial::Malformed("the body broke off".into())),
                None => return gathering.finish().await,
            }
        }
    }
}

impl Gate<'_> {
    /// The next piece of a body.
    async fn next<B>(&self, body: &mut B) -> Result<Option<Result<Frame<Bytes>, B::Error>>, Denial>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        loop {
            // Cancel safe: what has not arrived is not lost.
            match timeout_at(self.deadline.min(Instant::now() + SILENCE), body.frame()).await {
                Ok(frame) => return Ok(frame),
                Err(_) if Instant::now() < self.deadline && !self.is_crowded() => {}
                Err(_) => return Err(Denial::Unavailable { retry_after: self.limits.retry_after }),
            }
        }
    }

    /// Whether somebody else may find no room.
    fn is_crowded(&self) -> bool {
        self.arriving.available() < self.seat.bytes() || self.budget.available() < UPFRONT as u64
    }
}

struct Gathering<'a> {
    gate: &'a Gate<'a>,
    framing: Framing,
    /// What has come of the prefix of a gRPC message; the rest does not count it.
    prefix: Vec<u8>,
    declared: Option<usize>,
    have: Vec<u8>,
    /// The body, if it came in one chunk: then nothing is copied.
    whole: Option<Bytes>,
    permit: Option<Permit>,
}

impl<'a> Gathering<'a> {
    const fn new(gate: &'a Gate<'a>, framing: Framing) -> Self {
        Self { gate, framing, prefix: Vec::new(), declared: None, have: Vec::new(), whole: None, permit: None }
    }

    async fn declare(&mut self, length: usize) -> Result<(), Denial> {
        if length > self.gate.limits.max_message {
            return Err(self.gate.too_large());
        }
        self.permit = Some(self.gate.reserve(length.min(UPFRONT)).await?);
        self.declared = Some(length);
        Ok(())
    }

    async fn push(&mut self, mut data: Bytes) -> Result<(), Denial> {
        if self.framing == Framing::Grpc && self.declared.is_none() {
            let missing = PREFIX - self.prefix.len();
            self.prefix.extend_from_slice(&data.split_to(missing.min(data.len())));
            let Some(length) = message_length(&self.prefix)? else { return Ok(()) };
            self.declare(length).await?;
        }
        self.cover(self.len() + data.len()).await?;
        if self.declared == Some(data.len()) && data.len() >= WORTH_SHARING {
            self.whole = Some(data);
        } else {
            self.make_room(data.len());
            self.have.extend_from_slice(&data);
        }
        Ok(())
    }

    /// Room for all that the permit covers, at once: growing from chunk to chunk would copy most of it again. A body of
    /// which a good part is there gets room for all of it, though never for many times what is covered.
    fn make_room(&mut self, more: usize) {
        if self.have.len() + more > self.have.capacity() {
            let covered = self.permit.as_ref().map_or(0, Permit::bytes);
            let covered = usize::try_from(covered).unwrap_or(more);
            let whole = self.declared.filter(|_| self.have.len() + more > UPFRONT).unwrap_or(0);
            let whole = whole.min(covered.saturating_mul(MOST_AHEAD));
            self.have.reserve_exact(covered.max(whole).saturating_sub(self.have.len()).max(more));
        }
    }

    /// Takes what `total` bytes need: by doubling, so that what is copied stays linear.
    async fn cover(&mut self, total: usize) -> Result<(), Denial> {
        let ceiling = self.declared.unwrap_or(self.gate.limits.max_message);
        if total > ceiling {
            let longer = || Denial::Malformed("the body is longer than declared".into());
            return Err(self.declared.map_or_else(|| self.gate.too_large(), |_| longer()));
        }
        let held = usize::try_from(self.permit.as_ref().map_or(0, Permit::bytes)).unwrap_or(usize::MAX);
        let wanted = total.max(held.saturating_mul(2)).min(ceiling);
        match &mut self.permit {
            None => self.permit = Some(self.gate.reserve(wanted).await?),
            Some(permit) if total > held => self.gate.grow(permit, wanted - held)?,
            Some(_) => {}
        }
        Ok(())
    }

    async fn finish(self) -> Result<(Vec<u8>, Held), Denial> {
        let complete = match (self.framing, self.declared) {
            (Framing::Open, _) => true,
            (_, Some(declared)) => self.len() == declared,
            (_, None) => false,
        };
        if !complete {
            return Err(Denial::Malformed("the body ends early".into()));
        }
        let permit = match self.permit {
            Some(permit) => permit,
            None => self.gate.reserve(0).await?,
        };
        Ok((self.prefix, Held { bytes: self.whole.unwrap_or_else(|| self.have.into()), permit }))
    }

    fn len(&self) -> usize {
        self.whole.as_ref().map_or(self.have.len(), Bytes::len)
    }
}

/// The length of the message, as soon as its prefix is there.
fn message_length(prefix: &[u8]) -> Result<Option<usize>, Denial> {
    match *prefix {
        [0 | 1, a, b, c, d] => Ok(usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()),
        [] | [0 | 1, ..] => Ok(None),
        _ => Err(Denial::Malformed("the message prefix is not one of grpc".into())),
    }
}

#[cfg(test)]
mod tests;

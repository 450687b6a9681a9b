//! A stream whose peer must speak soon: silence before the first bytes of HTTP ends the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::forward::forward_writes;

/// The length of the HTTP/2 preface; no HTTP/1.1 request that names its host is shorter.
const OPENING: usize = 24;

/// Fails reads that wait for the opening bytes longer than allowed; afterwards HTTP's own timeouts take over.
#[derive(Debug)]
pub(crate) struct Prompt<S> {
    inner: S,
    missing: usize,
    limit: Pin<Box<Sleep>>,
}

impl<S> Prompt<S> {
    pub(crate) fn new(inner: S, within: Duration) -> Self {
        Self { inner, missing: OPENING, limit: Box::pin(sleep(within)) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prompt<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if self.missing > 0 {
            self.missing = self.missing.saturating_sub(buf.filled().len() - before);
            if polled.is_pending() && self.limit.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        polled
    }
}

forward_writes!(Prompt);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_before_the_opening_ends_the_connection() {
        let (mut peer, ours) = duplex(64);
        let mut stream = Prompt::new(ours, Duration::from_secs(5));
        peer.write_all(b"PRI * HTTP").await.unwrap();
        stream.read_exact(&mut [0; 10]).await.unwrap();
        assert_eq!(stream.read(&mut [0; 10]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_opening_silence_is_allowed() {
        let (mut peer, ours) = duplex(64);
        let mut stream = Prompt::new(ours, Duration::from_secs(5));
        peer.write_all(&[b'x'; OPENING]).await.unwrap();
        stream.read_exact(&mut [0; OPENING]).await.unwrap();
        let silence = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut [0; 10])).await;
        assert!(silence.is_err(), "still waiting, not failed");
    }
}

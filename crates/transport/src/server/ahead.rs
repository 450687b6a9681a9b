//! A stream that is read further ahead than is asked for, once it is known who writes it.
//!
//! Promises:
//! 1. Until [`Ahead::begin`] it takes no memory and changes nothing.
//! 2. Every byte comes out once and in order, and the end behind the last.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::forward::forward_writes;

/// Reads into a buffer of its own what does not fit where it is asked for.
#[derive(Debug)]
pub(crate) struct Ahead<S> {
    inner: S,
    buffer: Box<[u8]>,
    unread: Range<usize>,
}

impl<S> Ahead<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, buffer: Box::default(), unread: 0..0 }
    }

    /// From now on asks for so many bytes at a time; changes nothing when it has begun.
    pub(crate) fn begin(&mut self, bytes: usize) {
        if self.buffer.is_empty() {
            self.buffer = vec![0; bytes].into();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ahead<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { inner, buffer, unread } = self.get_mut();
        if Range::is_empty(unread) {
            if buf.remaining() >= buffer.len() {
                return Pin::new(inner).poll_read(cx, buf);
            }
            let mut ahead = ReadBuf::new(buffer);
            ready!(Pin::new(inner).poll_read(cx, &mut ahead))?;
            *unread = 0..ahead.filled().len();
        }
        let end = unread.end.min(unread.start + buf.remaining());
        buf.put_slice(buffer.get(unread.start..end).unwrap_or_default());
        unread.start = end;
        Poll::Ready(Ok(()))
    }
}

forward_writes!(Ahead);

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Reads to the end, by pieces of many sizes.
    async fn rest(stream: &mut Ahead<&[u8]>) -> Vec<u8> {
        let mut come = Vec::new();
        for size in [1, 63, 64, 65, 1000, 5].into_iter().cycle() {
            let mut buffer = vec![0; size];
            match stream.read(&mut buffer).await.unwrap() {
                0 => break,
                read => come.extend_from_slice(&buffer[..read]),
            }
        }
        come
    }

    #[tokio::test]
    async fn every_byte_comes_out_once_and_in_order_and_then_the_end() {
        let sent: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for (before, ahead) in [(0, 64), (100, 64), (100, 4096), (0, 1 << 16)] {
            let mut stream = Ahead::new(&sent[..]);
            let mut come = vec![0; before];
            stream.read_exact(&mut come).await.unwrap();
            stream.begin(ahead);
            come.extend(rest(&mut stream).await);
            assert_eq!(come, sent, "{before} before, {ahead} ahead");
        }
    }
}

//! The floor under a central node: each message is on disk before it is answered, and one in eight is passed on.
//!
//! Nothing is looked at, so no trace is whole: whatever a node does with spans comes on top of this. As in a node, what
//! waits for the disk is synced together.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::{Connection, Onward, Serve, StandError};

/// Written over and over, so that a long run takes no more of the disk, and is soon allocated.
const FILE: u64 = 64 << 20;
/// About as many are kept by the policies that a node is measured with.
const ONE_OF: u64 = 8;

/// Writes each message to one file, and passes some on.
pub(crate) struct Keeping {
    onward: Onward,
    file: File,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// Messages, and whom to give them back once they are on disk.
    messages: Vec<(Vec<u8>, oneshot::Sender<Vec<u8>>)>,
    /// Where the next one is written.
    offset: u64,
}

impl Keeping {
    pub(crate) fn new(path: &Path, onward: Onward) -> io::Result<Self> {
        Ok(Self { onward, file: File::create(path)?, waiting: Mutex::default() })
    }

    /// Returns the message when it is on disk.
    async fn keep(&self, message: Vec<u8>) -> Result<Vec<u8>, StandError> {
        let (kept, on_disk) = oneshot::channel();
        let first = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.messages.push((message, kept));
            waiting.messages.len() == 1
        };
        if first {
            // Whoever has read a whole message by now adds it.
            tokio::task::yield_now().await;
            self.write()?;
        }
        on_disk.await.map_err(|_| StandError::Ended("the floor's file could not be written".to_owned()))
    }

    fn write(&self) -> io::Result<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = std::mem::take(&mut waiting.messages);
        for (message, _) in &messages {
            self.file.write_all_at(message, waiting.offset)?;
            waiting.offset = (waiting.offset + message.len() as u64) % FILE;
        }
        self.file.sync_data()?;
        for (message, kept) in messages {
            // Who hung up is not waiting.
            let _ = kept.send(message);
        }
        Ok(())
    }
}

impl Serve for Keeping {
    async fn serve(&self, mut from: Connection) -> Result<(), StandError> {
        let mut to = self.onward.open().await?;
        let mut message = Vec::new();
        for number in 0_u64.. {
            let length = from.read_u32().await?;
            message.clear();
            (&mut from).take(length.into()).read_to_end(&mut message).await?;
            message = self.keep(message).await?;
            from.write_u8(1).await?;
            from.flush().await?;
            if number % ONE_OF == 0 {
                to.write_all(&length.to_be_bytes()).await?;
                to.write_all(&message).await?;
                to.flush().await?;
                to.read_u8().await?;
            }
        }
        Ok(())
    }
}

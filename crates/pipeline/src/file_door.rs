//! The door to the embedded file backend: a place on this machine, so inside the region.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tollgate_disk::Disk;
use tollgate_federation::{Manifest, Signal};
use tollgate_otlp::json::{self, Message};
use tollgate_transport::{Local, Receipt, SendError, Words};

use crate::delivery::Door;
use crate::file_exporter::{Lines, Rotation};
use crate::load::Load;

/// Writes what it is given as lines of a rotated file.
pub(crate) struct FileDoor(Arc<Target>);

struct Target {
    disk: Disk,
    dir: PathBuf,
    rotation: Rotation,
    message: Message,
    /// Opened when first needed, and again after an error: only a fresh look tells what is on the disk then.
    lines: Mutex<Option<Lines>>,
}

impl FileDoor {
    pub(crate) fn new(disk: Disk, dir: PathBuf, rotation: Rotation, signal: Signal) -> Self {
        let message = match signal {
            Signal::Traces => Message::Traces,
            Signal::Metrics => Message::Metrics,
            Signal::Logs => Message::Logs,
        };
        Self(Arc::new(Target { disk, dir, rotation, message, lines: Mutex::new(None) }))
    }
}

impl Door for FileDoor {
    type Load = Local;

    async fn send(&self, _: &Arc<str>, load: &Local, _: &Manifest) -> Result<Receipt, SendError> {
        let mut request = Vec::with_capacity(load.bytes());
        load.write(&mut request);
        let target = Arc::clone(&self.0);
        // Encoding and fdatasync take milliseconds: they must not hold up the other lanes of this worker.
        let written = tokio::task::spawn_blocking(move || target.append(&request)).await;
        match written {
            Ok(Ok(())) => Ok(Receipt::default()),
            Ok(Err(error)) => Err(unreachable(&error.to_string())),
            Err(_) => Err(unreachable("the writer was stopped")),
        }
    }
}

fn unreachable(reason: &str) -> SendError {
    SendError::Unreachable { reason: Words::ours(reason) }
}

impl Target {
    fn append(&self, request: &[u8]) -> io::Result<()> {
        let mut line = Vec::with_capacity(request.len() * 2);
        json::encode(self.message, request, &mut line)
            .map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))?;
        line.push(b'\n');
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = match lines.take() {
            Some(open) => open,
            None => Lines::open(self.disk.clone(), self.dir.clone(), self.rotation)?,
        };
        open.append(&line)?;
        *lines = Some(open);
        Ok(())
    }
}

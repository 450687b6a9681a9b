//! The door to the embedded file backend: a place on this machine, so inside the region.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tollgate_disk::Disk;
use tollgate_federation::{Manifest, Signal};
use tollgate_otlp::json::{self, Message};
use tollgate_transport::{Local, PeerCode, Receipt, SendError, Words};

use crate::load::Load;
use crate::node::counters::{ConsumerCounters, Deleted};
use crate::send::delivery::Door;
use crate::send::file_exporter::{Lines, Rotation};

/// Writes what it is given as lines of a rotated file.
pub(crate) struct FileDoor(Arc<Target>);

struct Target {
    disk: Disk,
    dir: PathBuf,
    rotation: Rotation,
    deleted: Deleted,
    message: Message,
    /// Opened when first needed, and again after an error: only a fresh look tells what is on the disk then.
    lines: Mutex<Option<Lines>>,
}

impl FileDoor {
    pub(crate) fn new(disk: Disk, dir: PathBuf, rotation: Rotation, counters: &ConsumerCounters) -> Self {
        let message = match counters.signal() {
            Signal::Traces => Message::Traces,
            Signal::Metrics => Message::Metrics,
            Signal::Logs => Message::Logs,
        };
        // There from the start, for whoever watches it. Where it cannot be made now, the first line tries again.
        if let Err(error) = disk.make_dir(&dir) {
            tracing::warn!(folder = %dir.display(), %error, "the folder of a file backend cannot be made");
        }
        let deleted = counters.deleted();
        Self(Arc::new(Target { disk, dir, rotation, deleted, message, lines: Mutex::new(None) }))
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
            Ok(Err(Unwritten::Line)) => {
                Err(SendError::Guilty { code: PeerCode::Grpc(3), reason: Words::ours("no line") })
            }
            Ok(Err(Unwritten::Disk(error))) => Err(unreachable(&error.to_string())),
            Err(_) => Err(unreachable("the writer was stopped")),
        }
    }
}

/// Why a request is not in the file.
#[derive(Debug, thiserror::Error)]
enum Unwritten {
    /// It cannot be said in JSON: another try changes nothing.
    #[error("the request cannot be written as a line")]
    Line,
    #[error(transparent)]
    Disk(#[from] io::Error),
}

fn unreachable(reason: &str) -> SendError {
    SendError::Unreachable { reason: Words::ours(reason) }
}

impl Target {
    fn append(&self, request: &[u8]) -> Result<(), Unwritten> {
        let mut line = Vec::with_capacity(request.len() * 2);
        json::encode(self.message, request, &mut line).map_err(|_| Unwritten::Line)?;
        line.push(b'\n');
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = match lines.take() {
            Some(open) => open,
            None => Lines::open(self.disk.clone(), self.dir.clone(), self.rotation, self.deleted.clone())?,
        };
        open.append(&line)?;
        *lines = Some(open);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::{self, node, spans};
    use crate::seal::manifests::Manifests;

    fn door(dir: &std::path::Path, disk: Disk) -> FileDoor {
        FileDoor::new(disk, dir.to_owned(), Rotation { rotate: 1 << 20, keep: 1 }, &rig::Counted::new().consumer)
    }

    async fn send(door: &FileDoor, load: &Local) -> Result<Receipt, SendError> {
        let manifests = Manifests::new(node("eu-west/gateway/0"), 1, Signal::Traces, "EEA".parse().unwrap(), 0);
        door.send(&"embedded".into(), load, &manifests.next(&rig::covers(5), load, None)).await
    }

    fn lines(dir: &std::path::Path) -> usize {
        std::fs::read_to_string(dir.join("current.jsonl")).unwrap().lines().count()
    }

    /// What cannot be written as JSON is blamed on itself, so that it blocks nothing behind it.
    #[tokio::test]
    async fn a_request_that_is_no_line_is_guilty() {
        let dir = tempfile::tempdir().unwrap();
        let door = door(dir.path(), Disk::real());
        let broken = Local { chunks: vec![bytes::Bytes::from_static(b"\x0a\xff\xff")], ..rig::local(spans([1])) };
        assert!(matches!(send(&door, &broken).await, Err(SendError::Guilty { .. })));
        assert_eq!(send(&door, &rig::local(spans([1]))).await, Ok(Receipt::default()));
        assert_eq!(lines(dir.path()), 1);
    }

    /// Trouble with the disk is no fault of the request: it is tried again, and is there once.
    #[tokio::test]
    async fn a_disk_that_refuses_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, faults) = Disk::with_faults();
        let door = door(dir.path(), disk);
        faults.plant(tollgate_disk::Operation::Write, 0, tollgate_disk::Fault::Short(10));
        faults.plant(tollgate_disk::Operation::Write, 1, tollgate_disk::Fault::Fail(io::ErrorKind::StorageFull));
        assert!(matches!(send(&door, &rig::local(spans([1]))).await, Err(SendError::Unreachable { .. })));
        assert_eq!(send(&door, &rig::local(spans([1]))).await, Ok(Receipt::default()));
        assert_eq!(lines(dir.path()), 1);
    }
}

//! What the tests share: a directory, a clock, small segments, entries that can be recognised.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tollgate_config::ByteSize;
use tollgate_disk::Disk;
use tollgate_runtime::{Clock, ManualClock, Timestamp};
use tollgate_spool::{
    AppendError, Consumer, ConsumerConfig, Durability, Entry, OpenError, Position, ReadError, Record, Recovered, Spool,
    SpoolConfig, Start, WhenFull,
};

pub(crate) const SEGMENT: u64 = 8192;
pub(crate) const AMPLE: ByteSize = ByteSize(1 << 30);

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) clock: Clock,
    pub(crate) hand: ManualClock,
    pub(crate) config: SpoolConfig,
}

impl World {
    /// A log with consumers that hold all they have not read.
    pub(crate) fn new(consumers: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(Timestamp::from_nanos(1_000_000_000));
        let config = config(dir.path(), consumers);
        Self { dir, clock, hand, config }
    }

    pub(crate) fn open_on(&self, disk: Disk) -> (Spool, Recovered) {
        // Where another test starts a process, that one holds copies of all files, locks too, until it is its own program.
        let deadline = Duration::from_secs(20);
        let clock = Clock::system();
        let begun = clock.uptime();
        loop {
            match Spool::open(self.config.clone(), self.clock.clone(), disk.clone()) {
                Err(OpenError::Locked) if clock.uptime() - begun < deadline => std::thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }

    pub(crate) fn open(&self) -> (Spool, Recovered) {
        self.open_on(Disk::real())
    }

    /// The lengths of all segments' files, live and spare. One that goes meanwhile is not there.
    pub(crate) fn files(&self) -> Vec<u64> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap());
        let segments = entries.filter(|entry| name(&entry.path()).ends_with(".log"));
        segments.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).collect()
    }

    /// The paths of the live segments, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<PathBuf> = entries.filter(|path| name(path).starts_with("segment-")).collect();
        paths.sort();
        paths
    }
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

pub(crate) fn config(dir: &Path, consumers: &[&str]) -> SpoolConfig {
    SpoolConfig {
        dir: dir.to_owned(),
        segment_bytes: ByteSize(SEGMENT),
        durability: Durability::Fsync,
        disk: AMPLE,
        recent: ByteSize(0),
        consumers: consumers.iter().map(|name| consumer(name, AMPLE, WhenFull::Expire)).collect(),
    }
}

pub(crate) fn consumer(name: &str, share: ByteSize, when_full: WhenFull) -> ConsumerConfig {
    let max_age = Duration::from_secs(72 * 3600);
    ConsumerConfig { name: name.to_owned(), share, max_age, when_full, start: Start::Oldest }
}

/// An entry of which nothing repeats: its payload is made from `number`.
pub(crate) fn entry(number: u64, size: usize) -> Entry {
    Entry {
        kind: 1,
        signal: "traces".into(),
        origin: "EEA".into(),
        peer: format!("peer-{}", number % 3).into(),
        policy: [7; 32],
        payload: payload(number, size),
        index: Bytes::copy_from_slice(&number.to_le_bytes()),
    }
}

pub(crate) fn payload(number: u64, size: usize) -> Bytes {
    (0..size as u64).map(|at| number.wrapping_mul(31).wrapping_add(at).to_le_bytes()[0]).collect()
}

/// The number that [`entry`] was made from, once it is clear that the record is that entry.
pub(crate) fn number(record: &Record) -> u64 {
    let number = u64::from_le_bytes(record.index.as_ref().try_into().unwrap());
    assert_eq!(record.payload, payload(number, record.payload.len()));
    assert_eq!(record.peer.as_str(), format!("peer-{}", number % 3));
    assert_eq!((record.kind, record.signal.as_str(), record.origin.as_str()), (1, "traces", "EEA"));
    assert_eq!(record.policy, [7; 32]);
    number
}

/// Appends all entries at once: they are handed over in order before the first is awaited.
pub(crate) async fn append_all(spool: &Spool, entries: Vec<Entry>) -> Vec<Result<Position, AppendError>> {
    let mut waiting: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::new();
    let mut answers = Vec::new();
    for entry in entries {
        let mut append: Pin<Box<dyn Future<Output = _>>> = Box::pin(async { spool.append(entry).await });
        let first = poll_fn(|cx| Poll::Ready(append.as_mut().poll(cx))).await;
        answers.push(match first {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        });
        waiting.push(append);
    }
    let mut done = Vec::new();
    for (append, answer) in waiting.into_iter().zip(answers) {
        done.push(match answer {
            Some(answer) => answer,
            None => append.await,
        });
    }
    done
}

/// Appends entries one commit each.
pub(crate) async fn append_each(spool: &Spool, numbers: std::ops::Range<u64>, size: usize) -> Vec<Position> {
    let mut positions = Vec::new();
    for number in numbers {
        positions.push(spool.append(entry(number, size)).await.unwrap());
    }
    positions
}

/// Reads all that is durable from `from` on.
pub(crate) async fn read_all(consumer: &Consumer, from: Position) -> Result<Vec<Record>, ReadError> {
    let (mut records, mut at, end) = (Vec::new(), from, consumer.durable_end());
    while at < end {
        let chunk = consumer.read(at, 1500, Some(end)).await?;
        at = chunk.end;
        records.extend(chunk.records);
    }
    Ok(records)
}

/// The numbers of all that is durable from the consumer's floor on.
pub(crate) async fn read_numbers(consumer: &Consumer) -> Vec<u64> {
    read_all(consumer, consumer.floor()).await.unwrap().iter().map(number).collect()
}

/// Flips one bit of a file.
pub(crate) fn flip(path: &Path, offset: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[offset] ^= 0x10;
    // In place: a quarantined or open file must see it too.
    std::fs::write(path, bytes).unwrap();
}

/// Where in the file `needle` begins.
pub(crate) fn find(path: &Path, needle: &[u8]) -> usize {
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(needle.len()).position(|window| window == needle).expect("the bytes are in the file")
}

/// Whether the future is still waiting after one poll.
pub(crate) async fn is_pending<F: Future>(future: F) -> bool {
    let mut future = pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

/// Waits until something has happened, not longer than anything here can take.
pub(crate) async fn until(happened: impl Fn() -> bool) {
    for _ in 0..3000 {
        if happened() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within half a minute");
}

//! The log beside plain files: the same bytes, written and made durable as often, and read back.
//!
//! Promises:
//! 1. The plain side writes to preallocated files that it uses over and over, as the log does with its segments.
//! 2. It syncs as often as the log did in the repetition before; that is counted, not assumed. Where `Ok` does not wait
//!    for the disk, it syncs each file once it is full: by then the log has done so too.

use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, LocalSet};
use tollgate_config::ByteSize;
use tollgate_disk::Disk;
use tollgate_runtime::Clock;
use tollgate_spool::{Consumer, ConsumerConfig, Durability, Entry, Name, Spool, SpoolConfig, Start, WhenFull};

use super::requests::{Requests, Shape};
use crate::Options;
use crate::measure::{Measured, Pair, Side, Time};
use crate::row::{Row, Target};

const SEGMENT: u64 = 64 << 20;
const SEGMENTS: u64 = 4;
/// Bytes of payload a repetition.
const REPETITION: u64 = 128 << 20;
/// Requests that wait for their answer at once.
const IN_FLIGHT: usize = 16;
/// How much one read takes.
const CHUNK: usize = 1 << 20;

/// Measures the rows of the log that are wanted.
pub(crate) fn rows(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    let appended = [
        ("append", "append/bytes", Shape::USUAL, Durability::Fsync, Target::AtLeast(0.8)),
        ("append/small", "append/small/bytes", Shape::usual(100), Durability::Fsync, Target::AtLeast(0.8)),
        ("append/os", "append/os/bytes", Shape::USUAL, Durability::Os, Target::Shown),
    ];
    for (speed, bytes, shape, durability, target) in appended {
        if options.wants(speed) || options.wants(bytes) {
            let appended = Appended::measure(options.repetitions(), shape, durability);
            rows.push(appended.time.row(speed, appended.about.clone(), "ns/KiB", target));
            rows.push(appended.bytes.row(bytes, appended.about, "B/KiB", Target::AtMost(1.05)));
        }
    }
    if options.wants("read") {
        let about = format!("{} MiB from the page cache", REPETITION >> 20);
        rows.push(read(options.repetitions()).row("read", about, "ns/KiB", Target::Shown));
    }
    rows
}

/// What appending cost, and what it wrote.
struct Appended {
    time: Measured,
    bytes: Measured,
    about: String,
}

impl Appended {
    fn measure(repetitions: usize, shape: Shape, durability: Durability) -> Self {
        let (mut log, mut plain) = (Log::open(durability), Plain::create());
        let mut requests = Requests::of(shape);
        let records = REPETITION / requests.next().bytes.len() as u64;
        // Once around both, so that every block of every file has been written before.
        log.turn_over(&mut requests, records * 2);
        plain.write(&mut requests, records * 2, 1);
        let (mut time, mut bytes, mut batches) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..repetitions {
            let (commits, before, payload) = (log.commits(), written(), log.payload);
            let ours = Time::Wall.of(|| log.turn_over(&mut requests, records));
            let (commits, payload) = (log.commits() - commits, log.payload - payload);
            bytes.push(((written() - before) as f64 * 1024.0 / payload as f64, 1024.0));
            let batch = if durability == Durability::Fsync { records.div_ceil(commits) } else { u64::MAX };
            let peer = Time::Wall.of(|| plain.write(&mut requests, records, batch));
            time.push((per_kib(ours, payload), per_kib(peer, payload)));
            batches.push(batch);
        }
        let (spans, batch) = (requests.spans(), batches.iter().max().unwrap());
        let about = match durability {
            Durability::Fsync => format!("{spans} spans a record, {batch} records a sync"),
            Durability::Os => format!("{spans} spans a record, a sync each {} MiB", SEGMENT >> 20),
        };
        Self { time: Measured(time), bytes: Measured(bytes), about }
    }
}

/// A log of our own with one consumer that keeps up.
struct Log {
    runtime: Runtime,
    tasks: LocalSet,
    spool: Spool,
    consumer: Consumer,
    payload: u64,
    dir: TempDir,
}

impl Log {
    fn open(durability: Durability) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let consumer = ConsumerConfig {
            name: "reader".to_owned(),
            share: ByteSize(SEGMENT * (SEGMENTS - 2)),
            max_age: Duration::from_secs(3600),
            when_full: WhenFull::Expire,
            start: Start::Oldest,
        };
        let config = SpoolConfig {
            dir: dir.path().join("log"),
            segment_bytes: ByteSize(SEGMENT),
            durability,
            disk: ByteSize(SEGMENT * SEGMENTS),
            recent: ByteSize(0),
            consumers: vec![consumer],
        };
        let (spool, _) = Spool::open(config, Clock::system(), Disk::real()).unwrap();
        let consumer = spool.consumer("reader").unwrap();
        Self { runtime, tasks: LocalSet::new(), spool, consumer, payload: 0, dir }
    }

    fn append(&mut self, requests: &mut Requests, records: u64) {
        let [signal, origin, peer] = ["traces", "EEA", "service"].map(Name::from);
        let mut entries: Vec<Vec<Entry>> = vec![Vec::new(); IN_FLIGHT];
        for number in 0..records {
            let request = requests.next();
            self.payload += request.bytes.len() as u64;
            entries[number as usize % IN_FLIGHT].push(Entry {
                kind: 1,
                signal: signal.clone(),
                origin: origin.clone(),
                peer: peer.clone(),
                policy: [0; 32],
                payload: request.bytes.clone(),
                index: request.encoded.clone(),
            });
        }
        let mut senders = JoinSet::new();
        for entries in entries {
            let spool = self.spool.clone();
            let send = async move {
                for entry in entries {
                    spool.append(entry).await.unwrap();
                }
            };
            senders.spawn_local_on(send, &self.tasks);
        }
        self.tasks.block_on(&self.runtime, async { while senders.join_next().await.is_some() {} });
    }

    /// Appends for a consumer that keeps up: segments come round again.
    fn turn_over(&mut self, requests: &mut Requests, records: u64) {
        self.append(requests, records);
        self.consumer.advance("lane", self.consumer.durable_end());
    }

    fn commits(&self) -> u64 {
        self.spool.status().counts.commits
    }
}

/// Preallocated files, written from front to back and over again.
struct Plain {
    files: Vec<File>,
    at: u64,
    _dir: TempDir,
}

impl Plain {
    fn create() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let create = |number: u64| {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create_new(true).open(dir.path().join(number.to_string()));
            let file = file.unwrap();
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, SEGMENT).unwrap();
            file
        };
        Self { files: (0..SEGMENTS).map(create).collect(), at: 0, _dir: dir }
    }

    /// Writes payloads one behind the other, with a sync after each batch.
    fn write(&mut self, requests: &mut Requests, records: u64, batch: u64) {
        for number in 1..=records {
            let bytes = requests.next().bytes.clone();
            if self.at % SEGMENT + bytes.len() as u64 > SEGMENT {
                if batch == u64::MAX {
                    rustix::fs::fdatasync(&self.files[(self.at / SEGMENT % SEGMENTS) as usize]).unwrap();
                }
                self.at = (self.at / SEGMENT + 1) * SEGMENT;
            }
            let file = &self.files[(self.at / SEGMENT % SEGMENTS) as usize];
            file.write_all_at(&bytes, self.at % SEGMENT).unwrap();
            self.at += bytes.len() as u64;
            if number % batch == 0 || (number == records && batch < records) {
                rustix::fs::fdatasync(file).unwrap();
            }
        }
    }
}

/// Reads everything back: a consumer in chunks, against `pread` of the same files.
fn read(repetitions: usize) -> Measured {
    let mut log = Log::open(Durability::Os);
    let mut requests = Requests::of(Shape::USUAL);
    let start = log.consumer.durable_end();
    let records = (SEGMENT * (SEGMENTS - 2)) / requests.next().bytes.len() as u64 - 2;
    log.append(&mut requests, records);
    let bytes = log.payload;
    let files: Vec<(File, u64)> = segments(log.dir.path());
    let ours = || {
        let mut at = start;
        while at < log.consumer.durable_end() {
            let chunk = log.runtime.block_on(log.consumer.read(at, CHUNK, None)).unwrap();
            at = black_box(chunk).end;
        }
    };
    let plain = || {
        for (file, length) in &files {
            for at in (0..*length).step_by(CHUNK) {
                let mut buffer = vec![0; CHUNK];
                file.read_at(&mut buffer, at).unwrap();
                black_box(buffer);
            }
        }
    };
    let plain_bytes = files.iter().map(|(_, length)| length / 1024).sum();
    Pair { ours: Side::new(bytes / 1024, ours), peer: Side::new(plain_bytes, plain) }.measure(repetitions, Time::Wall)
}

fn segments(dir: &Path) -> Vec<(File, u64)> {
    let entries = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap());
    let large = entries.filter(|entry| entry.metadata().unwrap().len() >= SEGMENT);
    large.map(|entry| (File::open(entry.path()).unwrap(), SEGMENT)).collect()
}

fn per_kib(spent: Duration, bytes: u64) -> f64 {
    spent.as_secs_f64() * 1e9 / (bytes as f64 / 1024.0)
}

/// Bytes that this process has given to `write` and its kin so far.
fn written() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_up_with_itself_when_its_segments_come_round_again() {
        let mut log = Log::open(Durability::Os);
        let mut requests = Requests::of(Shape::USUAL);
        for _ in 0..3 {
            log.turn_over(&mut requests, 200);
        }
        assert_eq!(log.spool.status().counts.refused, 0);
    }
}

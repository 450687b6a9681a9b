//! The log beside plain files: the same bytes, written and made durable as often, and read back.
//!
//! Promises:
//! 1. The plain side writes to preallocated files that it uses over and over, as the log does with its segments.
//! 2. It writes as many records at once as the log did in the repetition before, which is counted and not assumed. With
//!    `fsync` it syncs after each of these writes, with `os` when a file is full, as the log does.

use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::io::IoSlice;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
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
use crate::scratch;

const SEGMENT: u64 = 64 << 20;
const SEGMENTS: u64 = 4;
/// Bytes of payload a repetition.
const REPETITION: u64 = 128 << 20;
/// What one side takes for that, for the plan.
const A_TURN: Duration = Duration::from_millis(500);
/// Requests that wait for their answer at once.
const IN_FLIGHT: usize = 16;
/// How much one read takes.
const CHUNK: usize = 1 << 20;

/// One way to append: its row of time, its row of bytes.
struct Case {
    speed: &'static str,
    bytes: &'static str,
    shape: Shape,
    durability: Durability,
    target: Target,
}

const APPEND: Case = Case {
    speed: "append",
    bytes: "append/bytes",
    shape: Shape::USUAL,
    durability: Durability::Fsync,
    target: Target::AtLeast(0.8),
};

const CASES: [Case; 3] = [
    APPEND,
    Case { speed: "append/small", bytes: "append/small/bytes", shape: Shape::usual(100), ..APPEND },
    Case { speed: "append/os", bytes: "append/os/bytes", durability: Durability::Os, target: Target::Shown, ..APPEND },
];

fn wanted(options: &Options) -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(|case| options.wants(case.speed) || options.wants(case.bytes))
}

/// Measures the rows of the log that are wanted.
pub(super) fn rows(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    for Case { speed, bytes, shape, durability, target } in wanted(options) {
        let appended = Appended::measure(options.repetitions(), *shape, *durability);
        rows.push(appended.time.row(speed, appended.about.clone(), "ns/KiB", *target));
        rows.push(appended.bytes.row(bytes, appended.about, "B/KiB", Target::AtMost(1.05)));
    }
    if options.wants("read") {
        let about = format!("{} MiB from the page cache", REPETITION >> 20);
        rows.push(read(options.repetitions()).row("read", about, "ns/KiB", Target::Shown));
    }
    rows
}

/// How long that takes where the disk writes some hundred megabytes a second.
pub(super) fn planned(options: &Options) -> Duration {
    let cases = wanted(options).count() + usize::from(options.wants("read"));
    let repetitions = u32::try_from(options.repetitions()).unwrap_or(u32::MAX);
    (A_TURN * 4 + A_TURN * 2 * repetitions) * u32::try_from(cases).unwrap_or(u32::MAX)
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
        plain.write(&mut requests, records * 2, 1, durability);
        let (mut time, mut bytes, mut batches) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..repetitions {
            let (commits, before, payload) = (log.commits(), written(), log.payload);
            let ours = Time::Wall.of(|| log.turn_over(&mut requests, records));
            let (commits, payload) = (log.commits() - commits, log.payload - payload);
            bytes.push(((written() - before) as f64 * 1024.0 / payload as f64, 1024.0));
            let batch = records.div_ceil(commits);
            let peer = Time::Wall.of(|| plain.write(&mut requests, records, batch, durability));
            time.push((per_kib(ours, payload), per_kib(peer, payload)));
            batches.push(batch);
        }
        let (spans, batch) = (requests.spans(), batches.iter().max().unwrap());
        let synced = match durability {
            Durability::Fsync => "each synced",
            Durability::Os => "full files synced",
        };
        let about = format!("{spans} spans a record, {batch} records a write, {synced}");
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
        let dir = scratch::folder().unwrap();
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
        let dir = scratch::folder().unwrap();
        let create = |number: u64| {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create_new(true).open(dir.path().join(number.to_string()));
            let file = file.unwrap();
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, SEGMENT).unwrap();
            file
        };
        Self { files: (0..SEGMENTS).map(create).collect(), at: 0, _dir: dir }
    }

    /// Writes payloads one behind the other, so many at once.
    fn write(&mut self, requests: &mut Requests, records: u64, batch: u64, durability: Durability) {
        let mut left = records;
        while left > 0 {
            let payloads: Vec<Bytes> = (0..batch.min(left)).map(|_| requests.next().bytes.clone()).collect();
            left -= payloads.len() as u64;
            let length: usize = payloads.iter().map(Bytes::len).sum();
            if self.at % SEGMENT + length as u64 > SEGMENT {
                self.next_file(durability);
            }
            let file = &self.files[(self.at / SEGMENT % SEGMENTS) as usize];
            let slices: Vec<IoSlice<'_>> = payloads.iter().map(|payload| IoSlice::new(payload)).collect();
            assert_eq!(rustix::io::pwritev(file, &slices, self.at % SEGMENT).unwrap(), length);
            self.at += length as u64;
            if durability == Durability::Fsync {
                rustix::fs::fdatasync(file).unwrap();
            }
        }
    }

    fn next_file(&mut self, durability: Durability) {
        if durability == Durability::Os {
            rustix::fs::fdatasync(&self.files[(self.at / SEGMENT % SEGMENTS) as usize]).unwrap();
        }
        self.at = (self.at / SEGMENT + 1) * SEGMENT;
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
    let mut buffer = vec![0; CHUNK];
    let plain = || {
        for (file, length) in &files {
            for at in (0..*length).step_by(CHUNK) {
                file.read_at(&mut buffer, at).unwrap();
                black_box(&buffer);
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

//! Opens a log as the last process left it, however it ended.
//!
//! Promises:
//! 1. Every record that was acknowledged and can be read is there; a torn tail is cut off.
//! 2. Damage below the durable point costs the rest of its segment, which is kept in quarantine, and nothing else.
//! 3. The next position is above every position that ever stood in a segment or a cursor file.
//!
//! A torn commit cannot have been acknowledged: `Ok` is sent after its sync, and a synced commit is whole. Its records
//! that are whole nevertheless stay, since their senders will send them again at worst.
//!
//! Segments are read in pieces, so memory does not depend on the backlog. Those that every consumer has passed are not
//! read at all, nor what was reserved and never written.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tollgate_disk::{Disk, LockError};
use tollgate_runtime::{Clock, Timestamp};

use crate::backlog::{Backlog, Progress};
use crate::config::{ConfigError, SpoolConfig, Start};
use crate::cursors::{AllProgress, CursorFiles, UnknownVersion};
use crate::log::Log;
use crate::marks::Marks;
use crate::position::Position;
use crate::quarantine::{Quarantine, Quarantined};
use crate::recent::Recent;
use crate::scan::{Scan, Tail, highest_claim, scan};
use crate::segment::{BadHeader, Header, Segment, live_number, spare_number};
use crate::spares::{FEW, Spares};
use crate::state::{Counts, Damage, Live, Reuse, Shared, State};
use crate::window::Window;

/// Why a log cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another process has it open.
    #[error("another process has the log open")]
    Locked,
    /// A file was written by a release that this one does not know.
    #[error("the log has format version {0}, which this release does not read")]
    Version(u32),
    /// The disk does not let us.
    #[error("the log's directory cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// What was found when a log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Records read.
    pub records: u64,
    /// Bytes of a torn commit cut off.
    pub truncated_bytes: u64,
    /// Damage below the durable point.
    pub quarantined: Vec<Quarantined>,
}

impl From<UnknownVersion> for OpenError {
    fn from(UnknownVersion(version): UnknownVersion) -> Self {
        Self::Version(version)
    }
}

impl From<LockError> for OpenError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held => Self::Locked,
            LockError::Io(error) => Self::Io(error),
        }
    }
}

/// Opens the log that `config` describes, or makes it.
pub(crate) fn open(config: SpoolConfig, clock: Clock, disk: Disk) -> Result<(Log, Recovered), OpenError> {
    config.check()?;
    let dir = config.dir.clone();
    disk.make_dir(&dir)?;
    let lock = disk.lock(&dir)?;
    let (mut cursors, restored) = CursorFiles::open(&disk, &dir)?;
    cursors.keep_room(&restored.progress);
    if restored.lost {
        tracing::error!("no cursor file of the log is whole, consumers begin at its oldest record again");
    }
    let files = list(&disk, &dir)?;
    let mut found = Finding::new(&disk, &dir, &config, &restored.progress);
    found.read_all(files.live)?;
    let id = match found.id {
        Some(id) => id,
        None => fresh_id()?,
    };
    let (recovered, state) = found.into_state(&config, &restored.progress, restored.lost, files.spares.len());
    let synced = state.end;
    let spares = Spares::new(files.spares, clock.uptime());
    let shared = Arc::new(Shared::new(state, clock, Quarantine::new(&disk, &dir)));
    let log = Log {
        config,
        disk,
        shared,
        cursors,
        spares,
        active: None,
        id,
        next_number: files.highest + 1,
        synced,
        syncing: None,
        trouble: None,
        unsaved: None,
        lock,
    };
    Ok((log, recovered))
}

fn fresh_id() -> Result<[u8; 16], OpenError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    Ok(id)
}

/// The files of a log.
#[derive(Default)]
struct Files {
    /// Live segments by number.
    live: Vec<(u64, PathBuf)>,
    spares: Vec<PathBuf>,
    /// The highest number that a file has.
    highest: u64,
}

fn list(disk: &Disk, dir: &Path) -> io::Result<Files> {
    let mut files = Files::default();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let (live_number, spare_number) = (live_number(name), spare_number(name));
        files.highest = files.highest.max(live_number.or(spare_number).unwrap_or_default());
        if let Some(number) = live_number {
            files.live.push((number, path));
        } else if spare_number.is_some() && files.spares.len() < FEW {
            files.spares.push(path);
        } else if spare_number.is_some() {
            disk.remove(&path)?;
        }
    }
    files.live.sort_unstable();
    Ok(files)
}

/// What is known while the segments are read.
struct Finding<'a> {
    disk: &'a Disk,
    quarantine: Quarantine,
    spacing: u64,
    recent: u64,
    /// What lies before this nobody needs.
    floor: Position,
    id: Option<[u8; 16]>,
    live: VecDeque<Live>,
    /// Above every position seen.
    next: Position,
    stamp: Timestamp,
    recovered: Recovered,
}

impl<'a> Finding<'a> {
    fn new(disk: &'a Disk, dir: &Path, config: &SpoolConfig, progress: &AllProgress) -> Self {
        let floors = config
            .consumers
            .iter()
            .map(|consumer| progress.get(consumer.name.as_str()).map_or(Position::ZERO, |progress| progress.floor));
        Self {
            disk,
            quarantine: Quarantine::new(disk, dir),
            spacing: config.spacing(),
            recent: config.recent.0,
            floor: floors.min().unwrap_or_default(),
            id: None,
            live: VecDeque::new(),
            next: progress.values().map(Progress::highest).max().unwrap_or_default(),
            stamp: Timestamp::default(),
            recovered: Recovered::default(),
        }
    }

    fn read_all(&mut self, files: Vec<(u64, PathBuf)>) -> Result<(), OpenError> {
        let mut whole = Vec::new();
        let mut headless = Vec::new();
        for (number, path) in files {
            match Segment::load(self.disk.open(&path)?, path.clone())? {
                Ok(segment) if segment.header.number == number => whole.push(segment),
                // A file on its way to its next number: the new header came, the new name did not. Nothing of the old
                // segment was needed, and of the new one nothing was acknowledged before its name was durable.
                Ok(_) => self.disk.remove(&path)?,
                Err(BadHeader::Version(version)) => return Err(OpenError::Version(version)),
                Err(BadHeader::Damaged) => headless.push((number, path)),
            }
        }
        self.id = whole.last().map(|segment| segment.header.log);
        let (whole, foreign): (Vec<_>, Vec<_>) =
            whole.into_iter().partition(|segment| Some(segment.header.log) == self.id);
        headless.extend(foreign.into_iter().map(|segment| (segment.header.number, segment.path)));
        // The next segment says where one ended, unless the next one's header is among those that cannot be read.
        let ends: Vec<Option<Position>> = whole.windows(2).map(|pair| known_end(pair, &headless)).collect();
        for (number, segment) in whole.into_iter().enumerate() {
            self.read_segment(segment, ends.get(number).copied().flatten())?;
        }
        headless.into_iter().try_for_each(|(number, path)| self.read_headless(number, &path))
    }

    fn read_segment(&mut self, segment: Segment, known_end: Option<Position>) -> Result<(), OpenError> {
        let header = segment.header;
        self.stamp = self.stamp.max(header.stamp);
        self.next = self.next.max(header.base);
        if let Some(end) = known_end.filter(|end| *end <= self.floor) {
            self.live.push_back(live(segment, end, Vec::new(), Marks::default()));
            return Ok(());
        }
        let scan = scan(&segment, known_end, self.spacing)?;
        self.recovered.records += scan.records;
        self.next = self.next.max(scan.end);
        self.stamp = self.stamp.max(scan.last_arrival.unwrap_or_default());
        self.keep(segment, scan, known_end)
    }

    fn keep(&mut self, mut segment: Segment, scan: Scan, known_end: Option<Position>) -> Result<(), OpenError> {
        let (header, end) = (segment.header, scan.end);
        match scan.tail {
            Tail::Damaged(durable) => {
                self.next = self.next.max(durable);
                let bytes = durable.since(end);
                let lost = Quarantined { segment: header.number, from: end, bytes };
                self.quarantine.admit(&segment.path, lost);
                self.recovered.quarantined.push(lost);
                let damage = Some(Damage { from: end, resume: durable });
                let live = live(segment, durable, scan.names, scan.marks);
                self.live.push_back(Live { damage, reuse: Reuse::Delete, ..live });
                return Ok(());
            }
            Tail::Torn(bytes) => {
                tracing::warn!(
                    segment = header.number,
                    bytes,
                    "torn end of the log cut off, it was never acknowledged"
                );
                self.recovered.truncated_bytes += bytes;
                segment.capacity = header.offset(end);
            }
            Tail::Clean if known_end.is_none() => segment.capacity = scan.used,
            Tail::Clean => {}
        }
        if known_end.is_none() {
            // The log goes on in a new segment: this one's free rest is given back, and what a killed process had
            // written but not synced becomes durable before anyone reads it.
            segment.file.cut(segment.capacity)?;
            segment.file.sync()?;
        }
        self.live.push_back(live(segment, end, scan.names, scan.marks));
        Ok(())
    }

    /// A segment whose header cannot be read, or of another log: all of it is lost, its positions are not used again.
    fn read_headless(&mut self, number: u64, path: &Path) -> Result<(), OpenError> {
        let lost = Quarantined { segment: number, from: self.next, bytes: 0 };
        if let Some(log) = self.id {
            let base = Header { log, number, base: self.next, previous_end: self.next, stamp: self.stamp };
            let file = self.disk.open_to_read(path)?;
            let (written, mut window) = (file.written()?, Window::new(&file, file.length()?));
            self.next = self.next.max(highest_claim(&mut window, &base, &written, 0)?.unwrap_or_default());
        }
        let lost = Quarantined { bytes: self.next.since(lost.from), ..lost };
        self.recovered.quarantined.push(lost);
        if self.quarantine.admit(path, lost) {
            self.disk.remove(path)?;
        }
        Ok(())
    }

    fn into_state(self, config: &SpoolConfig, progress: &AllProgress, lost: bool, spares: usize) -> (Recovered, State) {
        let oldest = self.live.front().map_or(self.next, |live| live.segment.header.base);
        let fresh = |start| Progress {
            floor: if lost || start == Start::Oldest { oldest } else { self.next },
            ..Progress::default()
        };
        let largest_share = config.disk.0.saturating_sub(2 * config.segment_bytes.0);
        let backlogs = config.consumers.iter().map(|consumer| {
            let progress = progress.get(consumer.name.as_str()).cloned();
            Backlog::new(consumer, largest_share, progress.unwrap_or_else(|| fresh(consumer.start)))
        });
        let counts = Counts {
            quarantined: self.recovered.quarantined.len() as u64,
            damaged_bytes: self.recovered.quarantined.iter().map(|lost| lost.bytes).sum(),
            ..Counts::default()
        };
        let state = State {
            backlogs: backlogs.collect(),
            recent: Recent::new(self.next, self.recent),
            segments: self.live,
            end: self.next,
            stamp: self.stamp,
            spares,
            dirty: true,
            counts,
        };
        (self.recovered, state)
    }
}

fn live(segment: Segment, end: Position, names: Vec<crate::name::Name>, marks: Marks) -> Live {
    let reuse = Reuse::Recycle;
    Live { segment: Arc::new(segment), end, names: Arc::new(names), marks, damage: None, reuse }
}

fn known_end(pair: &[Segment], headless: &[(u64, PathBuf)]) -> Option<Position> {
    let [segment, next] = pair else { return None };
    let between = segment.header.number..next.header.number;
    (!headless.iter().any(|(number, _)| between.contains(number))).then_some(next.header.previous_end)
}

//! The embedded default backend: OTLP/JSON lines in a folder, one request a line, as the Collector's file exporter writes them.
//!
//! Promises:
//! 1. A request is acknowledged only after its line is durable.
//! 2. A last line torn by a crash is cut off on open: what follows is valid again, and the request is sent again.
//! 3. A file is closed at `rotate` bytes and only the newest `keep` closed ones stay; what is deleted is counted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tollgate_disk::{Disk, DiskFile};

use crate::node::counters::Deleted;

/// The file that is written to.
const CURRENT: &str = "current.jsonl";
/// How much is read at a time while looking for the last whole line.
const BLOCK: u64 = 64 << 10;

/// How large files grow and how many stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rotation {
    pub(crate) rotate: u64,
    pub(crate) keep: u32,
}

/// Appends lines to a rotated file.
#[derive(Debug)]
pub(crate) struct Lines {
    disk: Disk,
    dir: PathBuf,
    rotation: Rotation,
    deleted: Deleted,
    file: DiskFile,
    length: u64,
}

impl Lines {
    /// Opens the folder's current file, or makes it, and cuts off a torn last line.
    pub(crate) fn open(disk: Disk, dir: PathBuf, rotation: Rotation, deleted: Deleted) -> io::Result<Self> {
        disk.make_dir(&dir)?;
        let path = dir.join(CURRENT);
        let file = if path.exists() { disk.open(&path)? } else { create(&disk, &dir)? };
        let length = whole_lines(&file)?;
        if length < file.length()? {
            tracing::warn!(file = %path.display(), "cut off a last line that a crash had torn");
            file.cut(length)?;
        }
        Ok(Self { disk, dir, rotation, deleted, file, length })
    }

    /// Appends one line, which must end with its line break, durably.
    ///
    /// After an error the object must not be used again: what is on the disk is known only after a new [`Lines::open`].
    pub(crate) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.length > 0 && self.length + line.len() as u64 > self.rotation.rotate {
            self.rotate()?;
        }
        self.file.write_all_at(line, self.length)?;
        self.file.sync()?;
        self.length += line.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let closed = closed_files(&self.dir)?;
        let next = closed.last().map_or(1, |(number, _)| number + 1);
        self.disk.rename(&self.dir.join(CURRENT), &self.dir.join(format!("{next:010}.jsonl")))?;
        // The one just closed counts too.
        let surplus = (closed.len() + 1).saturating_sub(self.rotation.keep as usize);
        for (_, path) in closed.iter().take(surplus) {
            self.delete(path)?;
        }
        self.file = create(&self.disk, &self.dir)?;
        self.length = 0;
        Ok(())
    }

    fn delete(&self, path: &Path) -> io::Result<()> {
        let bytes = fs::metadata(path)?.len();
        self.disk.remove(path)?;
        // Said once: from then on it is how things are, and the count tells the rest.
        if self.deleted.files.inc() == 0 {
            let (folder, keep) = (self.dir.display(), self.rotation.keep);
            tracing::info!(%folder, keep, bytes, "more files than are kept: from now on the oldest is deleted");
        }
        self.deleted.bytes.inc_by(bytes);
        Ok(())
    }
}

fn create(disk: &Disk, dir: &Path) -> io::Result<DiskFile> {
    let file = disk.create(&dir.join(CURRENT), 0)?;
    disk.sync_dir(dir)?;
    Ok(file)
}

/// Closed files by number, the oldest first.
fn closed_files(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        files.extend(number.map(|number| (number, path)));
    }
    files.sort();
    Ok(files)
}

/// The length up to and with the last line break.
fn whole_lines(file: &DiskFile) -> io::Result<u64> {
    let mut end = file.length()?;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(end - start).unwrap_or_default()];
        file.read_exact_at(&mut block, start)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROTATION: Rotation = Rotation { rotate: 10, keep: 2 };

    fn open(dir: &Path) -> Lines {
        Lines::open(Disk::real(), dir.to_owned(), ROTATION, Deleted::default()).unwrap()
    }

    fn current(dir: &Path) -> String {
        fs::read_to_string(dir.join(CURRENT)).unwrap()
    }

    #[test]
    fn a_torn_last_line_is_cut_on_open() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).append(b"{1}\n").unwrap();
        fs::write(dir.path().join(CURRENT), "{1}\n{2").unwrap();
        open(dir.path()).append(b"{2}\n").unwrap();
        assert_eq!(current(dir.path()), "{1}\n{2}\n");
        fs::write(dir.path().join(CURRENT), "{torn").unwrap();
        open(dir.path()).append(b"{3}\n").unwrap();
        assert_eq!(current(dir.path()), "{3}\n");
    }

    #[test]
    fn a_line_longer_than_a_block_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let long = "x".repeat(200_000);
        fs::write(dir.path().join(CURRENT), format!("a\n{long}")).unwrap();
        assert_eq!(open(dir.path()).length, 2);
    }

    #[test]
    fn files_rotate_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut lines = open(dir.path());
        for number in 0..5 {
            lines.append(format!("line {number}\n").as_bytes()).unwrap();
        }
        let mut names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["0000000003.jsonl", "0000000004.jsonl", CURRENT]);
        assert_eq!(current(dir.path()), "line 4\n");
        assert_eq!((lines.deleted.files.get(), lines.deleted.bytes.get()), (2, 14), "what went is counted");
    }

    #[test]
    fn a_full_disk_is_an_error_and_nothing_half_written_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, faults) = Disk::with_faults();
        let mut lines =
            Lines::open(disk, dir.path().to_owned(), Rotation { rotate: 100, keep: 1 }, Deleted::default()).unwrap();
        lines.append(b"first\n").unwrap();
        faults.plant(tollgate_disk::Operation::Write, 0, tollgate_disk::Fault::Short(3));
        faults.plant(tollgate_disk::Operation::Write, 1, tollgate_disk::Fault::Fail(io::ErrorKind::StorageFull));
        assert!(lines.append(b"second\n").is_err());
        assert_eq!(open(dir.path()).length, 6);
        assert_eq!(current(dir.path()), "first\n");
    }
}

//! Real file systems that are full or cannot be written.
//!
//! Each test runs itself again in a mount namespace of its own, where it may mount a small tmpfs: with `unshare` of
//! util-linux, as root or where users may make namespaces. Where neither is possible these tests fail and say so.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use tollgate_disk::Disk;
use tollgate_runtime::{Clock, Timestamp};
use tollgate_spool::{AppendError, Consumer, OpenError, Position, Spool};

use crate::world::{SEGMENT, config, entry, number, read_all};

/// Says to a test that it is the one inside, and where the tmpfs is.
const INSIDE: &str = "TOLLGATE_SPOOL_MOUNT";
/// What the tmpfs holds: a few segments, and the small files beside them.
const SIZE: u64 = 12 * SEGMENT;

fn unshare(user: &[&str], script: &str, test: &str, dir: &Path) -> Output {
    let mut command = Command::new("unshare");
    command.args(user).args(["--mount", "sh", "-ec", script]);
    command.env(INSIDE, dir).env("TEST", std::env::current_exe().unwrap()).env("NAME", test);
    command.output().expect("`unshare` of util-linux is needed to mount a small tmpfs")
}

/// Where the tmpfs is, if this is the inside; else runs the inside and returns nothing.
fn inside(test: &str) -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os(INSIDE) {
        return Some(dir.into());
    }
    let dir = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size={SIZE},mode=700 tmpfs \"${INSIDE}\"");
    let rootless = ["--user", "--map-root-user"];
    let as_root = unshare(&[], &mount, test, dir.path()).status.success();
    let user: &[&str] = if as_root { &[] } else { &rootless };
    let run = format!("{mount}\nexec \"$TEST\" --exact \"$NAME\" --nocapture");
    let output = unshare(user, &run, test, dir.path());
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "without root or user namespaces this cannot be tested: {err}{out}");
    assert!(out.contains("1 passed"), "the test ran inside: {out}");
    None
}

/// Runs an async test on a log in `dir`.
fn on_log<F: Future>(dir: &Path, test: impl FnOnce(Spool, Consumer) -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Clock::manual(Timestamp::from_nanos(1)).0;
        let (spool, recovered) = Spool::open(config(dir, &["link"]), clock, Disk::real()).unwrap();
        assert!(recovered.quarantined.is_empty() && recovered.truncated_bytes == 0, "{recovered:?}");
        let link = spool.consumer("link").unwrap();
        test(spool, link).await
    })
}

/// Appends until it is refused; returns the number of the record that was.
async fn fill(spool: &Spool, first: u64) -> u64 {
    let mut next = first;
    loop {
        match spool.append(entry(next, 1500)).await {
            Ok(_) => next += 1,
            Err(AppendError::Full { retry_after }) => {
                assert!(retry_after >= Duration::from_secs(1));
                return next;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

async fn numbers(link: &Consumer, from: Position) -> Vec<u64> {
    read_all(link, from).await.unwrap().iter().map(number).collect()
}

#[test]
fn a_full_file_system_refuses_until_something_else_makes_room() {
    let Some(dir) = inside("mounts::a_full_file_system_refuses_until_something_else_makes_room") else { return };
    let other = dir.join("other");
    fs::write(&other, vec![1; 4 * usize::try_from(SEGMENT).unwrap()]).unwrap();
    let log = dir.join("log");
    let end = on_log(&log, async |spool, link| {
        let full = fill(&spool, 0).await;
        assert!(full > 10, "what room there is was used: {full}");
        assert_eq!(fill(&spool, full).await, full, "still full");
        assert_eq!(numbers(&link, Position::ZERO).await, (0..full).collect::<Vec<_>>());
        fs::remove_file(&other).unwrap();
        let end = fill(&spool, full).await;
        assert!(end > full + 10, "it goes on by itself: {end}");
        assert_eq!(numbers(&link, Position::ZERO).await, (0..end).collect::<Vec<_>>());
        spool.close().await;
        end
    });
    // What is full can still be opened and read.
    on_log(&log, async |_spool, link| assert_eq!(numbers(&link, Position::ZERO).await, (0..end).collect::<Vec<_>>()));
}

#[test]
fn a_log_that_filled_its_file_system_goes_on_as_its_consumers_do() {
    let Some(dir) = inside("mounts::a_log_that_filled_its_file_system_goes_on_as_its_consumers_do") else { return };
    let log = dir.join("log");
    let end = on_log(&log, async |spool, link| {
        let mut end = fill(&spool, 0).await;
        // Not a byte is left, not even for a cursor file.
        let mut left = fs::File::create(dir.join("left")).unwrap();
        let full = (0..).find_map(|_| std::io::Write::write_all(&mut left, &[1; 512]).err()).unwrap();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        for _ in 0..3 {
            let records = read_all(&link, link.floor()).await.unwrap();
            link.advance("lane", records[records.len() / 2].position);
            let before = end;
            end = fill(&spool, end).await;
            assert!(end > before, "half of it was let go");
            assert_eq!(numbers(&link, link.floor()).await.last(), Some(&(end - 1)));
        }
        spool.close().await;
        end
    });
    on_log(&log, async |_spool, link| {
        let there = numbers(&link, link.floor()).await;
        assert_eq!(there, (there[0]..end).collect::<Vec<_>>());
    });
}

#[test]
fn a_file_system_that_cannot_be_written_is_refused_and_left_as_it_is() {
    let test = "mounts::a_file_system_that_cannot_be_written_is_refused_and_left_as_it_is";
    let Some(dir) = inside(test) else { return };
    let (log, clock) = (dir.join("log"), Clock::manual(Timestamp::from_nanos(1)).0);
    on_log(&log, async |spool, _link| {
        spool.append(entry(0, 1500)).await.unwrap();
        spool.close().await;
    });
    let remount = |how| assert!(Command::new("mount").args(["-o", how]).arg(&dir).status().unwrap().success());
    let lengths = || -> Vec<_> {
        let files = fs::read_dir(&log).unwrap().map(|entry| entry.unwrap());
        files.map(|entry| (entry.file_name(), entry.metadata().unwrap().len())).collect()
    };
    let before = lengths();
    remount("remount,ro");
    for log in [&log, &dir.join("new")] {
        match Spool::open(config(log, &["link"]), clock.clone(), Disk::real()) {
            Err(OpenError::Io(error)) => assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(lengths(), before);
    remount("remount,rw");
    on_log(&log, async |spool, link| {
        spool.append(entry(1, 1500)).await.unwrap();
        assert_eq!(numbers(&link, Position::ZERO).await, [0, 1]);
    });
}

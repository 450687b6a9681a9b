use std::fs;
use std::io::{ErrorKind, IoSlice};
use std::os::unix::fs::PermissionsExt;

use tempfile::tempdir;

use crate::{Disk, Fault, LockError, Operation, Torn};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_and_directories_are_for_their_owner_only() {
    let root = tempdir().unwrap();
    let (dir, disk) = (root.path().join("a/b"), Disk::real());
    disk.make_dir(&dir).unwrap();
    disk.create(&dir.join("segment"), 4096).unwrap();
    disk.replace(&dir.join("small"), b"text").unwrap();
    let _lock = disk.lock(&dir).unwrap();
    assert_eq!(mode(&dir), 0o700);
    assert!(["segment", "small", "LOCK"].iter().all(|name| mode(&dir.join(name)) == 0o600));
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    disk.make_dir(&dir).unwrap();
    assert_eq!(mode(&dir), 0o700, "a directory that was too open is narrowed");
}

#[test]
fn a_held_directory_is_refused_until_it_is_let_go() {
    let dir = tempdir().unwrap();
    let held = Disk::real().lock(dir.path()).unwrap();
    assert!(matches!(Disk::real().lock(dir.path()), Err(LockError::Held)));
    drop(held);
    assert!(Disk::real().lock(dir.path()).is_ok());
}

#[test]
fn replacing_fails_as_a_whole() {
    let dir = tempdir().unwrap();
    let (path, (disk, faults)) = (dir.path().join("small"), Disk::with_faults());
    disk.replace(&path, b"first").unwrap();
    for operation in [Operation::Allocate, Operation::Write, Operation::Sync, Operation::Rename] {
        faults.plant(operation, 0, Fault::Fail(ErrorKind::StorageFull));
        assert_eq!(disk.replace(&path, b"second").unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }
    disk.replace_unsynced(&path, b"third").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"third");
}

#[test]
fn no_room_leaves_no_file() {
    let dir = tempdir().unwrap();
    let (path, (disk, faults)) = (dir.path().join("segment"), Disk::with_faults());
    faults.plant(Operation::Allocate, 1, Fault::Fail(ErrorKind::StorageFull));
    assert!(disk.create(&path, 1 << 20).is_err());
    assert!(!path.exists());
    assert_eq!(disk.create(&path, 1 << 20).unwrap().length().unwrap(), 1 << 20);
}

#[test]
fn short_writes_are_completed() {
    let dir = tempdir().unwrap();
    let (path, (disk, faults)) = (dir.path().join("file"), Disk::with_faults());
    let file = disk.create(&path, 16).unwrap();
    faults.plant(Operation::Write, 0, Fault::Short(5));
    let (first, second) = (*b"gather", *b"these");
    file.write_all_vectored_at(&mut [IoSlice::new(&first), IoSlice::new(&second)], 2).unwrap();
    assert_eq!(&fs::read(&path).unwrap()[..13], b"\0\0gatherthese");
    assert_eq!((faults.tried(Operation::Write), faults.written()), (2, 11));
}

#[test]
fn many_pieces_are_written_in_order() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    let file = Disk::real().create(&path, 3000).unwrap();
    let bytes: Vec<u8> = (0..3000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let mut pieces: Vec<IoSlice<'_>> = bytes.chunks(1).map(IoSlice::new).collect();
    file.write_all_vectored_at(&mut pieces, 0).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn what_was_only_reserved_is_told_from_what_was_written() {
    let dir = tempdir().unwrap();
    let file = Disk::real().create(&dir.path().join("file"), 8 << 20).unwrap();
    assert_eq!(file.written().unwrap(), []);
    file.write_all_at(&[7; 100], 10).unwrap();
    file.write_all_at(&[7; 100], 4 << 20).unwrap();
    file.sync().unwrap();
    let [first, second] = &file.written().unwrap()[..] else { panic!("two stretches") };
    assert!(first.start <= 10 && (110..1 << 20).contains(&first.end), "{first:?}");
    assert!(second.contains(&(4 << 20)) && ((4 << 20) + 100..5 << 20).contains(&second.end), "{second:?}");
}

#[test]
fn a_crash_leaves_a_torn_write_and_nothing_afterwards() {
    for (torn, left) in [(Torn::Prefix(700), vec![0..512, 512..700]), (Torn::Sectors(0b101), vec![0..512, 1024..1500])]
    {
        let dir = tempdir().unwrap();
        let (path, (disk, faults)) = (dir.path().join("file"), Disk::with_faults());
        let file = disk.create(&path, 1500).unwrap();
        faults.plant(Operation::Write, 1, Fault::Crash(torn));
        file.write_all_at(b"", 0).unwrap();
        file.write_all_at(b"x", 0).unwrap();
        file.write_all_at(&[7; 1500], 0).unwrap_err();
        let found = fs::read(&path).unwrap();
        assert!((1..1500).all(|at| (found[at] == 7) == left.iter().any(|range| range.contains(&at))));
        file.sync().unwrap_err();
        disk.remove(&path).unwrap_err();
        disk.replace(&path, b"").unwrap_err();
    }
}

#[test]
fn lasting_faults_stay_until_lifted() {
    let dir = tempdir().unwrap();
    let (disk, faults) = Disk::with_faults();
    let file = disk.create(&dir.path().join("file"), 8).unwrap();
    faults.plant_lasting(Operation::Sync, Fault::Fail(ErrorKind::Other));
    assert!(file.sync().is_err() && file.sync().is_err());
    faults.lift();
    file.sync().unwrap();
}

#[test]
fn a_gate_holds_its_kind_of_operation_until_it_is_dropped() {
    let dir = tempdir().unwrap();
    let (disk, faults) = Disk::with_faults();
    let file = disk.create(&dir.path().join("file"), 8).unwrap();
    let gate = faults.gate(Operation::Sync);
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| file.sync());
        while gate.waiting() == 0 {
            std::thread::yield_now();
        }
        file.write_all_at(b"x", 0).unwrap();
        assert!(!syncing.is_finished());
        // What is planted while it waits strikes it.
        faults.plant(Operation::Sync, 0, Fault::Fail(ErrorKind::TimedOut));
        drop(gate);
        assert_eq!(syncing.join().unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
    });
    file.sync().unwrap();
}

#[test]
fn a_read_gives_all_it_was_asked_for_or_an_error() {
    let dir = tempdir().unwrap();
    let file = Disk::real().create(&dir.path().join("segment"), 4096).unwrap();
    file.write_all_at(b"tollgate", 100).unwrap();
    assert_eq!(file.read_at(8, 100).unwrap(), b"tollgate");
    assert_eq!(file.read_at(0, 100).unwrap(), b"");
    assert_eq!(file.read_at(4096, 1).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

//! The root keys of a running process, taken up and forgotten as their files come and go.
//!
//! Promises:
//! 1. A root that is not here is said once in the log, and again only after it has not been asked for ten minutes.
//! 2. What is gone, or lies open to others, is forgotten at the next look. A folder that cannot be read for a moment is not gone.
//! 3. Whoever derives keys learns by the version that a root came or went.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tollgate_redaction::{Epoch, Keys, RootKey};
use tollgate_runtime::Timestamp;

use crate::error::KeyError;
use crate::file_name;
use crate::folder::KeyFolder;

/// For how many looks a root that is missing counts as asked for.
const REMEMBERED: u64 = 60;
/// The most missing roots of a key that are told apart. Times of arrival are ours, so there are few.
const MOST_MISSED: usize = 64;

/// The root keys of this process.
pub struct KeyRing {
    folders: Vec<KeyFolder>,
    held: Mutex<Held>,
    version: AtomicU64,
}

#[derive(Default)]
struct Held {
    keys: BTreeMap<String, Key>,
    looks: u64,
    /// What was wrong at the last look.
    faults: BTreeSet<String>,
}

impl Held {
    /// Forgets what is here by now, or was not asked for lately.
    fn forget_missed(&mut self) {
        for Key { roots, missed } in self.keys.values_mut() {
            let looks = self.looks;
            missed.retain(|epoch, asked| !roots.contains_key(epoch) && looks.saturating_sub(*asked) < REMEMBERED);
        }
        self.looks += 1;
    }
}

#[derive(Default)]
struct Key {
    roots: BTreeMap<Epoch, Root>,
    /// By epoch, at which look it was asked for last.
    missed: BTreeMap<Epoch, u64>,
}

#[derive(Clone)]
struct Root {
    key: RootKey,
    id: String,
    print: Print,
}

/// What a file can be told from another by.
#[derive(Clone, PartialEq, Eq)]
struct Print {
    inode: u64,
    mode: u32,
    length: u64,
    changed: (i64, i64),
}

/// What a process has of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// The key's name.
    pub key: String,
    /// The epochs whose roots are here, with the roots' public names.
    pub roots: Vec<(Epoch, String)>,
    /// The epochs that were asked for lately and are not here.
    pub missing: Vec<Epoch>,
}

impl KeyStatus {
    /// Until when there is a root for every moment from now on, in seconds since the Unix epoch; of several lengths of epochs,
    /// the one that ends first. Zero if one of them has no root now: those that are in use, and those that are missed now.
    #[must_use]
    pub fn until(&self, in_use: impl IntoIterator<Item = Duration>, now: Timestamp) -> u64 {
        let missed = self.missing.iter().filter(|epoch| Epoch::at(now.nanos(), epoch.length()) == **epoch);
        let needed: BTreeSet<_> = in_use.into_iter().chain(missed.map(|epoch| epoch.length())).collect();
        let has = |epoch: &Epoch| self.roots.iter().any(|(held, _)| held == epoch);
        let until = |length| {
            let first = Epoch::at(now.nanos(), length);
            let held = std::iter::successors(Some(first), |epoch| Some(epoch.next())).take_while(has);
            held.take(self.roots.len()).last().map_or(0, |last| last.seconds().end)
        };
        if needed.is_empty() {
            // Nobody uses the key: what lies there tells.
            let held: BTreeSet<_> = self.roots.iter().map(|(epoch, _)| epoch.length()).collect();
            return held.into_iter().map(until).filter(|until| *until > 0).min().unwrap_or(0);
        }
        needed.into_iter().map(until).min().unwrap_or(0)
    }
}

impl KeyRing {
    /// Reads every root of these keys.
    ///
    /// # Errors
    /// With everything that cannot be read.
    pub fn load(folders: Vec<KeyFolder>) -> Result<Self, Vec<KeyError>> {
        let ring = Self { folders, held: Mutex::default(), version: AtomicU64::new(0) };
        let faults = ring.look(|_| {});
        if faults.is_empty() { Ok(ring) } else { Err(faults) }
    }

    /// Whether there is a folder for a key of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.folders.iter().any(|folder| folder.name() == name)
    }

    /// Whether the root of an epoch is here.
    #[must_use]
    pub fn holds(&self, name: &str, epoch: Epoch) -> bool {
        self.held().keys.get(name).is_some_and(|key| key.roots.contains_key(&epoch))
    }

    /// Looks what has come and gone, and logs it. Blocks.
    pub fn refresh(&self) {
        let faults: BTreeSet<String> = self.look(log).iter().map(KeyError::to_string).collect();
        let mut held = self.held();
        for fault in faults.difference(&held.faults) {
            tracing::error!("{fault}: what it would name does not cross");
        }
        held.faults = faults;
    }

    /// Returns what is here, key by key.
    #[must_use]
    pub fn status(&self) -> Vec<KeyStatus> {
        let held = self.held();
        let status = |(name, key): (&String, &Key)| KeyStatus {
            key: name.clone(),
            roots: key.roots.iter().map(|(epoch, root)| (*epoch, root.id.clone())).collect(),
            missing: key.missed.keys().copied().collect(),
        };
        held.keys.iter().map(status).collect()
    }

    /// Looks at every folder and tells what came and went.
    fn look(&self, mut tell: impl FnMut(Change<'_>)) -> Vec<KeyError> {
        let mut faults = Vec::new();
        let mut changed = false;
        for folder in &self.folders {
            let before = self.held().keys.get(folder.name()).map(|key| key.roots.clone()).unwrap_or_default();
            let now = roots(folder, &before, &mut faults);
            changed |= compare(folder.name(), &before, &now, &mut tell);
            self.held().keys.entry(folder.name().to_owned()).or_default().roots = now;
        }
        self.held().forget_missed();
        if changed {
            // After the roots: who has the new number finds the new roots.
            self.version.fetch_add(1, Ordering::Release);
        }
        faults
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys for KeyRing {
    fn root(&self, name: &str, epoch: Epoch) -> Option<RootKey> {
        let mut held = self.held();
        let looks = held.looks;
        if !held.keys.contains_key(name) {
            // Documents that came into force since the start may name a key that the node file does not.
            held.keys.insert(name.to_owned(), Key::default());
        }
        let key = held.keys.get_mut(name)?;
        if let Some(root) = key.roots.get(&epoch) {
            return Some(root.key.clone());
        }
        if key.missed.insert(epoch, looks).is_none() {
            let file = file_name::of(epoch).unwrap_or_default();
            tracing::error!(
                key = name,
                file,
                "no root for this epoch: what arrived in it gets no pseudonym and no blinded id"
            );
        }
        if key.missed.len() > MOST_MISSED {
            key.missed.pop_first();
        }
        None
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

/// The roots of a folder; those whose files are as they were are not read again.
fn roots(folder: &KeyFolder, before: &BTreeMap<Epoch, Root>, faults: &mut Vec<KeyError>) -> BTreeMap<Epoch, Root> {
    let (epochs, odd) = match folder.names() {
        Ok(names) => names,
        Err(fault) => {
            let stay = if fault.may_pass() { before.clone() } else { BTreeMap::new() };
            faults.push(fault);
            return stay;
        }
    };
    faults.extend(odd);
    let mut found = BTreeMap::new();
    for epoch in epochs {
        match root(folder, epoch, before.get(&epoch)) {
            Ok(root) => drop(found.insert(epoch, root)),
            Err(KeyError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {} // gone since
            Err(fault) => {
                let stays = before.get(&epoch).filter(|_| fault.may_pass());
                found.extend(stays.map(|root| (epoch, root.clone())));
                faults.push(fault);
            }
        }
    }
    found
}

fn root(folder: &KeyFolder, epoch: Epoch, before: Option<&Root>) -> Result<Root, KeyError> {
    let path = folder.path(epoch)?;
    let print = print(&path).ok();
    if let Some(before) = before.filter(|before| Some(&before.print) == print.as_ref()) {
        return Ok(before.clone());
    }
    let key = folder.read(epoch)?;
    let print = print.map_or_else(|| self::print(&path).map_err(folder.failed("look at", &path)), Ok)?;
    Ok(Root { id: key.id(), key, print })
}

fn print(path: &std::path::Path) -> io::Result<Print> {
    let file = fs::metadata(path)?;
    let changed = (file.ctime(), file.ctime_nsec());
    Ok(Print { inode: file.ino(), mode: file.mode(), length: file.len(), changed })
}

/// A root that came or went.
struct Change<'a> {
    key: &'a str,
    epoch: Epoch,
    id: &'a str,
    what: &'static str,
}

fn log(change: Change<'_>) {
    let Change { key, epoch, id, what } = change;
    tracing::info!(key, file = file_name::of(epoch), id, "{what}");
}

/// Tells what came and went; says whether anything did.
fn compare(
    key: &str,
    before: &BTreeMap<Epoch, Root>,
    now: &BTreeMap<Epoch, Root>,
    tell: &mut impl FnMut(Change<'_>),
) -> bool {
    let mut changed = false;
    for (one, other, what) in [(before, now, "a root is gone and forgotten"), (now, before, "a root was taken up")] {
        for (epoch, root) in one.iter().filter(|(epoch, root)| other.get(epoch).is_none_or(|other| other.id != root.id))
        {
            changed = true;
            tell(Change { key, epoch: *epoch, id: &root.id, what });
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::folder::tests::{MONTH, NOW, folder, put};

    fn at(nanos: u64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    #[test]
    fn roots_are_taken_up_and_forgotten_as_their_files_come_and_go() {
        let (_dir, key) = folder();
        let first = key.begin(&[MONTH], at(NOW)).unwrap()[0];
        let ring = KeyRing::load(vec![key.clone()]).unwrap();
        let version = ring.version();
        assert!(ring.has("user") && !ring.has("session") && ring.root("user", first).is_some());
        assert!(ring.root("user", first.next()).is_none() && ring.root("session", first).is_none());
        let missing = |key: usize| ring.status()[key].missing.clone();
        assert_eq!((missing(1), missing(0)), (vec![first.next()], vec![first]), "also of a key that no folder is for");
        ring.refresh();
        assert_eq!(ring.version(), version, "nothing has changed");
        key.rotate(&[MONTH], at(NOW), Duration::ZERO).unwrap();
        ring.refresh();
        assert!(ring.version() != version && ring.root("user", first.next()).is_some());
        assert_eq!((ring.status()[1].missing.len(), ring.status()[1].roots.len()), (0, 2));
        let version = ring.version();
        let later = at(NOW).saturating_add(2 * MONTH);
        key.destroy(first, &serde_json::json!([]), later).unwrap();
        ring.refresh();
        assert!(ring.version() != version && ring.root("user", first).is_none());
        assert!(ring.root("user", first.next()).is_some(), "another one's end touches no other");
    }

    #[test]
    fn a_root_that_others_can_read_from_now_on_is_forgotten_and_one_that_is_replaced_is_the_new_one() {
        let (_dir, key) = folder();
        let first = key.begin(&[MONTH], at(NOW)).unwrap()[0];
        let ring = KeyRing::load(vec![key.clone()]).unwrap();
        let path = key.path(first).unwrap();
        let id = ring.root("user", first).unwrap().id();
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        ring.refresh();
        assert!(ring.root("user", first).is_none());
        fs::remove_file(&path).unwrap();
        assert!(KeyRing::load(vec![key.clone()]).unwrap().root("user", first).is_none(), "empty, and no fault");
        let other = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        put(&key, "20261103T000000Z-30d.root", other, 0o400);
        ring.refresh();
        assert_ne!(ring.root("user", first).unwrap().id(), id);
        fs::remove_dir_all(key.dir()).unwrap();
        ring.refresh();
        assert!(ring.root("user", first).is_none(), "the whole folder is gone");
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let (_dir, short) = folder();
        let (_other, open) = folder();
        let (_third, odd) = folder();
        put(&short, "20261103T000000Z-30d.root", "short", 0o400);
        put(&open, "20261103T000000Z-30d.root", "short", 0o644);
        put(&odd, "user.root", "short", 0o400);
        let nowhere = KeyFolder::new("gone", "/nowhere");
        let faults = KeyRing::load(vec![short, open, odd, nowhere]).err().unwrap();
        assert!(faults.len() == 4 && faults.iter().all(|fault| !fault.may_pass()), "{faults:?}");
    }

    #[test]
    fn what_is_missing_is_bounded_and_passes() {
        let (_dir, key) = folder();
        key.begin(&[MONTH], at(NOW)).unwrap();
        let ring = KeyRing::load(vec![key]).unwrap();
        let mut epoch = Epoch::at(0, MONTH);
        for _ in 0..MOST_MISSED * 2 {
            assert!(ring.root("user", epoch).is_none());
            epoch = epoch.next();
        }
        assert_eq!(ring.status()[0].missing.len(), MOST_MISSED);
        (0..=REMEMBERED).for_each(|_| ring.refresh());
        assert!(ring.status()[0].missing.is_empty());
    }

    #[test]
    fn it_is_known_until_when_there_are_roots() {
        let (_dir, key) = folder();
        let first = key.begin(&[MONTH], at(NOW)).unwrap()[0];
        let until = || KeyRing::load(vec![key.clone()]).unwrap().status()[0].until([], at(NOW));
        assert_eq!(until(), first.seconds().end);
        key.rotate(&[MONTH], at(NOW), 2 * MONTH).unwrap();
        assert_eq!(until(), first.next().next().seconds().end);
        fs::remove_file(key.path(first.next()).unwrap()).unwrap();
        assert_eq!(until(), first.seconds().end, "a gap counts");
        fs::remove_file(key.path(first).unwrap()).unwrap();
        assert_eq!(until(), 0);
    }

    #[test]
    fn a_length_that_is_needed_and_has_no_root_now_counts_as_none() {
        let (_dir, key) = folder();
        let first = key.begin(&[MONTH], at(NOW)).unwrap()[0];
        let (week, ring) = (MONTH / 4, KeyRing::load(vec![key]).unwrap());
        let until = |in_use: &[Duration]| ring.status()[0].until(in_use.iter().copied(), at(NOW));
        assert_eq!((until(&[MONTH]), until(&[week]), until(&[MONTH, week])), (first.seconds().end, 0, 0));
        assert!(ring.root("user", first.next()).is_none());
        assert_eq!(until(&[MONTH]), first.seconds().end, "what is missing later is not missing now");
        assert!(ring.root("user", Epoch::at(NOW, week)).is_none());
        assert_eq!(until(&[MONTH]), 0, "somebody asked for it");
    }
}

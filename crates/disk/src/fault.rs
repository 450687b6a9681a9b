//! Faults that a test plants in a [`Disk`](crate::Disk).

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What can go wrong, by kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Making a file or reserving room for it.
    Allocate,
    /// One write call.
    Write,
    /// Making a file's content, or a directory's names, durable.
    Sync,
    /// Renaming, linking, removing or cutting a file.
    Rename,
    /// Reading from a file. The only one that still works when the machine is dead.
    Read,
}

const KINDS: usize = 5;

/// How an operation goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails and changes nothing.
    Fail(io::ErrorKind),
    /// A write takes only this many bytes, at least one.
    Short(usize),
    /// The machine dies here: a write leaves a torn part, and nothing that changes the disk works afterwards.
    Crash(Torn),
}

/// What a write that was never synced leaves behind when the machine dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// Its first bytes.
    Prefix(usize),
    /// Those of its sectors of 512 bytes whose bit is set in this repeating pattern.
    Sectors(u64),
}

/// The faults of one disk; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    script: Arc<Mutex<Script>>,
    /// A gate was opened.
    gates: Arc<Condvar>,
}

#[derive(Debug, Default)]
struct Script {
    planned: Vec<Planned>,
    crashed: bool,
    /// Gates that are closed, and operations that wait at them, by kind.
    closed: [usize; KINDS],
    waiting: [usize; KINDS],
    done: [u64; KINDS],
    written: u64,
    read: u64,
    /// What reads find in memory, in bytes.
    cached: usize,
}

#[derive(Debug)]
struct Planned {
    operation: Operation,
    /// Operations that still pass before it strikes.
    after: u64,
    fault: Fault,
    lasting: bool,
}

impl Faults {
    /// Plants a fault that strikes once, after `passing` more operations of its kind have passed.
    pub fn plant(&self, operation: Operation, passing: u64, fault: Fault) {
        self.script().planned.push(Planned { operation, after: passing, fault, lasting: false });
    }

    /// Plants a fault that strikes every operation of its kind until the faults are lifted.
    pub fn plant_lasting(&self, operation: Operation, fault: Fault) {
        self.script().planned.push(Planned { operation, after: 0, fault, lasting: true });
    }

    /// Lifts all planted faults. A crash stays.
    pub fn lift(&self) {
        self.script().planned.clear();
    }

    /// Makes every operation of this kind wait until the gate is dropped: a disk as slow as the test wants.
    #[must_use]
    pub fn gate(&self, operation: Operation) -> Gate {
        self.script().closed[operation as usize] += 1;
        Gate { faults: self.clone(), operation }
    }

    /// Lets reads that do not wait for the disk find at most so many bytes in memory. They find none unless this is said.
    pub fn cache(&self, bytes: usize) {
        self.script().cached = bytes;
    }

    pub(crate) fn cached(&self) -> usize {
        self.script().cached
    }

    /// Operations of this kind tried so far.
    pub fn tried(&self, operation: Operation) -> u64 {
        self.script().done[operation as usize]
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.script().written
    }

    /// Bytes read from files so far.
    pub fn read(&self) -> u64 {
        self.script().read
    }

    pub(crate) fn count_read(&self, bytes: usize) {
        self.script().read += bytes as u64;
    }

    pub(crate) fn count_written(&self, bytes: usize) {
        self.script().written += bytes as u64;
    }

    pub(crate) fn strike(&self, operation: Operation) -> io::Result<Option<Fault>> {
        let mut script = self.script();
        script.done[operation as usize] += 1;
        script.waiting[operation as usize] += 1;
        let mut script = self
            .gates
            .wait_while(script, |script| script.closed[operation as usize] > 0)
            .unwrap_or_else(PoisonError::into_inner);
        script.waiting[operation as usize] -= 1;
        if script.crashed && operation != Operation::Read {
            return Err(crashed());
        }
        let fault = script.next(operation);
        script.crashed = matches!(fault, Some(Fault::Crash(_)));
        match fault {
            Some(Fault::Fail(kind)) => Err(kind.into()),
            other => Ok(other),
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds back operations of one kind until it is dropped.
#[derive(Debug)]
pub struct Gate {
    faults: Faults,
    operation: Operation,
}

impl Gate {
    /// Operations that wait for it.
    pub fn waiting(&self) -> usize {
        self.faults.script().waiting[self.operation as usize]
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.faults.script().closed[self.operation as usize] -= 1;
        self.faults.gates.notify_all();
    }
}

impl Script {
    fn next(&mut self, operation: Operation) -> Option<Fault> {
        let mut struck = None;
        self.planned.retain_mut(|planned| {
            if planned.operation != operation {
                return true;
            }
            if planned.after > 0 {
                planned.after -= 1;
                return true;
            }
            struck.get_or_insert(planned.fault);
            planned.lasting
        });
        struck
    }
}

impl Torn {
    /// The pieces of `bytes` that survive, with where each begins.
    pub(crate) fn surviving(self, bytes: &[u8]) -> Vec<(usize, &[u8])> {
        match self {
            Torn::Prefix(length) => vec![(0, bytes.get(..length).unwrap_or(bytes))],
            Torn::Sectors(pattern) => (0..64)
                .cycle()
                .zip(bytes.chunks(512).enumerate())
                .filter(|(bit, _)| pattern >> bit & 1 == 1)
                .map(|(_, (sector, chunk))| (sector * 512, chunk))
                .collect(),
        }
    }
}

pub(crate) fn crashed() -> io::Error {
    io::Error::other("the disk is gone")
}

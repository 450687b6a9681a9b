//! Faults that a test plants in a [`Disk`](crate::Disk).

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
}

/// How an operation goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails and changes nothing.
    Fail(io::ErrorKind),
    /// A write takes only this many bytes, at least one.
    Short(usize),
    /// It takes this much longer.
    Slow(Duration),
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
pub struct Faults(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    planned: Vec<Planned>,
    crashed: bool,
    done: [u64; 4],
    written: u64,
    read: u64,
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

    /// Operations of this kind tried so far.
    pub fn tried(&self, operation: Operation) -> u64 {
        self.script().done.get(operation as usize).copied().unwrap_or_default()
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
        let fault = {
            let mut script = self.script();
            if let Some(done) = script.done.get_mut(operation as usize) {
                *done += 1;
            }
            if script.crashed {
                return Err(crashed());
            }
            let fault = script.next(operation);
            script.crashed = matches!(fault, Some(Fault::Crash(_)));
            fault
        };
        match fault {
            Some(Fault::Fail(kind)) => Err(kind.into()),
            Some(Fault::Slow(delay)) => {
                std::thread::sleep(delay);
                Ok(None)
            }
            other => Ok(other),
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

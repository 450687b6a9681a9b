//! What a process or a thread has used, as the kernel counts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Something whose use of the machine is watched.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    folder: PathBuf,
    kind: Kind,
}

/// What memory can be told of: a thread has none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Process,
    Thread,
}

impl Watched {
    pub(crate) fn process(id: u32) -> Self {
        Self { folder: Path::new("/proc").join(id.to_string()), kind: Kind::Process }
    }

    /// A thread of this process.
    pub(crate) fn thread(id: i32) -> Self {
        Self { folder: Path::new("/proc/self/task").join(id.to_string()), kind: Kind::Thread }
    }

    /// User and system time so far; `None` when it has ended.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let stat = fs::read_to_string(self.folder.join("stat")).ok()?;
        // The name of the program stands in parentheses and may hold anything.
        let fields: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
        let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
        // proc(5): utime is the 14th field and stime the 15th; the state, the 3rd, is our first.
        let ticks = ticks(11)? + ticks(12)?;
        Some(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).ok()?)
    }

    /// The most memory that was ever resident, in bytes; what it maps of files counts too.
    pub(crate) fn peak(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    /// The memory that is resident now, in bytes, files apart.
    pub(crate) fn anonymous(&self) -> Option<u64> {
        self.status("RssAnon:")
    }

    fn status(&self, name: &str) -> Option<u64> {
        if self.kind == Kind::Thread {
            return None;
        }
        let status = fs::read_to_string(self.folder.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_what_this_process_used() {
        let own = Watched::process(std::process::id());
        assert!(own.cpu().is_some());
        assert!(own.peak().unwrap() >= own.anonymous().unwrap());
        assert!(own.anonymous().unwrap() > 0);
    }

    #[test]
    fn a_thread_has_time_of_its_own_but_no_memory() {
        let own = Watched::thread(rustix::thread::gettid().as_raw_nonzero().get());
        assert!(own.cpu().is_some());
        assert_eq!((own.peak(), own.anonymous()), (None, None));
    }

    #[test]
    fn of_what_has_ended_nothing_is_told() {
        let gone = Watched::process(u32::MAX);
        assert_eq!((gone.cpu(), gone.peak()), (None, None));
    }
}

//! Files of segments that wait to be used again, as many as were needed a while ago.
//!
//! A log grows and shrinks with its traffic. A file that is written again already has its blocks on the disk and its pages
//! in memory; the first write to a new one costs several times as much.
//!
//! Promises:
//! 1. What lay here unused for [`IDLE`] is given back to the disk, one file at a time; [`FEW`] stay.
//! 2. The file that was written last is used first.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

/// So many stay however long nobody needs them.
pub(crate) const FEW: usize = 2;
/// How long others stay.
const IDLE: Duration = Duration::from_secs(120);

/// The files, and how many of them nobody needed lately.
#[derive(Debug)]
pub(crate) struct Spares {
    /// What was written last is at the end.
    files: VecDeque<PathBuf>,
    /// When counting began, as uptime.
    since: Duration,
    /// So many lay here all the time since then.
    unused: usize,
    /// So many are still to be given back.
    surplus: usize,
}

impl Spares {
    pub(crate) fn new(files: Vec<PathBuf>, now: Duration) -> Self {
        Self { unused: files.len(), files: files.into(), since: now, surplus: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn put(&mut self, file: PathBuf) {
        self.files.push_back(file);
    }

    pub(crate) fn take(&mut self) -> Option<PathBuf> {
        let file = self.files.pop_back();
        self.unused = self.unused.min(self.files.len());
        // What is needed again is no surplus.
        self.surplus = self.surplus.min(self.files.len().saturating_sub(FEW));
        file
    }

    /// A file to give back, if one is due.
    pub(crate) fn surplus(&mut self, now: Duration) -> Option<PathBuf> {
        if now.saturating_sub(self.since) >= IDLE {
            self.surplus = self.unused.saturating_sub(FEW);
            (self.since, self.unused) = (now, self.files.len());
        }
        self.surplus = self.surplus.checked_sub(1)?;
        self.unused = self.unused.saturating_sub(1);
        self.files.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spares(count: usize) -> Spares {
        Spares::new((0..count).map(|number| number.to_string().into()).collect(), Duration::ZERO)
    }

    fn given_back(spares: &mut Spares, now: Duration) -> Vec<PathBuf> {
        std::iter::from_fn(|| spares.surplus(now)).collect()
    }

    #[test]
    fn what_nobody_needed_is_given_back_oldest_first_and_a_few_stay() {
        let mut spares = spares(5);
        assert_eq!(given_back(&mut spares, IDLE - Duration::from_secs(1)), Vec::<PathBuf>::new());
        assert_eq!(given_back(&mut spares, IDLE), ["0", "1", "2"].map(PathBuf::from));
        assert_eq!(given_back(&mut spares, IDLE * 9), Vec::<PathBuf>::new());
        assert_eq!(spares.take(), Some("4".into()));
    }

    #[test]
    fn what_was_needed_once_in_a_while_stays() {
        let mut spares = spares(9);
        for period in 1..20 {
            let taken: Vec<_> = (0..7).filter_map(|_| spares.take()).collect();
            taken.into_iter().for_each(|file| spares.put(file));
            assert_eq!(given_back(&mut spares, IDLE * period), Vec::<PathBuf>::new());
            assert_eq!(spares.len(), 9);
        }
        assert_eq!(given_back(&mut spares, IDLE * 20).len(), 7);
    }

    #[test]
    fn a_burst_ends_the_giving_back_and_a_few_stay() {
        let mut spares = spares(10);
        assert_eq!(spares.surplus(IDLE), Some("0".into()));
        let taken: Vec<_> = (0..7).filter_map(|_| spares.take()).collect();
        assert_eq!((given_back(&mut spares, IDLE), spares.len()), (Vec::new(), FEW));
        taken.into_iter().for_each(|file| spares.put(file));
        assert_eq!((given_back(&mut spares, IDLE), spares.len()), (Vec::new(), 9));
    }
}

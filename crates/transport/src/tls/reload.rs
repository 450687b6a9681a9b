//! Keeps something that was loaded from files up to date while connections use it.
//!
//! Promises:
//! 1. What is loaded is loaded whole and swapped at once; when loading fails the old stays and the failure is said.
//! 2. Every use knows its generation, and can wait until a newer one is in force. A newer one is published before it is
//!    announced, so nobody who was told to go can come back on the old one.
//!
//! Files are looked at every [`INTERVAL`]: watches on files die with the second swap of a mounted secret.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tollgate_runtime::{Shutdown, TaskGroup};

use super::files::TlsError;

const INTERVAL: Duration = Duration::from_secs(30);

/// A value and how many there were before it.
#[derive(Debug)]
pub(super) struct Active<T> {
    pub(super) generation: u64,
    pub(super) value: T,
}

type Load<T> = Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>;

/// A value that follows its files.
pub(super) struct Reloading<T> {
    files: Vec<PathBuf>,
    load: Load<T>,
    active: ArcSwap<Active<T>>,
    seen: Mutex<Vec<Option<Print>>>,
    announced: watch::Sender<u64>,
}

/// What changes when a file is written or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Print {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

/// The generation something was made with, able to tell when it is over.
#[derive(Clone, Debug)]
pub(crate) struct Generations {
    mine: u64,
    announced: watch::Receiver<u64>,
}

impl Generations {
    /// Waits until a newer generation is in force. Cancel safe.
    pub(crate) async fn superseded(&mut self) {
        let mine = self.mine;
        // Newer, not other: what was published but not yet announced is newer than the announcement.
        if self.announced.wait_for(|announced| *announced > mine).await.is_err() {
            // Whoever loads is gone, so nothing newer will ever be.
            std::future::pending::<()>().await;
        }
    }
}

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Loads for the first time.
    pub(super) fn start(
        files: Vec<PathBuf>,
        load: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, TlsError> {
        let seen = prints(&files);
        let active = Active { generation: 0, value: load()? };
        Ok(Arc::new(Self {
            files,
            load: Box::new(load),
            active: ArcSwap::from_pointee(active),
            seen: Mutex::new(seen),
            announced: watch::Sender::new(0),
        }))
    }

    pub(super) fn active(&self) -> Arc<Active<T>> {
        self.active.load_full()
    }

    pub(super) fn generations(&self, active: &Active<T>) -> Generations {
        Generations { mine: active.generation, announced: self.announced.subscribe() }
    }

    /// Loads again if a file changed; whether something new is in force.
    pub(super) fn refresh(&self) -> Result<bool, TlsError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken before loading: a file that changes meanwhile is noticed the next time.
        let now = prints(&self.files);
        if *seen == now {
            return Ok(false);
        }
        let value = (self.load)()?;
        let generation = self.active.load().generation + 1;
        self.active.store(Arc::new(Active { generation, value }));
        *seen = now;
        self.announced.send_replace(generation);
        Ok(true)
    }

    /// Refreshes until the shutdown.
    pub(super) fn watch(self: &Arc<Self>, tasks: &TaskGroup, shutdown: Shutdown) {
        let this = Arc::clone(self);
        tasks.spawn("certificate reload", async move {
            while shutdown.sleep(INTERVAL).await {
                match this.refresh() {
                    Ok(false) => {}
                    Ok(true) => tracing::info!("certificates were reloaded; connections move to them"),
                    Err(error) => tracing::error!(%error, "certificates changed but cannot be used; the old ones stay"),
                }
            }
        });
    }
}

impl<T> std::fmt::Debug for Reloading<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloading").field("files", &self.files).finish_non_exhaustive()
    }
}

fn prints(files: &[PathBuf]) -> Vec<Option<Print>> {
    let print = |path: &PathBuf| {
        let file = std::fs::metadata(path).ok()?;
        Some(Print { inode: file.ino(), length: file.len(), modified: (file.mtime(), file.mtime_nsec()) })
    };
    files.iter().map(print).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number_in(path: PathBuf) -> Arc<Reloading<u32>> {
        let load = {
            let path = path.clone();
            move || {
                let text =
                    std::fs::read_to_string(&path).map_err(|source| TlsError::Read { path: path.clone(), source })?;
                text.parse().map_err(|_| TlsError::Content { path: path.clone(), what: "number" })
            }
        };
        Reloading::start(vec![path], load).unwrap()
    }

    #[tokio::test]
    async fn change_is_swapped_in_and_announced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("n");
        std::fs::write(&path, "1").unwrap();
        let number = number_in(path.clone());
        let mut old = number.generations(&number.active());
        assert!(!number.refresh().unwrap());
        std::fs::write(&path, "22").unwrap();
        assert!(number.refresh().unwrap());
        old.superseded().await;
        assert_eq!(number.active().value, 22);
    }

    #[tokio::test]
    async fn failed_load_keeps_the_old_and_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("n");
        std::fs::write(&path, "1").unwrap();
        let number = number_in(path.clone());
        std::fs::write(&path, "broken").unwrap();
        assert!(number.refresh().is_err() && number.refresh().is_err());
        assert_eq!((number.active().value, number.active().generation), (1, 0));
        std::fs::remove_file(&path).unwrap();
        assert!(number.refresh().is_err());
        std::fs::write(&path, "3").unwrap();
        assert!(number.refresh().unwrap());
        assert_eq!(number.active().value, 3);
    }
}

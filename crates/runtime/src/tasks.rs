//! Tasks that are known by name, so that shutdown can wait for them and say what it waits for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;

/// A set of running tasks; clones share it.
#[derive(Clone, Debug, Default)]
pub struct TaskGroup(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    running: Mutex<BTreeMap<u64, Task>>,
    next: Mutex<u64>,
    ended: Notify,
}

#[derive(Debug)]
struct Task {
    name: Arc<str>,
    abort: Option<tokio::task::AbortHandle>,
}

impl TaskGroup {
    /// An empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task on the current runtime.
    pub fn spawn(&self, name: impl Into<Arc<str>>, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn_on(&Handle::current(), name, future);
    }

    /// Starts a task on the given worker.
    pub fn spawn_on(
        &self,
        worker: &Handle,
        name: impl Into<Arc<str>>,
        future: impl Future<Output = ()> + Send + 'static,
    ) {
        let number = {
            let mut next = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
            *next += 1;
            *next
        };
        self.lock().insert(number, Task { name: name.into(), abort: None });
        let guard = Ended { group: self.clone(), number };
        let task = worker.spawn(async move {
            let _guard = guard;
            future.await;
        });
        if let Some(entry) = self.lock().get_mut(&number) {
            entry.abort = Some(task.abort_handle());
        }
    }

    /// Waits until all tasks have ended, at most `limit`.
    ///
    /// # Errors
    /// The names of those that still run.
    pub async fn wait(&self, limit: Duration) -> Result<(), Vec<Arc<str>>> {
        let all = async {
            loop {
                let ended = self.0.ended.notified();
                tokio::pin!(ended);
                ended.as_mut().enable();
                if self.lock().is_empty() {
                    return;
                }
                ended.await;
            }
        };
        match tokio::time::timeout(limit, all).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.lock().values().map(|task| Arc::clone(&task.name)).collect()),
        }
    }

    /// Ends every task at its next await.
    pub fn abort(&self) {
        for task in self.lock().values() {
            if let Some(abort) = &task.abort {
                abort.abort();
            }
        }
    }

    /// How many tasks run.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether no task runs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Task>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Strikes the task off when its future is dropped: at its end, when aborted, and when it panics.
struct Ended {
    group: TaskGroup,
    number: u64,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.group.lock().remove(&self.number);
        self.group.0.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_names_what_still_runs() {
        let group = TaskGroup::new();
        group.spawn("quick", async {});
        group.spawn("stuck", std::future::pending());
        let left = group.wait(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(left, vec![Arc::from("stuck")]);
        group.abort();
        assert_eq!(group.wait(Duration::from_secs(1)).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_struck_off() {
        let group = TaskGroup::new();
        group.spawn("broken", async { panic!("planted") });
        assert_eq!(group.wait(Duration::from_secs(1)).await, Ok(()));
    }
}

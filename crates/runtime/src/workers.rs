//! N threads with one single-threaded runtime each: a task never moves, so what it owns is never shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// The worker threads of the process.
#[derive(Debug)]
pub struct Workers {
    handles: Vec<Handle>,
    next: AtomicUsize,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` workers, at least one.
    ///
    /// # Errors
    /// When a thread or its event queue cannot be made.
    pub fn start(count: usize) -> std::io::Result<Arc<Self>> {
        let (stop, stopped) = watch::channel(false);
        let mut workers = Self { handles: Vec::new(), next: AtomicUsize::new(0), stop, threads: Vec::new() };
        for number in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            workers.handles.push(runtime.handle().clone());
            let mut stopped = stopped.clone();
            let run = move || {
                let _ = runtime.block_on(stopped.wait_for(|stop| *stop));
            };
            workers.threads.push(std::thread::Builder::new().name(format!("worker-{number}")).spawn(run)?);
        }
        Ok(Arc::new(workers))
    }

    /// The next worker in turn, for something that stays with it.
    pub fn pick(&self) -> &Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        &self.handles[turn % self.handles.len()]
    }

    /// All workers.
    pub fn all(&self) -> &[Handle] {
        &self.handles
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // A worker that panicked has said so on standard error; there is nothing left to do for it here.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_stay_on_the_worker_they_were_given() {
        let workers = Workers::start(2).unwrap();
        let names: Vec<_> = (0..2)
            .map(|_| {
                let (send, receive) = std::sync::mpsc::sync_channel(1);
                workers.pick().spawn(async move {
                    send.send(std::thread::current().name().unwrap().to_owned()).unwrap();
                });
                receive.recv().unwrap()
            })
            .collect();
        assert_eq!(names, ["worker-0", "worker-1"]);
    }
}

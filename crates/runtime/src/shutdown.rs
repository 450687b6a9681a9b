//! How the process is told to stop: one flag that everything can await.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Told to all: the process is stopping. Clones see the same flag.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// Starts the shutdown.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Shutdown {
    /// A flag that is not set, and the handle that sets it.
    pub fn new() -> (Stopper, Self) {
        let (sender, receiver) = watch::channel(false);
        (Stopper(sender), Self(receiver))
    }

    /// Whether the process is stopping.
    pub fn is_started(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the process is stopping. Cancel safe.
    pub async fn started(&self) {
        let mut flag = self.0.clone();
        // A stopper that is gone can never be used any more, which is a stop as well.
        let _ = flag.wait_for(|stopping| *stopping).await;
    }

    /// Sleeps; `false` if the shutdown came first. Cancel safe.
    pub async fn sleep(&self, duration: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.started() => false,
            () = tokio::time::sleep(duration) => true,
        }
    }
}

impl Stopper {
    /// Sets the flag.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// Asked for again and again; what is asked for several times before anybody looks is asked for once.
#[derive(Clone, Debug)]
pub struct Requests(watch::Receiver<u64>);

impl Requests {
    /// Waits until it is asked for. Cancel safe.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // Whoever asks is gone.
            std::future::pending::<()>().await;
        }
    }
}

/// SIGTERM, SIGINT and SIGHUP, which do to the process only what it makes of them.
#[derive(Clone, Debug)]
pub struct Signals {
    /// Set by the first signal: stop in order.
    pub stop: Shutdown,
    /// Set by the second: stop at once.
    pub stop_at_once: Shutdown,
    /// Asked for by SIGHUP: read the documents again.
    pub reload: Requests,
}

impl Signals {
    /// Listens from the moment this returns, on a thread of its own: one that comes while the process is busy is kept.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub fn listen() -> std::io::Result<Self> {
        let queue = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut terminate, mut interrupt, mut hangup) = {
            let _queue = queue.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?)
        };
        let ((first, stop), (second, stop_at_once)) = (Shutdown::new(), Shutdown::new());
        let (hangups, reload) = watch::channel(0);
        let listen = async move {
            for stopper in [&first, &second] {
                loop {
                    tokio::select! {
                        // Cancel safe: a signal that was not received is still to be.
                        _ = terminate.recv() => break,
                        _ = interrupt.recv() => break,
                        _ = hangup.recv() => hangups.send_modify(|count: &mut u64| *count += 1),
                    }
                }
                stopper.stop();
            }
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || queue.block_on(listen))?;
        Ok(Self { stop, stop_at_once, reload: Requests(reload) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn sleep_ends_early_when_the_process_stops() {
        let (stopper, shutdown) = Shutdown::new();
        assert!(shutdown.sleep(Duration::from_secs(1)).await);
        assert!(!shutdown.is_started());
        stopper.stop();
        assert!(!shutdown.sleep(Duration::from_secs(1)).await);
        assert!(shutdown.is_started());
    }

    #[tokio::test]
    async fn a_hangup_asks_to_reload_the_first_signal_to_stop_and_the_second_to_stop_at_once() {
        use rustix::process::{Signal, getpid, kill_process};
        let mut signals = Signals::listen().unwrap();
        for _ in 0..2 {
            kill_process(getpid(), Signal::HUP).unwrap();
            signals.reload.next().await;
        }
        assert!(!signals.stop.is_started());
        kill_process(getpid(), Signal::TERM).unwrap();
        signals.stop.started().await;
        assert!(!signals.stop_at_once.is_started());
        kill_process(getpid(), Signal::INT).unwrap();
        signals.stop_at_once.started().await;
    }
}

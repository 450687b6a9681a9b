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

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// When the process may not listen for signals.
pub async fn on_signals() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// A flag that SIGTERM or SIGINT sets, for a program without an event queue of its own.
///
/// # Errors
/// When the process may not listen for signals.
pub fn shutdown_by_signals() -> std::io::Result<Shutdown> {
    let (stopper, shutdown) = Shutdown::new();
    let queue = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wait = move || {
        // Who cannot listen is stopped by the signal itself.
        if queue.block_on(on_signals()).is_ok() {
            stopper.stop();
        } else {
            std::mem::forget(stopper);
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok(shutdown)
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
}

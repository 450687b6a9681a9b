//! One budget of bytes for payloads in memory; whoever holds data holds the permit for it.
//!
//! Promises:
//! 1. The sum of all permits never exceeds the budget.
//! 2. A request larger than the whole budget is refused at once instead of waiting for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// A bound on bytes held in memory; clones share it.
#[derive(Clone, Debug)]
pub struct ByteBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total: u64,
    used: AtomicU64,
    released: Notify,
}

impl ByteBudget {
    /// A budget of `bytes` bytes.
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(Shared { total: bytes, used: AtomicU64::new(0), released: Notify::new() }))
    }

    /// Takes `bytes` if they are free now.
    pub fn try_take(&self, bytes: u64) -> Option<Permit> {
        let free = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.0.total);
        self.0.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).ok()?;
        Some(Permit { budget: self.clone(), bytes })
    }

    /// Waits until `bytes` are free and takes them; `None` if the budget is smaller than that. Cancel safe.
    ///
    /// No order among those who wait: a small request may pass a large one, so callers bound their wait.
    pub async fn take(&self, bytes: u64) -> Option<Permit> {
        if bytes > self.0.total {
            return None;
        }
        loop {
            let released = self.0.released.notified();
            tokio::pin!(released);
            // Registered before the attempt, so that a release in between is not missed.
            released.as_mut().enable();
            if let Some(permit) = self.try_take(bytes) {
                return Some(permit);
            }
            released.await;
        }
    }

    /// Bytes taken.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Acquire)
    }

    /// Bytes in all.
    pub fn total(&self) -> u64 {
        self.0.total
    }

    /// Bytes free.
    pub fn available(&self) -> u64 {
        self.0.total.saturating_sub(self.used())
    }
}

/// Bytes taken from a budget, given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    budget: ByteBudget,
    bytes: u64,
}

impl Permit {
    /// How many bytes are held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes over what `other` holds. Both must come from the same budget; otherwise `other` is given back.
    pub fn merge(&mut self, mut other: Permit) {
        if Arc::ptr_eq(&self.budget.0, &other.budget.0) {
            self.bytes += std::mem::take(&mut other.bytes);
        }
    }

    /// Gives back all but `bytes`.
    pub fn shrink_to(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.release(surplus);
    }

    fn release(&self, bytes: u64) {
        if bytes > 0 {
            self.budget.0.used.fetch_sub(bytes, Ordering::AcqRel);
            self.budget.0.released.notify_waiters();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.release(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_never_exceed_the_budget() {
        let budget = ByteBudget::new(10);
        let mut first = budget.try_take(6).unwrap();
        assert!(budget.try_take(5).is_none());
        first.merge(budget.try_take(4).unwrap());
        assert_eq!((first.bytes(), budget.available()), (10, 0));
        first.shrink_to(3);
        assert_eq!(budget.used(), 3);
        drop(first);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn overflow_is_no_way_around_it() {
        let budget = ByteBudget::new(u64::MAX);
        let _all = budget.try_take(u64::MAX).unwrap();
        assert!(budget.try_take(1).is_none());
    }

    #[tokio::test]
    async fn waiting_ends_when_bytes_are_given_back() {
        let budget = ByteBudget::new(4);
        let held = budget.try_take(3).unwrap();
        let waiting = budget.take(2);
        tokio::pin!(waiting);
        assert!(futures_pending(waiting.as_mut()).await);
        drop(held);
        assert_eq!(waiting.await.unwrap().bytes(), 2);
        assert!(budget.take(5).await.is_none(), "more than the whole budget is refused at once");
    }

    async fn futures_pending<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
    }
}

//! Loopback addresses of a test's own, so that fixed ports and restarts disturb no other test.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// The port on the last address that says whose block it is.
const OWNER: (u8, u16) = (254, 54_254);

/// A `127.x.y.0/24` that no other test of this machine has while this value lives.
#[derive(Debug)]
pub struct Block {
    network: [u8; 3],
    /// Closed by the kernel even when the test is killed.
    _owner: TcpListener,
}

impl Block {
    /// Takes a free block.
    pub fn take() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let start = std::process::id().wrapping_mul(31);
        for _ in 0..u16::MAX {
            let number = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)).to_le_bytes();
            // 127.0 is everybody's; 127.127 and up are left to people.
            let network = [127, 1 + number[1] % 126, number[0]];
            if let Some(owner) = claim(network) {
                return Self { network, _owner: owner };
            }
        }
        panic!("no loopback /24 is free");
    }

    /// The address that ends in `host`.
    pub fn address(&self, host: u8) -> Ipv4Addr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, host)
    }

    /// A port on the address that ends in `host`.
    pub fn socket(&self, host: u8, port: u16) -> SocketAddr {
        (self.address(host), port).into()
    }
}

impl fmt::Display for Block {
    /// As a network: `127.x.y.0/24`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/24", self.address(0))
    }
}

/// Binding is the question and the answer in one: two tests that ask at once cannot both get it.
fn claim([a, b, c]: [u8; 3]) -> Option<TcpListener> {
    let address = |host| Ipv4Addr::new(a, b, c, host);
    let owner = TcpListener::bind((address(OWNER.0), OWNER.1)).ok()?;
    // Something that knows nothing of this rule may run there.
    let free = [4317, 4417].iter().all(|port| TcpListener::bind((address(1), *port)).is_ok());
    free.then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blocks_never_meet_while_both_live() {
        let (one, other) = (Block::take(), Block::take());
        assert_ne!(one.network, other.network);
        assert!(claim(one.network).is_none());
        let network = one.network;
        drop(one);
        assert!(claim(network).is_some());
    }

    #[test]
    fn a_block_shows_itself_as_a_network() {
        let block = Block::take();
        assert_eq!(block.to_string(), format!("{}/24", block.address(0)));
        assert!(block.address(7).is_loopback());
        assert_eq!(block.socket(7, 4317).port(), 4317);
    }
}

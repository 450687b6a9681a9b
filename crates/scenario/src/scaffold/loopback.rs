//! A block of loopback addresses, and the ports that are used on them.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// A `127.x.y.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback {
    network: Ipv4Addr,
    /// Added to every port.
    shift: u16,
}

/// The text is not a loopback block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a loopback block is written 127.x.y.0/24")]
pub struct NotLoopback;

impl Loopback {
    /// The same addresses with other ports, for a machine where somebody listens on a usual one of all addresses.
    #[must_use]
    pub fn shifted(self, shift: u16) -> Self {
        Self { shift, ..self }
    }

    /// A usual port of the address that ends in `host`, shifted.
    pub(super) fn socket(self, host: u8, port: u16) -> SocketAddr {
        SocketAddr::new(self.address(host).into(), port.saturating_add(self.shift))
    }

    /// The address of the block that ends in `host`.
    pub(super) fn address(self, host: u8) -> Ipv4Addr {
        let [a, b, c, _] = self.network.octets();
        Ipv4Addr::new(a, b, c, host)
    }
}

impl FromStr for Loopback {
    type Err = NotLoopback;

    fn from_str(text: &str) -> Result<Self, NotLoopback> {
        let network: Ipv4Addr = text.strip_suffix("/24").and_then(|text| text.parse().ok()).ok_or(NotLoopback)?;
        let block = network.is_loopback() && network.octets()[3] == 0;
        block.then_some(Self { network, shift: 0 }).ok_or(NotLoopback)
    }
}

impl fmt::Display for Loopback {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/24", self.network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_block_has_the_same_addresses_and_other_ports() {
        let block: Loopback = "127.83.12.0/24".parse().unwrap();
        assert_eq!(block.socket(51, 4317), "127.83.12.51:4317".parse().unwrap());
        assert_eq!(block.shifted(10_000).socket(51, 4317), "127.83.12.51:14317".parse().unwrap());
    }

    #[test]
    fn only_a_whole_block_of_the_loopback_network_is_one() {
        let block: Loopback = "127.83.12.0/24".parse().unwrap();
        assert_eq!(
            (block.address(51).to_string(), block.to_string()),
            ("127.83.12.51".into(), "127.83.12.0/24".into())
        );
        for text in ["10.0.0.0/24", "127.1.2.3/24", "127.1.2.0/16", "127.1.2.0", "127.1.0/24", ""] {
            assert_eq!(text.parse::<Loopback>(), Err(NotLoopback), "{text}");
        }
    }
}

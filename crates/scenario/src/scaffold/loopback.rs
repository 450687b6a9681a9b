//! A block of loopback addresses.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A `127.x.y.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback {
    network: Ipv4Addr,
}

/// The text is not a loopback block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a loopback block is written 127.x.y.0/24")]
pub struct NotLoopback;

impl Loopback {
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
        block.then_some(Self { network }).ok_or(NotLoopback)
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

//! Shortens IP addresses.
//!
//! Promises:
//! 1. Only one clean address is shortened; ports, zones, lists and host names give nothing.
//! 2. An IPv4 address that hides in an IPv6 one is never left whole.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// Returns the address with all but its leading bits cleared, or nothing if the text is not one address.
fn shorten(text: &str, v4: u8, v6: u8) -> Option<IpAddr> {
    let address: IpAddr = text.trim().parse().ok()?;
    let address = address.to_canonical();
    let bits = match address {
        IpAddr::V4(_) => v4,
        IpAddr::V6(address) if holds_v4(address) => return None,
        IpAddr::V6(_) => v6,
    };
    IpNet::new(address, bits).ok().map(|net| net.network())
}

/// Appends the shortened address; says whether there was one.
pub(crate) fn write_shortened(text: &str, v4: u8, v6: u8, out: &mut String) -> bool {
    match shorten(text, v4, v6) {
        Some(IpAddr::V4(address)) => {
            // By hand: the general formatter goes a long way round, on every span that has an address.
            for (at, octet) in address.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push('.');
                }
                let digits = [octet / 100, octet / 10 % 10, octet % 10];
                let leading = digits.iter().take(2).take_while(|digit| **digit == 0).count();
                out.extend(digits.iter().skip(leading).map(|digit| char::from(b'0' + digit)));
            }
            true
        }
        Some(IpAddr::V6(address)) => write!(out, "{address}").is_ok(), // writing to a string cannot fail
        None => false,
    }
}

/// 6to4 (RFC 3056) carries the subscriber's IPv4 address in the second to sixth byte, Teredo (RFC 4380) that of its
/// relay and, inverted, the client's: a short prefix may still be a whole address.
fn holds_v4(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    first == 0x2002 || (first == 0x2001 && second == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shortened(text: &str) -> Option<String> {
        let mut out = String::new();
        write_shortened(text, 24, 48, &mut out).then_some(out)
    }

    #[test]
    fn one_clean_address_is_shortened() {
        for (text, net) in [
            ("203.0.113.77", "203.0.113.0"),
            (" 203.0.113.77 ", "203.0.113.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
            ("::ffff:203.0.113.77", "203.0.113.0"),
            ("::ffff:cb00:714d", "203.0.113.0"),
        ] {
            assert_eq!(shortened(text).as_deref(), Some(net), "{text}");
        }
    }

    #[test]
    fn anything_else_gives_nothing() {
        for text in [
            "",
            "203.0.113.77:443",
            "203.0.113.77, 198.51.100.1",
            "[2001:db8::1]",
            "[2001:db8::1]:443",
            "fe80::1%eth0",
            "203.0.113.077",
            "203.0.113",
            "203.0.113.77/24",
            "client.example.org",
            "0xcb00714d",
            "2002:cb00:714d::1",
            "2001:0:cb00:714d::1",
        ] {
            assert_eq!(shortened(text), None, "{text}");
        }
    }

    #[test]
    fn every_octet_is_written_as_the_standard_library_does() {
        for octet in 0..=255 {
            let text = format!("10.{octet}.{octet}.{octet}");
            let expected = format!("10.{octet}.{octet}.0");
            assert_eq!(shortened(&text), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn shortened_address_tells_no_bit_beyond_its_prefix(address: u128, v6 in 0_u8..=48) {
            let full = Ipv6Addr::from_bits(address);
            if let Some(IpAddr::V6(short)) = shorten(&full.to_string(), 24, v6) {
                let kept = u128::MAX.checked_shl(128 - u32::from(v6)).unwrap_or(0);
                prop_assert_eq!(short.to_bits(), address & kept);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            shorten(&text, 24, 48);
        }
    }
}

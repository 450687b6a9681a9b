//! Shortens IP addresses.
//!
//! Promises:
//! 1. Only one clean address is shortened; ports, zones, lists and host names give nothing.
//! 2. An IPv4 address that hides in an IPv6 one is never left whole.

use std::io::Write as _;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use tollgate_otlp::Fault;

use crate::once::text;

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

/// Returns the shortened address in two parts, of which the first may lie in `out`; nothing if it is no address.
///
/// # Errors
/// Refuses what is not UTF-8.
pub(crate) fn shortened<'v>(
    value: &'v [u8],
    v4: u8,
    v6: u8,
    out: &'v mut Vec<u8>,
) -> Result<Option<[&'v [u8]; 2]>, Fault> {
    // Most are IPv4, on every span that has an address: the general reader and writer go a long way round.
    if let Some(octets) = dotted(value) {
        return Ok(Some(shorten_dotted(value, octets, v4, out)));
    }
    out.clear();
    match shorten(text(value)?, v4, v6) {
        Some(address) => Ok(write!(out, "{address}").is_ok().then_some([&out[..], &[]])), // writing to memory cannot fail
        None => Ok(None),
    }
}

/// A number of an address, and how many bytes of it are up to its end.
type Octet = (u8, usize);

/// Reads four decimal numbers with dots between them, none with a leading zero, as the standard library does.
fn dotted(value: &[u8]) -> Option<[Octet; 4]> {
    let (first, rest) = octet(value)?;
    let (second, rest) = octet(rest.strip_prefix(b".")?)?;
    let (third, rest) = octet(rest.strip_prefix(b".")?)?;
    let (fourth, rest) = octet(rest.strip_prefix(b".")?)?;
    let ends = |(octet, length), before| (octet, before + length);
    let first = ends(first, 0);
    let second = ends(second, first.1 + 1);
    let third = ends(third, second.1 + 1);
    rest.is_empty().then(|| [first, second, third, ends(fourth, third.1 + 1)])
}

/// Reads a number at the front; with its length.
#[inline]
fn octet(text: &[u8]) -> Option<(Octet, &[u8])> {
    let digit = |at: usize| text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9);
    let one = digit(0)?;
    let (octet, length) = match (digit(1), digit(2)) {
        (None, _) => (one, 1),
        (Some(_), _) if one == 0 => return None,
        (Some(two), None) => (one * 10 + two, 2),
        (Some(two), Some(three)) => ((one * 10 + two).checked_mul(10)?.checked_add(three)?, 3),
    };
    Some(((octet, length), text.get(length..)?))
}

/// Four octets that are cleared.
const CLEARED: &[u8] = b".0.0.0.0";

/// An address with all but its first bits cleared: what stays whole is taken from the text, and an octet that is cut is
/// written to `out` behind it.
fn shorten_dotted<'v>(text: &'v [u8], octets: [Octet; 4], bits: u8, out: &'v mut Vec<u8>) -> [&'v [u8]; 2] {
    let whole = usize::from(bits / 8).min(octets.len());
    let last = whole.checked_sub(1).and_then(|last| octets.get(last));
    let kept = text.get(..last.map_or(0, |(_, end)| *end)).unwrap_or_default();
    let Some((cut, _)) = octets.get(whole).filter(|_| !bits.is_multiple_of(8)) else {
        // No dot comes first.
        return [kept, CLEARED.get((2 * whole).max(1)..).unwrap_or_default()];
    };
    out.clear();
    out.extend_from_slice(kept);
    if whole > 0 {
        out.push(b'.');
    }
    write_octet(cut & !(0xff >> (bits % 8)), out);
    [out, CLEARED.get(2 * (whole + 1)..).unwrap_or_default()]
}

fn write_octet(octet: u8, out: &mut Vec<u8>) {
    let [hundred, ten, one] = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| b'0' + digit);
    match octet {
        100.. => out.extend_from_slice(&[hundred, ten, one]),
        10.. => out.extend_from_slice(&[ten, one]),
        _ => out.push(one),
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
    use std::net::Ipv4Addr;

    use super::*;
    use proptest::prelude::*;

    fn written(text: &str, v4: u8) -> Option<String> {
        let parts =
            super::shortened(text.as_bytes(), v4, 48, &mut b"before".to_vec()).unwrap().map(|parts| parts.concat());
        parts.map(|text| String::from_utf8(text).unwrap())
    }

    fn shortened(text: &str) -> Option<String> {
        written(text, 24)
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

        /// Guarantees: the short way and the general one agree on what is an address, and on each bit that is kept.
        #[test]
        fn dotted_addresses_are_read_and_written_as_by_the_standard_library(
            text in prop_oneof!["[0-9.]{0,16}", any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).to_string())],
            v4 in 0_u8..=32,
        ) {
            let read = dotted(text.as_bytes()).map(|octets| octets.map(|(octet, _)| octet));
            prop_assert_eq!(read, text.parse::<Ipv4Addr>().ok().map(|address| address.octets()));
            let general = shorten(&text, v4, 48).map(|address| address.to_string());
            prop_assert_eq!(written(&text, v4), general);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            shorten(&text, 24, 48);
        }
    }
}

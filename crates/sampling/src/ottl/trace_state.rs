//! One value of a W3C `tracestate`, read as strictly as the Collector reads it.

use crate::tracestate::members;

/// The value of a key: empty if the key is not there, `None` if the header is not a valid one.
pub(super) fn value<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    let members = members(header)?;
    Some(members.into_iter().find(|(name, _)| *name == key).map_or("", |(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_a_valid_header_only() {
        for (header, found) in [
            ("a=1,b=2", Some("2")),
            ("a=1, b=x y \t", Some("x y")),
            ("a=1", Some("")),
            ("", Some("")),
            (",,b=2,", Some("2")),
            ("0t@b=3,b=2", Some("2")),
            ("b=2,b=3", None),
            ("b", None),
            ("B=2", None),
            ("0=1", None),
            ("b=", None),
            ("b=2=3", None),
            ("b=2;\u{e9}=1", None),
        ] {
            assert_eq!(value(header, "b"), found, "{header}");
        }
        let many = |members: usize| (0..members).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
        assert_eq!(value(&many(32), "k31"), Some("1"));
        assert_eq!(value(&many(33), "k31"), None);
        assert_eq!(value(&format!("b={}", "v".repeat(257)), "b"), None);
    }
}

//! One value of a W3C `tracestate`, read as strictly as the Collector reads it.

/// Members that a header may have.
const MEMBERS: usize = 32;

/// The value of a key: empty if the key is not there, `None` if the header is not a valid one.
pub(super) fn value<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    let mut found = "";
    let mut seen: Vec<&str> = Vec::new();
    for member in header.split(',').filter(|member| !member.is_empty()) {
        let (name, value) = member.split_once('=')?;
        let (name, value) = (name.trim_start_matches([' ', '\t']), value.trim_end_matches([' ', '\t']));
        if !is_key(name) || !is_value(value) || seen.contains(&name) || seen.len() == MEMBERS {
            return None;
        }
        seen.push(name);
        if name == key {
            found = value;
        }
    }
    Some(found)
}

fn is_key(key: &str) -> bool {
    match key.split_once('@') {
        None => is_part(key, 256, |first| first.is_ascii_lowercase()),
        Some((tenant, system)) => {
            is_part(tenant, 241, |first| first.is_ascii_lowercase() || first.is_ascii_digit())
                && is_part(system, 14, |first| first.is_ascii_lowercase())
        }
    }
}

fn is_part(part: &str, longest: usize, first: impl Fn(u8) -> bool) -> bool {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/".contains(&byte);
    part.len() <= longest && part.bytes().next().is_some_and(first) && part.bytes().skip(1).all(rest)
}

fn is_value(value: &str) -> bool {
    let plain = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b',' && byte != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(plain) && !value.ends_with(' ')
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

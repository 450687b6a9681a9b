//! W3C trace state, as the Collector reads it (W3C Trace Context, section 3.3).

mod arrived;
mod member;
mod threshold;

pub use arrived::{Arrived, Marked, Unmarked, marked};
pub(crate) use member::randomness;
pub use member::{Kept, after};
pub(crate) use threshold::Randomness;
pub use threshold::Threshold;

/// The largest number of members.
const MAX_MEMBERS: usize = 32;

/// The members of a trace state in order; `None` if it is not one: then nothing of it counts.
pub(crate) fn members(state: &str) -> Option<Vec<(&str, &str)>> {
    let mut members: Vec<(&str, &str)> = Vec::new();
    for member in state.split(',').filter(|member| !member.is_empty()) {
        let (key, value) = member.split_once('=')?;
        let (key, value) = (key.trim_start_matches([' ', '\t']), value.trim_end_matches([' ', '\t']));
        let is_new = members.iter().all(|(known, _)| *known != key);
        if !(is_key(key) && is_value(value) && is_new && members.len() < MAX_MEMBERS) {
            return None;
        }
        members.push((key, value));
    }
    Some(members)
}

fn is_key(key: &str) -> bool {
    match key.split_once('@') {
        None => is_key_part(key, 256, u8::is_ascii_lowercase),
        Some((tenant, system)) => {
            is_key_part(tenant, 241, |first| first.is_ascii_lowercase() || first.is_ascii_digit())
                && is_key_part(system, 14, u8::is_ascii_lowercase)
        }
    }
}

fn is_key_part(part: &str, longest: usize, is_first: impl Fn(&u8) -> bool) -> bool {
    let is_rest = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/".contains(byte);
    matches!(part.as_bytes(), [first, rest @ ..] if is_first(first) && rest.len() < longest && rest.iter().all(is_rest))
}

fn is_value(value: &str) -> bool {
    let is_inner = |byte: &u8| matches!(byte, b' '..=b'~') && !b",=".contains(byte);
    matches!(value.as_bytes(), [inner @ .., last] if inner.len() < 256 && *last != b' '
        && is_inner(last) && inner.iter().all(is_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_in_order_with_blanks_around_them() {
        assert_eq!(members(""), Some(vec![]));
        assert_eq!(members("a=1,\tb@c=2 ,,d=x y"), Some(vec![("a", "1"), ("b@c", "2"), ("d", "x y")]));
        assert_eq!(members("1t@s=v"), Some(vec![("1t@s", "v")]));
    }

    #[test]
    fn one_bad_member_spoils_the_whole() {
        let many: String = (0..33).map(|number| format!("k{number}=v,")).collect();
        let (key, value) = ("k".repeat(257), "v".repeat(257));
        for state in [
            "a",
            "a=",
            "=1",
            "A=1",
            "a =1",
            "a=1,a=2",
            "a=b=c",
            "a=é",
            "1=v",
            "a@1=v",
            " ",
            "a=1, ",
            &many,
            &format!("{key}=v"),
            &format!("k={value}"),
            "a@=v",
            "@a=v",
        ] {
            assert_eq!(members(state), None, "{state:?}");
        }
        assert!(members(&format!("{}={}", &key[1..], &value[1..])).is_some());
    }
}

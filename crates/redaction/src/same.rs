//! Whether two short byte strings are the same: keys and values of neighbours, asked for each attribute of each span.

/// Compares short bytes without a call: as ends that overlap as they may.
#[inline]
pub(crate) fn is_same(one: &[u8], two: &[u8]) -> bool {
    if one.len() != two.len() {
        return false;
    }
    // The lengths that keys and fields have come first.
    if one.len() >= 8 {
        match one.len() {
            8..=16 => ends::<8>(one, two),
            17..=32 => ends::<16>(one, two),
            33..=64 => match (one.split_at_checked(32), two.split_at_checked(32)) {
                (Some((first, _)), Some((other, _))) => ends::<16>(first, other) && last(one, two),
                _ => false,
            },
            _ => one == two,
        }
    } else if one.len() >= 4 {
        ends::<4>(one, two)
    } else {
        one.iter().zip(two).all(|(one, two)| one == two)
    }
}

/// What follows such short bytes where they stand at the front.
#[inline]
pub(crate) fn after<'a>(prefix: &[u8], bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (front, rest) = bytes.split_at_checked(prefix.len())?;
    is_same(front, prefix).then_some(rest)
}

#[inline]
fn ends<const LENGTH: usize>(one: &[u8], two: &[u8]) -> bool {
    one.first_chunk::<LENGTH>() == two.first_chunk() && one.last_chunk::<LENGTH>() == two.last_chunk()
}

/// Compares the last 32 bytes.
#[inline]
fn last(one: &[u8], two: &[u8]) -> bool {
    match (one.last_chunk::<32>(), two.last_chunk::<32>()) {
        (Some(one), Some(two)) => ends::<16>(one, two),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_only_if_every_one_is() {
        for length in 0..80 {
            let key = vec![b'a'; length];
            assert!(is_same(&key, &key.clone()));
            assert!(!is_same(&key, &vec![b'a'; length + 1]));
            for at in 0..length {
                let mut other = key.clone();
                other[at] = b'b';
                assert!(!is_same(&key, &other), "{at} of {length}");
            }
        }
    }
}

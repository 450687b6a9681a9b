//! E-mail addresses: something, `@`, and a domain of two labels.

/// Says whether there is one.
pub(super) fn is_in(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b'@');
    let Some(mut local) = parts.next() else { return false };
    parts.any(|part| {
        let before = std::mem::replace(&mut local, part);
        before.last().is_some_and(|byte| !byte.is_ascii_whitespace() && !b"<>()[],;:\"".contains(byte))
            && is_domain(part)
    })
}

/// Whether it begins with labels, the last of which is no number. Names of other scripts are labels too.
fn is_domain(text: &[u8]) -> bool {
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || !byte.is_ascii();
    let end = text.iter().position(|byte| !inner(byte) && *byte != b'.').unwrap_or(text.len());
    let domain = text.get(..end).unwrap_or_default();
    let labels = || domain.split(|byte| *byte == b'.').filter(|label| !label.is_empty());
    let letters = |label: &[u8]| label.len() > 1 && !label.iter().any(u8::is_ascii_digit);
    labels().count() > 1 && labels().skip(1).any(letters)
}

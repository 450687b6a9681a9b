//! Fields that stand once, read so that two readers cannot disagree about them.

use tollgate_otlp::Fault;

/// Sets a field; a second time is a fault, whatever the values.
#[inline]
pub(crate) fn once<T>(field: &mut Option<T>, value: T) -> Result<(), Fault> {
    if field.replace(value).is_some() { Err(Fault::Duplicate) } else { Ok(()) }
}

/// Reads text.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Utf8)
}

/// Checks that it is text, which is a matter of a few steps where it is ASCII.
#[inline]
pub(crate) fn check_text(bytes: &[u8]) -> Result<(), Fault> {
    if bytes.is_ascii() { Ok(()) } else { text(bytes).map(drop) }
}

/// Adds to a count that the sender gave what was left out here.
pub(crate) fn grown(sent: Option<u64>, more: u32) -> u64 {
    let sent = sent.map_or(0, |sent| u32::try_from(sent).unwrap_or(u32::MAX));
    sent.saturating_add(more).into()
}

//! The few questions that are asked of a manifest's text and that `cargo metadata` does not answer.

/// The `key = value` lines of one section, values as written.
pub(crate) fn section<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut inside = false;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(head) = line.strip_prefix('[') {
            inside = head.strip_suffix(']') == Some(name);
            return None;
        }
        let (key, value) = line.split_once('=')?;
        (inside && !line.starts_with('#')).then(|| (key.trim(), value.trim()))
    })
}

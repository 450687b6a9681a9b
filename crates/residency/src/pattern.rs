//! Span names that can cross: as listed, or composed of attributes that cross.

/// A listed span name. `{http.request.method} {http.route}` stands for the values of two attributes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pattern(Vec<Piece<String>>);

/// A piece of a span name's pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Piece<Slot> {
    /// Text that stands as it is.
    Text(String),
    /// The value of an attribute, which must cross raw.
    Slot(Slot),
}

impl Pattern {
    /// Splits the text; `None` if a brace has no partner or there is nothing in the braces.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (attribute, after) = after.split_once('}')?;
            if before.contains('}') || attribute.is_empty() || attribute.contains('{') {
                return None;
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Slot(attribute.to_owned()));
            rest = after;
        }
        if rest.contains('}') || text.is_empty() {
            return None;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Some(Self(pieces))
    }

    pub(crate) fn pieces(&self) -> &[Piece<String>] {
        &self.0
    }

    /// The text it was split from.
    pub(crate) fn text(&self) -> String {
        let piece = |piece: &Piece<String>| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Slot(attribute) => format!("{{{attribute}}}"),
        };
        self.0.iter().map(piece).collect()
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Slot(attribute) => Some(attribute.as_str()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_is_text_and_attributes() {
        let pattern = Pattern::parse("{rpc.service}/{rpc.method}").unwrap();
        assert_eq!(pattern.attributes().collect::<Vec<_>>(), ["rpc.service", "rpc.method"]);
        assert_eq!(pattern.pieces().len(), 3);
        assert_eq!(pattern.text(), "{rpc.service}/{rpc.method}");
        assert_eq!(Pattern::parse("checkout").unwrap().attributes().count(), 0);
    }

    #[test]
    fn broken_braces_are_refused() {
        for text in ["", "{", "}", "{}", "a}b", "{a", "{a{b}}", "{a}}"] {
            assert_eq!(Pattern::parse(text), None, "{text}");
        }
    }
}

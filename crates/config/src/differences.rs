//! Where two readings of one document differ.

use crate::document::{Document, Kind};
use crate::fault::At;
use crate::scalar::Sort;

impl Document {
    /// The places whose value is another than in `older`, or is in one of them only: leaves, and lists of another length.
    pub fn differences(&self, older: &Self) -> Vec<At> {
        let mut found = Vec::new();
        let mut open = vec![(Self::ROOT, Self::ROOT)];
        while let Some((new, old)) = open.pop() {
            match (&self.node(new).kind, &older.node(old).kind) {
                (Kind::Mapping(newer), Kind::Mapping(olds)) => {
                    for (key, entry) in newer {
                        match olds.get(key) {
                            Some(other) => open.push((entry.value, other.value)),
                            None => found.push(self.at(entry.value)),
                        }
                    }
                    let gone = olds.iter().filter(|(key, _)| !newer.contains_key(*key));
                    // It stands nowhere any more: what it stood in does.
                    found.extend(gone.map(|(_, entry)| At { path: older.path(entry.value), ..self.at(new) }));
                }
                (Kind::Sequence(newer), Kind::Sequence(olds)) if newer.len() == olds.len() => {
                    open.extend(newer.iter().copied().zip(olds.iter().copied()));
                }
                (new_kind, old_kind) if !same_leaf(new_kind, old_kind) => found.push(self.at(new)),
                _ => {}
            }
        }
        found.sort_by_key(|at| (at.line, at.column));
        found
    }
}

fn same_leaf(one: &Kind, two: &Kind) -> bool {
    match (one, two) {
        (Kind::Scalar { text, plain }, Kind::Scalar { text: other, plain: as_plain }) => {
            text == other && Sort::of(text, *plain) == Sort::of(other, *as_plain)
        }
        (Kind::Broken, Kind::Broken) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::parse;

    fn differences(old: &str, new: &str) -> Vec<String> {
        let read = |text| parse("a.yaml", text).0;
        read(new).differences(&read(old)).iter().map(|at| format!("{}:{} {}", at.line, at.column, at.path)).collect()
    }

    #[test]
    fn what_is_another_is_found_where_it_stands_and_order_and_comments_are_not() {
        let old = "a: {b: 1, c: [x, y]}\nd: 2\n";
        assert_eq!(differences(old, "# nothing\nd: 2\na: {c: [x, y], b: 1}\n"), [""; 0]);
        assert_eq!(differences(old, "a: {b: 1, c: [x, z]}\nd: 2\n"), ["1:18 a.c[1]"]);
        assert_eq!(differences(old, "a: {b: 1, c: [x]}\nd: 2\ne: 3\n"), ["1:14 a.c", "3:4 e"]);
        assert_eq!(differences(old, "a: {b: 1, c: [x, y]}\n"), ["1:1 d"], "what is gone stood in the whole");
        assert_eq!(differences(old, "a: 5\nd: 2\n"), ["1:4 a"]);
    }
}

//! The word that was probably meant.

/// The candidate closest to `word`, if it is close enough to be a slip of the pen.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let length = word.chars().count();
    // Distance grows with the square of the length, and nobody misspells a word of that length by two letters.
    if length > 64 {
        return None;
    }
    let close = (length / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= close)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edit distance where swapping two neighbours counts as one step.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    let mut previous = None;
    for (row, from) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, to) in right.iter().enumerate() {
            let changed = above[column] + usize::from(from != *to);
            let mut best = changed.min(above[column + 1] + 1).min(current[column] + 1);
            if column > 0 && previous == Some(*to) && right[column - 1] == from {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
        previous = Some(from);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let known = ["listen", "stamp", "drop", "batch"];
        assert_eq!(nearest("lisetn", known), Some("listen"));
        assert_eq!(nearest("stmp", known), Some("stamp"));
        assert_eq!(nearest("batches", known), Some("batch"));
        assert_eq!(nearest("gateway", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn distance_counts_edits_and_swaps() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("acb", "abc"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}

//! The set of nodes that share a tier's traces.

use std::sync::Arc;

/// A sorted set of stable node ids (`eu-west/gateway/0`); cheap to clone, never addresses.
///
/// Members are numbered by their place in the order, so a number is only good with the set it came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Members {
    ids: Arc<[Arc<str>]>,
}

impl Members {
    /// Makes the set of these ids; order and repetition do not matter.
    pub fn new<I>(ids: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Arc<str>>,
    {
        let mut ids: Vec<Arc<str>> = ids.into_iter().map(Into::into).collect();
        ids.sort_unstable();
        ids.dedup();
        Self { ids: ids.into() }
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether nobody is there to own anything.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The id of member `number`.
    pub fn id(&self, number: usize) -> Option<&str> {
        self.ids.get(number).map(AsRef::as_ref)
    }

    /// The number of the member with this id.
    pub fn number(&self, id: &str) -> Option<usize> {
        self.ids.binary_search_by(|member| member.as_ref().cmp(id)).ok()
    }

    /// The ids in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_of_ids_do_not_matter() {
        let members = Members::new(["b", "a", "b"]);
        assert_eq!(members, Members::new(["a", "b"]));
        assert_eq!(members.iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn number_and_id_are_each_others_inverse() {
        let members = Members::new(["c", "a", "b"]);
        for (number, id) in members.iter().enumerate() {
            assert_eq!(members.number(id), Some(number));
            assert_eq!(members.id(number), Some(id));
        }
        assert_eq!(members.number("d"), None);
        assert_eq!(members.id(3), None);
    }
}

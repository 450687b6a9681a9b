//! Names of one attribute that a catalogue answers differently.

use super::{Finding, Kind, Look};
use crate::catalogue::renames::RENAMES;

impl Look<'_> {
    pub(super) fn names(&self) -> Vec<Finding> {
        let catalogue = &self.policy.catalogue;
        let mut found = Vec::new();
        for (old, new) in RENAMES {
            match (catalogue.classify(old), catalogue.classify(new)) {
                (Some(one), Some(two)) if (one.class, one.on_device) != (two.class, two.on_device) => {
                    let message = format!(
                        "{old} is {} and {new} is {}, and both are names of one attribute: make one an alias of the other",
                        one.class, two.class
                    );
                    found.push(Finding::new(Kind::AliasesDisagree, None, message));
                }
                (Some(_), Some(_)) | (None, None) => {}
                (Some(known), None) => found.push(gap(new, old, &known.attribute)),
                (None, Some(known)) => found.push(gap(old, new, &known.attribute)),
            }
        }
        found
    }
}

fn gap(unknown: &str, known: &str, attribute: &str) -> Finding {
    let message =
        format!("{unknown} is another name of {known} and has no class: add it to the aliases of {attribute}");
    Finding::new(Kind::CatalogueGap, None, message)
}

//! The example federation of this repository, part of the binary: the demo needs nothing else.

#[cfg(test)]
use tollgate_federation::Federation;

/// Name and text of each document.
pub(crate) const DOCUMENTS: [(&str, &str); 7] = [
    ("regions/federation.yaml", include_str!("../../../regions/federation.yaml")),
    ("regions/eu-west.yaml", include_str!("../../../regions/eu-west.yaml")),
    ("regions/uk-south.yaml", include_str!("../../../regions/uk-south.yaml")),
    ("regions/us-east.yaml", include_str!("../../../regions/us-east.yaml")),
    ("policies/catalogue.yaml", include_str!("../../../policies/catalogue.yaml")),
    ("policies/residency.yaml", include_str!("../../../policies/residency.yaml")),
    ("policies/sampling.yaml", include_str!("../../../policies/sampling.yaml")),
];

/// The federation as it stands in the repository.
#[cfg(test)]
pub(crate) fn federation() -> Federation {
    let (set, faults) = tollgate_config::Set::from_texts(DOCUMENTS);
    let federation = Federation::read(&set, &faults);
    assert!(faults.is_empty(), "{faults}");
    federation.unwrap()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn no_document_of_the_repository_is_left_out() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut found = BTreeSet::new();
        for folder in ["regions", "policies"] {
            for entry in std::fs::read_dir(top.join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if name.ends_with(".yaml") {
                    found.insert(format!("{folder}/{name}"));
                }
            }
        }
        assert_eq!(found, DOCUMENTS.iter().map(|(name, _)| (*name).to_owned()).collect());
    }
}

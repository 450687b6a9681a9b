//! What of a value is named: spellings that mean one name become one.
//!
//! Promises:
//! 1. White space around a value goes; text that is not ASCII is in Unicode's normalisation form C; what is shaped like an
//!    e-mail address is lower-cased. Nothing else changes.
//! 2. What is canonical stays as it is.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

pub(crate) fn canonical(value: &str) -> Cow<'_, str> {
    let value = value.trim();
    if value.is_ascii() {
        return if is_mail(value) { Cow::Owned(value.to_ascii_lowercase()) } else { Cow::Borrowed(value) };
    }
    let composer = const { ComposingNormalizerBorrowed::new_nfc() };
    let value = composer.normalize(value);
    // Lower-casing may take a composed letter apart.
    if is_mail(&value) { Cow::Owned(composer.normalize(&value.to_lowercase()).into_owned()) } else { value }
}

fn is_mail(value: &str) -> bool {
    value.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && !value.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use icu_normalizer::DecomposingNormalizerBorrowed;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_encodings_of_an_accented_letter_are_one_name() {
        assert_eq!(canonical("Ren\u{e9}e"), canonical("Rene\u{301}e "));
        assert_eq!(canonical("JOS\u{c9}@Example.org"), "jos\u{e9}@example.org");
        assert_eq!(canonical("JOSE\u{301}@Example.org"), "jos\u{e9}@example.org");
        assert_ne!(canonical("\u{fb01}"), canonical("fi"), "what only looks alike stays apart");
        assert!(matches!(canonical(" user-1\n"), Cow::Borrowed("user-1")));
    }

    proptest! {
        #[test]
        fn what_is_canonical_stays_and_its_decomposition_is_the_same_name(value in "[a-zA-Z@. \u{c0}-\u{17f}\u{300}-\u{30f}\u{3b1}-\u{3c9}\u{1e00}-\u{1eff}]{0,12}") {
            let once = canonical(&value).into_owned();
            let apart = DecomposingNormalizerBorrowed::new_nfd().normalize(&once).into_owned();
            prop_assert_eq!(canonical(&once), once.as_str());
            prop_assert_eq!(canonical(&apart), once.as_str());
        }
    }
}

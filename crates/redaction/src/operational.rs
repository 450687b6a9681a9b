//! Whether a short text looks operational: what stands under a key that may cross is not taken on trust.
//!
//! Promises:
//! 1. E-mail addresses, query strings, quoted or assigned values, control and non-ASCII characters never look so.
//! 2. Neither does anything longer than 256 bytes, nor a list that adds up to more.
//! 3. Nor does text of more than one word, but under the keys of [`SPACED`], after a first word that is listed there, and
//!    names of places (`quasi`).
//!
//! It refuses more than it must (`text/html; charset=utf-8`): a missing value is a nuisance, a leaked one is not
//! undone. A name spelt in plain letters passes, which is why classes come first.

use tollgate_residency::Class;

use crate::detect::{self, Found};

/// Longest text, in bytes.
const LONGEST: usize = 256;
/// `SELECT orders JOIN customers` is operational; a sentence is not.
const MOST_SPACES: usize = 4;
/// The keys whose values have blanks by the conventions, with the words that such a value begins with: names that vendors
/// gave, and what a statement does. Keys whose values people choose, such as the name of a pipeline, are not among them.
const SPACED: [(&[u8], &[&str]); 3] = [
    (
        b"db.query.summary",
        &[
            "ALTER", "BATCH", "CALL", "CREATE", "DELETE", "DROP", "EXEC", "EXECUTE", "INSERT", "MERGE", "REPLACE",
            "SELECT", "TRUNCATE", "UPDATE", "UPSERT", "WITH",
        ],
    ),
    (
        b"os.name",
        &[
            "Alpine",
            "Amazon",
            "Arch",
            "CentOS",
            "Debian",
            "Fedora",
            "Mac",
            "Microsoft",
            "Oracle",
            "Red",
            "Rocky",
            "SUSE",
            "Ubuntu",
            "Windows",
        ],
    ),
    (b"process.runtime.name", &[".NET", "GraalVM", "IBM", "Java(TM)", "OpenJDK"]),
];
/// Image tags and finish reasons are few; the words or letters of a sentence are more.
const MOST_ELEMENTS: usize = 16;
/// Longest key below a template, in bytes.
const LONGEST_KEY: usize = 128;

/// Longest unit, in bytes: what an instrument may have.
const LONGEST_UNIT: usize = 63;

/// What identifiers, versions, routes (`/a/{id}`, `/a/:id`, `/a/*`), type names (`List<T>`, `a::B`, `<init>`, `Foo$Bar`),
/// addresses and media types consist of.
const PUNCTUATION: &[u8] = b"._-/:{}*+,()[]<>$#~;^";

/// What a value or a name looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Not operational.
    Otherwise,
    /// Operational, and nothing is in it that a detector finds.
    Plain,
    /// Operational, with so many digits, colons or capital letters that a detector may find something.
    Detectable,
    /// A few words, which are operational under some keys; a detector may find something.
    Spaced,
}

/// Says whether a name looks operational and no detector finds anything in it.
pub(crate) fn looks_so(text: &str) -> bool {
    match look(text.as_bytes()) {
        Look::Otherwise | Look::Spaced => false,
        Look::Plain => true,
        Look::Detectable => detect::in_text(text.as_bytes()) == Found::NOTHING,
    }
}

/// Says what a text looks like; only text looks operational.
#[inline]
pub(crate) fn look(text: &[u8]) -> Look {
    if text.len() > LONGEST {
        return Look::Otherwise;
    }
    let sum = sum_of(text);
    if sum & (ODD * FIELD) != 0 {
        return odd(text);
    }
    if detect::may_find(sum & FIELD, sum / CAPITAL) { Look::Detectable } else { Look::Plain }
}

/// Says whether a text of this class looks operational under this key, whatever a detector may find in it.
pub(crate) fn looks_so_under(class: Class, key: &[u8], text: &[u8]) -> bool {
    match look(text) {
        Look::Otherwise => false,
        Look::Plain | Look::Detectable => true,
        Look::Spaced => may_be_spaced(class, key, text),
    }
}

/// Says whether a few words may stand under this key. Places have names of several words, and who lets them cross says so;
/// a code is one word.
pub(crate) fn may_be_spaced(class: Class, key: &[u8], text: &[u8]) -> bool {
    if class == Class::Quasi {
        return !key.ends_with(b"code");
    }
    let words = SPACED.iter().find(|(spaced, _)| *spaced == key).map_or(&[][..], |(_, words)| *words);
    let first = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    words.iter().any(|word| word.as_bytes() == first)
}

/// Says whether a list of operational values is short enough to be no text taken apart.
#[inline]
pub(crate) fn list_is_short(elements: usize, bytes: usize) -> bool {
    elements <= MOST_ELEMENTS && bytes <= LONGEST
}

/// Says whether an attribute's key looks like a key.
#[inline]
pub(crate) fn is_key(key: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    !key.is_empty() && key.len() <= LONGEST_KEY && key.iter().all(plain)
}

/// Says whether a text is a metric's name as instruments and exporters spell them, and no detector finds anything in it.
pub(crate) fn is_metric_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b':');
    let begins = name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    begins && name.len() <= LONGEST && name.bytes().all(plain) && detect::in_text(name.as_bytes()) == Found::NOTHING
}

/// Says whether a text is a unit as UCUM spells them, and no detector finds anything in it.
pub(crate) fn is_unit(unit: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%./*^{}[]()_-'".contains(&byte);
    let coded = |three: &[u8]| matches!(three, [b'%', one, two] if one.is_ascii_hexdigit() && two.is_ascii_hexdigit());
    // A percent sign before two such digits stands for a character that no unit has.
    unit.len() <= LONGEST_UNIT
        && unit.bytes().all(plain)
        && !unit.as_bytes().windows(3).any(coded)
        && detect::in_text(unit.as_bytes()) == Found::NOTHING
}

/// Says whether a schema URL is one that OpenTelemetry publishes.
pub(crate) fn is_published_schema(url: &str) -> bool {
    let version = url.strip_prefix("https://opentelemetry.io/schemas/");
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    version.is_some_and(|version| version.split('.').count() == 3 && version.split('.').all(number))
}

/// How much of each kind is in a text: eight bytes at a time, the last eight over again where they do not divide. So some
/// count twice, which is more than there is and never less.
#[inline]
fn sum_of(text: &[u8]) -> u32 {
    let of = |bytes: &[u8]| bytes.iter().fold(0, |sum: u32, byte| sum.wrapping_add(WEIGHTS[usize::from(*byte)]));
    let (eights, rest) = text.as_chunks::<8>();
    let sum = eights.iter().fold(0, |sum: u32, eight| sum.wrapping_add(of(eight)));
    let rest = text.last_chunk::<8>().filter(|_| !rest.is_empty()).map_or_else(|| of(rest), |last| of(last));
    sum.wrapping_add(rest)
}

/// Wide enough for what a text of [`LONGEST`] weighs.
const FIELD: u32 = 0x3ff;
/// A digit, or half a colon: IPv6 addresses have few digits and many of those.
const NUMERIC: u32 = 1;
/// A space, or what never looks operational.
const ODD: u32 = NUMERIC << 10;
const CAPITAL: u32 = ODD << 10;
/// Of each byte what it is: one look in place of a comparison with each punctuation mark.
const WEIGHTS: [u32; 256] = weights();

const fn weights() -> [u32; 256] {
    let mut weights = [ODD; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        match byte {
            b'0'..=b'9' => weights[byte as usize] = NUMERIC,
            b'A'..=b'Z' => weights[byte as usize] = CAPITAL,
            b'a'..=b'z' => weights[byte as usize] = 0,
            _ => {}
        }
        byte += 1;
    }
    let mut at = 0;
    while at < PUNCTUATION.len() {
        weights[PUNCTUATION[at] as usize] = if PUNCTUATION[at] == b':' { 2 * NUMERIC } else { 0 };
        at += 1;
    }
    weights
}

#[cold]
fn odd(text: &[u8]) -> Look {
    let is_fine = text.iter().all(|byte| WEIGHTS[usize::from(*byte)] & ODD == 0 || *byte == b' ');
    if is_fine && spaces_are_few(text) { Look::Spaced } else { Look::Otherwise }
}

fn spaces_are_few(text: &[u8]) -> bool {
    let spaces = text.iter().filter(|byte| **byte == b' ').count();
    let doubled = || text.windows(2).any(|pair| pair == b"  ");
    spaces <= MOST_SPACES && !doubled() && text.first() != Some(&b' ') && text.last() != Some(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operational_texts_pass() {
        for text in [
            "",
            "GET",
            "/users/{id}/orders/*",
            "/users/:id",
            "1.2.3+build.7",
            "java.util.List<String>",
            "Foo$Bar.<init>",
            "checkout-7d9f5c6b8-x2x7k",
            "2001:db8::1",
            "application/json",
            "[::]:4317",
            "8f14e45f-ceea-467f-a8b0-2b1e0e6c6a1d",
        ] {
            assert!(matches!(look(text.as_bytes()), Look::Plain | Look::Detectable), "{text}");
        }
    }

    #[test]
    fn what_may_be_a_person_or_a_secret_does_not() {
        for text in [
            "jane@example.org",
            "jane%40example.org",
            "/reset?token=abc",
            "password=hunter2",
            "Jane Doe could not pay her bill",
            "two  spaces",
            " leading",
            "trailing ",
            "line\nbreak",
            "\"quoted\"",
            "it's",
            "Zoë",
            "a\u{202e}b",
            &"x".repeat(257),
        ] {
            assert!(!looks_so(text) && look(text.as_bytes()) == Look::Otherwise, "{text}");
        }
    }

    #[test]
    fn a_few_words_look_so_only_where_vendors_or_statements_have_them() {
        for (key, text) in [
            ("db.query.summary", "SELECT orders JOIN customers"),
            ("os.name", "Red Hat Enterprise Linux"),
            ("process.runtime.name", "OpenJDK Runtime Environment"),
        ] {
            assert!(looks_so_under(Class::Op, key.as_bytes(), text.as_bytes()), "{key}: {text}");
            assert!(!looks_so_under(Class::Op, b"error.type", text.as_bytes()) && !looks_so(text), "{text}");
            for words in
                ["Maria Keller wrote this", "SELECT  orders", "SELECT a b c d e", "OpenJDK of jane@example.org"]
            {
                assert!(!looks_so_under(Class::Op, key.as_bytes(), words.as_bytes()), "{key}: {words}");
            }
        }
        let of_a_place = |key: &str| looks_so_under(Class::Quasi, key.as_bytes(), b"New York");
        assert!(of_a_place("geo.locality.name") && !of_a_place("geo.country.iso_code"));
    }

    #[test]
    fn only_published_schemas_pass() {
        assert!(is_published_schema("https://opentelemetry.io/schemas/1.26.0"));
        for url in [
            "",
            "http://opentelemetry.io/schemas/1.26.0",
            "https://opentelemetry.io/schemas/",
            "https://opentelemetry.io/schemas/jane",
            "https://opentelemetry.io.evil/schemas/1.26.0",
            "https://opentelemetry.io/schemas/1.2.3.4",
            "https://opentelemetry.io/schemas/..",
            "https://opentelemetry.io/schemas/4111111111111111",
        ] {
            assert!(!is_published_schema(url), "{url}");
        }
    }

    #[test]
    fn units_are_as_ucum_spells_them() {
        for unit in ["", "1", "%", "%{usage}", "{request}", "By/s", "m[H2O]", "10*3/ul"] {
            assert!(is_unit(unit), "{unit}");
        }
        for unit in ["jane%40example.org", "%4a%61ne", "a b", "jane@example.org"] {
            assert!(!is_unit(unit), "{unit}");
        }
    }

    #[test]
    fn keys_are_plain_words() {
        assert!(is_key(b"http.route") && is_key(b"k8s.pod.label.app.kubernetes.io/name"));
        for key in [&b""[..], b"a b", b"a@b", "zo\u{eb}".as_bytes(), &[b'x'; 129], &[0xff]] {
            assert!(!is_key(key));
        }
    }
}

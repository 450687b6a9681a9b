//! Whether a short text looks operational: what stands under a key that may cross is not taken on trust.
//!
//! Promises:
//! 1. E-mail addresses, query strings, quoted or assigned values, control and non-ASCII characters never look so.
//! 2. Neither does text of more than a few words, nor anything longer than 256 bytes, nor a list that adds up to more.
//!
//! It refuses more than it must (`text/html; charset=utf-8`): a missing value is a nuisance, a leaked one is not
//! undone. It is no detector: a name spelt in plain letters passes, which is why classes come first.

/// Longest text, in bytes.
const LONGEST: usize = 256;
/// `SELECT orders JOIN customers` is operational; a sentence is not.
const MOST_SPACES: usize = 4;
/// Image tags and finish reasons are few; the words or letters of a sentence are more.
const MOST_ELEMENTS: usize = 16;
/// Longest key below a template, in bytes.
const LONGEST_KEY: usize = 128;

/// What identifiers, versions, routes (`/a/{id}`, `/a/:id`, `/a/*`), type names (`List<T>`, `a::B`, `<init>`, `Foo$Bar`),
/// addresses and media types consist of.
const PUNCTUATION: &[u8] = b"._-/:{}*+,()[]<>$#~;^";

/// Says whether a value or a name looks operational.
#[inline]
pub(crate) fn looks_so(text: &str) -> bool {
    bytes_look_so(text.as_bytes())
}

/// Says the same of bytes; only text looks operational.
#[inline]
pub(crate) fn bytes_look_so(text: &[u8]) -> bool {
    if text.len() > LONGEST {
        return false;
    }
    let kinds = kinds_of(text);
    kinds & FORBIDDEN == 0 && (kinds & SPACE == 0 || spaces_are_few(text))
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

/// Says whether a schema URL is one that OpenTelemetry publishes.
pub(crate) fn is_published_schema(url: &str) -> bool {
    let version = url.strip_prefix("https://opentelemetry.io/schemas/");
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    version.is_some_and(|version| version.split('.').count() == 3 && version.split('.').all(number))
}

/// What is in a text, whatever the order: eight bytes at a time, the last eight over again where they do not divide.
#[inline]
fn kinds_of(text: &[u8]) -> u8 {
    let of = |bytes: &[u8]| bytes.iter().fold(0, |kinds, byte| kinds | KINDS[usize::from(*byte)]);
    let (eights, rest) = text.as_chunks::<8>();
    let kinds = eights.iter().fold(0, |kinds, eight| kinds | of(eight));
    let rest = text.last_chunk::<8>().filter(|_| !rest.is_empty()).map_or_else(|| of(rest), |last| of(last));
    kinds | rest
}

const SPACE: u8 = 1;
const FORBIDDEN: u8 = 2;
/// Of each byte what it is: one look in place of a comparison with each punctuation mark.
const KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut kinds = [FORBIDDEN; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            kinds[byte as usize] = 0;
        }
        byte += 1;
    }
    let mut at = 0;
    while at < PUNCTUATION.len() {
        kinds[PUNCTUATION[at] as usize] = 0;
        at += 1;
    }
    kinds[b' ' as usize] = SPACE;
    kinds
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
            "SELECT orders JOIN customers",
            "checkout-7d9f5c6b8-x2x7k",
            "2001:db8::1",
            "application/json",
            "[::]:4317",
            "8f14e45f-ceea-467f-a8b0-2b1e0e6c6a1d",
        ] {
            assert!(looks_so(text), "{text}");
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
            assert!(!looks_so(text), "{text}");
        }
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
    fn keys_are_plain_words() {
        assert!(is_key(b"http.route") && is_key(b"k8s.pod.label.app.kubernetes.io/name"));
        for key in [&b""[..], b"a b", b"a@b", "zo\u{eb}".as_bytes(), &[b'x'; 129], &[0xff]] {
            assert!(!is_key(key));
        }
    }
}

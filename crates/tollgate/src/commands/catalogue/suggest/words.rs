//! A class by the words of a key.

use tollgate_residency::Class;

/// Words of keys, and what they tell. The first that fits counts, so that what harms most comes first.
const WORDS: [(Class, &str); 6] = [
    (
        Class::Secret,
        "apikey auth authentication authorization bearer cookie credential credentials csrf cvv otp passwd password pin \
         private pwd secret signature token",
    ),
    (
        Class::Special,
        "allergy belief biometric blood child children criminal diagnosis disability ethnicity genetic health medical \
         patient pregnancy religion sexual union",
    ),
    (
        Class::Direct,
        "account basket cart customer email employee firstname iban invoice lastname login mail member mobile owner \
         passport person phone ssn subscriber tax tel user userid username",
    ),
    (
        Class::Online,
        "address advertising client device fingerprint imei ip ipaddress ipv4 ipv6 mac remote session tracking visitor",
    ),
    (
        Class::Quasi,
        "age agent birth birthday browser city country gender geo language lat latitude locale location lon longitude \
         nationality postal postcode street timezone zip",
    ),
    (
        Class::Free,
        "args arguments body comment content description header headers input label message name note output params path \
         payload prompt query reason request response search statement subject text title uri url value",
    ),
];

/// Words that describe a system and nobody who uses it.
const OPERATIONAL: &str = "attempt attempts batch branch build bytes cache cluster code commit component count cpu cron db \
                           deployment duration enabled env environment error flag format heap hit host http job kind \
                           latency level limit memory method mode ms node operation partition phase pod pool priority \
                           protocol queue rate region release replica retries retry role rpc runtime schema service shard \
                           size stage state status step system thread timeout topic total type unit version worker zone";

/// A class, and what it rests on.
pub(super) fn proposal(key: &str) -> (Class, String) {
    let words = parted(key);
    if words.windows(2).any(|two| two == ["api", "key"]) {
        return (Class::Secret, "by the words \"api key\"".to_owned());
    }
    for (class, known) in WORDS {
        if let Some(word) = words.iter().find(|word| is_one_of(word, known)) {
            return (class, format!("by the word {word:?}"));
        }
    }
    match words.iter().find(|word| !is_one_of(word, OPERATIONAL)) {
        Some(word) => (Class::Free, format!("nothing is known of the word {word:?}")),
        None => (Class::Op, "every word of it is operational".to_owned()),
    }
}

fn is_one_of(word: &str, known: &str) -> bool {
    known.split_whitespace().any(|other| other == word)
}

/// The words of a key, in lower case: parted by signs, and where small letters end and large ones begin.
fn parted(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in key.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_harms_most_counts_and_an_unknown_one_opens_nothing() {
        for (key, expected) in [
            ("shop.user.password", Class::Secret),
            ("stripe.api_key", Class::Secret),
            ("visit.diagnosis.code", Class::Special),
            ("shop.customerId", Class::Direct),
            ("shop.client.retry.count", Class::Online),
            ("shipTo.city", Class::Quasi),
            ("search.query", Class::Free),
            ("worker.queue.size", Class::Op),
            ("retryCount", Class::Op),
            ("worker.frobnicator.size", Class::Free),
        ] {
            assert_eq!(proposal(key).0, expected, "{key}");
        }
    }
}

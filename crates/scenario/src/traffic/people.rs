//! The people who shop: each has values that exist nowhere else, so that seeing one says whose it is.

use fastrand::Rng;

use crate::canary::Canary;

/// Letters and digits that no encoding changes and nobody mistakes.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

const FIRST: &[&str] = &["anna", "bela", "carla", "dario", "emil", "freya", "gita", "hugo"];

/// One shopper.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// The only region in which spans speak of this person.
    pub(super) region: &'static str,
    pub(super) id: String,
    /// What stands before the `@`.
    pub(super) mailbox: String,
    pub(super) address: String,
    pub(super) session: String,
    pub(super) card: u64,
    /// The last part of the bearer token.
    pub(super) signature: String,
}

impl Person {
    pub(super) fn new(region: &'static str, number: usize, random: &mut Rng) -> Self {
        let first = FIRST.get(number % FIRST.len()).copied().unwrap_or_default();
        Self {
            region,
            id: format!("usr-{}", word(random, 14)),
            mailbox: format!("{first}.{}", word(random, 12)),
            address: if number % 4 == 3 { address_v6(random) } else { address_v4(random) },
            session: word(random, 20),
            card: 4_000_000_000_000_000 + random.u64(0..1_000_000_000_000_000),
            signature: word(random, 43),
        }
    }

    pub(super) fn email(&self) -> String {
        format!("{}@kunde.example", self.mailbox)
    }

    pub(super) fn token(&self) -> String {
        let claims = data_encoding::BASE64URL_NOPAD.encode(format!("{{\"sub\":\"{}\"}}", self.id).as_bytes());
        format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{claims}.{}", self.signature)
    }

    pub(super) fn canaries(&self) -> [Canary; 6] {
        let canary = |kind, needle: &str| Canary { region: self.region.to_owned(), kind, needle: needle.to_owned() };
        [
            canary("user.id", &self.id),
            canary("user.email", &self.mailbox),
            canary("client.address", &self.address),
            canary("session.id", &self.session),
            canary("card number", &self.card.to_string()),
            canary("bearer token", &self.signature),
        ]
    }
}

fn word(random: &mut Rng, length: usize) -> String {
    (0..length).filter_map(|_| random.choice(ALPHABET)).map(|byte| char::from(*byte)).collect()
}

/// All parts have three digits: no address is the beginning of another, and none is its own network.
fn address_v4(random: &mut Rng) -> String {
    let mut part = || random.u8(100..=254);
    format!("{}.{}.{}.{}", part(), part(), part(), part())
}

fn address_v6(random: &mut Rng) -> String {
    let mut part = || random.u16(0x1000..=0xffff);
    format!("2001:db8:{:x}:{:x}::{:x}:{:x}", part(), part(), part(), part())
}

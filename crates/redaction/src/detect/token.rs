//! Tokens and API keys, by the prefixes that their makers give them; JSON Web Tokens by how their header begins.

/// Prefixes, each with how many characters follow at least.
const PREFIXES: &[(&str, usize)] = &[
    ("eyJ", 12),
    ("AKIA", 16),
    ("ASIA", 16),
    ("ABIA", 16),
    ("ACCA", 16),
    ("AIza", 30),
    ("ya29.", 20),
    ("GOCSPX-", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("gldt-", 16),
    ("glsa_", 20),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxe-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xapp-", 10),
    ("sk_live_", 10),
    ("sk_test_", 10),
    ("rk_live_", 10),
    ("rk_test_", 10),
    ("whsec_", 16),
    ("sk-ant-", 16),
    ("sk-proj-", 16),
    ("sk-", 32),
    ("SG.", 20),
    ("npm_", 30),
    ("pypi-", 30),
    ("dop_v1_", 32),
    ("doo_v1_", 32),
    ("shpat_", 24),
    ("shpss_", 24),
    ("shpca_", 24),
    ("hf_", 30),
    ("hvs.", 20),
    ("hvb.", 20),
    ("dckr_pat_", 16),
    ("lin_api_", 20),
    ("NRAK-", 20),
    ("PMAK-", 20),
    ("AGE-SECRET-KEY-1", 20),
    ("ATATT3", 20),
    ("xkeysib-", 20),
    ("sntrys_", 20),
];

/// Whatever is random has several of these; a word of a system behind such a prefix has not.
pub(crate) const FEWEST_CAPITALS_AND_DIGITS: u32 = 6;
/// So much of what follows a prefix is looked at: a text of prefixes takes no longer than another.
const REACH: usize = 128;

/// For each byte, a bit for each prefix that begins with it.
const FIRST: [u64; 256] = {
    let mut first = [0; 256];
    let mut at = 0;
    while at < PREFIXES.len() {
        first[PREFIXES[at].0.as_bytes()[0] as usize] |= 1 << at;
        at += 1;
    }
    first
};

/// Says whether a word begins with one.
#[inline]
pub(super) fn begins(word: &[u8]) -> bool {
    let mut candidates = word.first().map_or(0, |first| FIRST[usize::from(*first)]);
    while candidates != 0 {
        if PREFIXES.get(candidates.trailing_zeros() as usize).is_some_and(|prefix| has(word, *prefix)) {
            return true;
        }
        candidates &= candidates - 1;
    }
    false
}

fn has(word: &[u8], (prefix, least): (&str, usize)) -> bool {
    let inner = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let token = word.iter().take(REACH).take_while(inner);
    word.starts_with(prefix.as_bytes()) && token.clone().count() >= prefix.len() + least && is_random(token)
}

fn is_random<'a>(token: impl Iterator<Item = &'a u8> + Clone) -> bool {
    let strange = token.clone().filter(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()).count();
    strange >= FEWEST_CAPITALS_AND_DIGITS as usize && token.clone().any(u8::is_ascii_digit)
}

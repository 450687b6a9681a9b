//! The cryptography of all TLS here: AWS-LC's, with AES-128-GCM by whoever is faster at it on this processor.
//!
//! AWS-LC takes the wide AES instructions together with AVX-512 only. Processors that show them without it (Zen 3, Intel's
//! clients, some virtual machines) are faster with ring, which takes them with AVX2: a record takes three fifths of the time
//! (`tollgate-bench tls`).

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs, ring};
use rustls::{CipherSuite, SupportedCipherSuite};

/// Never the process default: a dependency that enables another provider would make that one panic. AES-128-GCM first: it
/// is the fastest with hardware, and no weaker link of the chain would gain from more.
pub fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    if let Some(first) = provider.cipher_suites.first_mut() {
        *first = aes_128_gcm();
    }
    Arc::new(provider)
}

fn aes_128_gcm() -> SupportedCipherSuite {
    if has_wide_aes_without_avx512() {
        ring::cipher_suite::TLS13_AES_128_GCM_SHA256
    } else {
        aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256
    }
}

#[cfg(target_arch = "x86_64")]
fn has_wide_aes_without_avx512() -> bool {
    let wide = std::is_x86_feature_detected!("vaes") && std::is_x86_feature_detected!("vpclmulqdq");
    wide && std::is_x86_feature_detected!("avx2") && !std::is_x86_feature_detected!("avx512f")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_wide_aes_without_avx512() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_of_the_provider_is_there_once_and_the_fastest_comes_first() {
        let names = |provider: &CryptoProvider| {
            let mut names: Vec<_> = provider.cipher_suites.iter().map(|suite| format!("{:?}", suite.suite())).collect();
            names.sort();
            names
        };
        let ours = provider();
        assert_eq!(names(&ours), names(&aws_lc_rs::default_provider()));
        let first = ours.cipher_suites.first().map(SupportedCipherSuite::suite);
        assert_eq!(first, Some(CipherSuite::TLS13_AES_128_GCM_SHA256));
    }
}

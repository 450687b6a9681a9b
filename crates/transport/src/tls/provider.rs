//! The cryptography of all TLS here: AWS-LC's, with AES-128-GCM by whoever is faster at it on this processor.
//!
//! AWS-LC takes the wide AES instructions together with AVX-512 only. Processors that show them without it (Zen 3, Intel's
//! clients, some virtual machines) are faster with ring, which takes them with AVX2: a record takes three fifths of the time
//! (`tollgate-bench tls`).

use std::sync::Arc;

use rustls::SupportedCipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs, ring};

/// Never the process default: a dependency that enables another provider would make that one panic. AES-128-GCM first: it
/// is the fastest with hardware, and no weaker link of the chain would gain from more.
pub fn provider() -> Arc<CryptoProvider> {
    with(if has_wide_aes_without_avx512() { RING } else { AWS_LC })
}

const RING: SupportedCipherSuite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
const AWS_LC: SupportedCipherSuite = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;

fn with(aes_128_gcm: SupportedCipherSuite) -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() != aes_128_gcm.suite());
    provider.cipher_suites.insert(0, aes_128_gcm);
    Arc::new(provider)
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
    use std::io::{Read, Write};

    use rustls::version::TLS13;
    use rustls::{
        CipherSuite, ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    };
    use rustls_pki_types::PrivateKeyDer;

    use super::*;

    const NAME: &str = "localhost";

    /// Both ends of a connection, connected.
    fn connected(client: SupportedCipherSuite, server: SupportedCipherSuite) -> (Connection, Connection) {
        let own = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own.cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(with(client)).with_protocol_versions(&[&TLS13]).unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let server = ServerConfig::builder_with_provider(with(server)).with_protocol_versions(&[&TLS13]).unwrap();
        let server = server.with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key).unwrap();
        let mut client = ClientConnection::new(Arc::new(client), NAME.try_into().unwrap()).unwrap().into();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap().into();
        for _ in 0..8 {
            carry(&mut client, &mut server);
            carry(&mut server, &mut client);
        }
        (client, server)
    }

    fn carry(from: &mut Connection, to: &mut Connection) {
        let mut records = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut records).unwrap();
        }
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            to.read_tls(&mut rest).unwrap();
            to.process_new_packets().unwrap();
        }
    }

    #[test]
    fn both_encrypt_alike_whichever_end_has_which() {
        for (client, server) in [(RING, RING), (RING, AWS_LC), (AWS_LC, RING), (AWS_LC, AWS_LC)] {
            let (mut client, mut server) = connected(client, server);
            assert_eq!(client.negotiated_cipher_suite().unwrap().suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
            let said: Vec<u8> = (0..=255).cycle().take(15_000).collect();
            for _ in 0..3 {
                client.writer().write_all(&said).unwrap();
                carry(&mut client, &mut server);
                let mut heard = vec![0; said.len()];
                server.reader().read_exact(&mut heard).unwrap();
                assert_eq!(heard, said);
                std::mem::swap(&mut client, &mut server);
            }
        }
    }

    #[test]
    fn every_suite_is_there_once_and_the_fastest_comes_first() {
        let names = |provider: &CryptoProvider| {
            let mut names: Vec<_> = provider.cipher_suites.iter().map(|suite| format!("{:?}", suite.suite())).collect();
            names.sort();
            names
        };
        for ours in [with(RING), with(AWS_LC), provider()] {
            assert_eq!(names(&ours), names(&aws_lc_rs::default_provider()));
            let first = ours.cipher_suites.first().map(SupportedCipherSuite::suite);
            assert_eq!(first, Some(CipherSuite::TLS13_AES_128_GCM_SHA256));
        }
    }
}

//! Is it a short key that keeps a broker's certificate from being accepted? The cryptography takes no RSA key of less than 2048 bits, and calls what it signed a
//! wrong signature, as that of a wrong CA.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use super::certificate::Certificate;

/// As the verifier in it, with a better word for short keys.
#[derive(Debug)]
pub struct KeysInMind {
    pub verifier: Arc<dyn ServerCertVerifier>,
    pub roots: Arc<RootCertStore>,
}

/// The reason that it gives.
#[derive(Debug)]
pub enum ShortKey {
    Broker,
    Authority,
}

impl fmt::Display for ShortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self {
            ShortKey::Broker => "the broker's certificate",
            ShortKey::Authority => "a CA of the broker's certificate",
        };
        write!(
            f,
            "{whose} has an RSA key of less than 2048 bits, which is not accepted: it needs a longer one, or ECDSA"
        )
    }
}

impl std::error::Error for ShortKey {}

impl KeysInMind {
    /// What the peer has signed itself is checked with its own key.
    fn signed<T>(result: Result<T, Error>, certificate: &CertificateDer<'_>) -> Result<T, Error> {
        result.map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::BadSignature)
                if has_short_key(certificate) =>
            {
                reason(ShortKey::Broker)
            }
            other => other,
        })
    }
}

fn reason(key: ShortKey) -> Error {
    CertificateError::Other(OtherError(Arc::new(key))).into()
}

fn has_short_key(certificate: &CertificateDer<'_>) -> bool {
    Certificate::parse(certificate).is_ok_and(|certificate| is_short(certificate.public_key))
}

/// Whether a `SubjectPublicKeyInfo`, with or without its head, is of an RSA key of less than 2048 bits, which takes 290 bytes.
fn is_short(public_key: &[u8]) -> bool {
    // rsaEncryption, 1.2.840.113549.1.1.1.
    const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    public_key.len() < 280 && public_key.windows(RSA.len()).any(|window| window == RSA)
}

impl ServerCertVerifier for KeysInMind {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let mut roots = self.roots.roots.iter();
        verified.map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::BadSignature)
                if intermediates.iter().any(has_short_key)
                    || roots.any(|root| is_short(&root.subject_public_key_info)) =>
            {
                reason(ShortKey::Authority)
            }
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = (self.verifier).verify_tls12_signature(message, certificate, signature);
        Self::signed(verified, certificate)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = (self.verifier).verify_tls13_signature(message, certificate, signature);
        Self::signed(verified, certificate)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

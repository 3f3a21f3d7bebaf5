//! As whom does a device speak to its broker? Its certificate and key, from their files.

use std::sync::Arc;

use mqtt_client_core::config::{ClientFiles, Key, Severity};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SigningKey};

use super::certificate::Certificate;
use super::entropy;
use super::identity::{Report, read, report_no_certificate, warn_of_dates};
use super::pem::Contents;

/// Certificates and key of a device, as its files hold them.
pub struct Own {
    certificate_path: String,
    key_path: String,
    pub(super) certificates: Vec<CertificateDer<'static>>,
    key_file: Contents,
}

/// What the broker is shown, if it asks.
pub enum ClientAuth {
    /// `tls_client_auth`=0.
    None,
    Certificate(CertifiedKey),
    /// There are no random numbers yet, which loading a key takes.
    Postponed(Own),
}

impl Own {
    /// Reads the files. `None` if something is wrong with them, which has been reported.
    pub(super) fn load(
        client: &ClientFiles<'_>,
        now: u64,
        report: &mut Report<'_>,
    ) -> Option<ClientAuth> {
        let certificates = read(client.certificate, Key::ClientCertificate, report)
            .and_then(|file| client_certificates(client.certificate, file, report));
        let key_file = read(client.key, Key::ClientKey, report)?;
        let mut own = Own {
            certificate_path: client.certificate.to_owned(),
            key_path: client.key.to_owned(),
            certificates: Vec::new(),
            key_file,
        };
        let keys = if entropy::is_there() || own.key_file.keys.is_empty() {
            Some(own.keys(report)?)
        } else {
            let words = format_args!(
                "{}: is not checked yet: the system has no random numbers, which loading a key takes",
                client.key
            );
            report(Severity::Warning, Key::ClientKey, words);
            None
        };
        own.certificates = certificates?;
        let Some(keys) = keys else {
            for certificate in &own.certificates {
                let key = Key::ClientCertificate;
                warn_of_dates(&own.certificate_path, certificate, now, key, report);
            }
            return Some(ClientAuth::Postponed(own));
        };
        own.certified(&keys, now, report)
            .map(ClientAuth::Certificate)
    }

    /// The keys that can sign; at least one.
    pub(super) fn keys(&self, report: &mut Report<'_>) -> Option<Vec<Arc<dyn SigningKey>>> {
        let (path, file) = (self.key_path.as_str(), &self.key_file);
        let keys = (file.keys.iter())
            .filter_map(|key| any_supported_type(key).ok())
            .collect::<Vec<_>>();
        if !keys.is_empty() {
            return Some(keys);
        }
        let (reason, remedy) = match file {
            Contents { keys, .. } if !keys.is_empty() => (
                "its key is of no supported kind: RSA of 2048 to 4096 bits, ECDSA P-256 or P-384, Ed25519",
                "",
            ),
            Contents {
                has_encrypted_key: true,
                ..
            } => (
                "its key is encrypted, which is not supported; convert it with: openssl pkey -out NEW.pem -in ",
                path,
            ),
            Contents {
                is_damaged: true, ..
            } => ("its PEM text is cut off or altered", ""),
            Contents {
                is_binary: true, ..
            } => (
                "it is not a PEM file; if it is DER, convert it with: openssl pkey -inform DER -out NEW.pem -in ",
                path,
            ),
            Contents { certificates, .. } if !certificates.is_empty() => {
                ("it holds a certificate and no key", "")
            }
            _ => ("it holds no key (-----BEGIN PRIVATE KEY-----)", ""),
        };
        let words = format_args!("{path}: {reason}{remedy}");
        report(Severity::Error, Key::ClientKey, words);
        None
    }

    /// The first key with the certificate that it belongs to, and the chain above that.
    pub(super) fn certified(
        &self,
        keys: &[Arc<dyn SigningKey>],
        now: u64,
        report: &mut Report<'_>,
    ) -> Option<CertifiedKey> {
        let certificates = &self.certificates;
        let pair = keys.iter().find_map(|key| {
            let own = certificates.iter().find(|own| belongs(key.as_ref(), own))?;
            Some((key, own))
        });
        let Some((key, own)) = pair else {
            let words = format_args!(
                "{}: does not match the certificate in {}",
                self.key_path, self.certificate_path
            );
            report(Severity::Error, Key::ClientKey, words);
            return None;
        };
        let chain = chain(own, certificates);
        for certificate in &chain {
            let key = Key::ClientCertificate;
            warn_of_dates(&self.certificate_path, certificate, now, key, report);
        }
        Some(CertifiedKey::new(chain, key.clone()))
    }
}

fn client_certificates(
    path: &str,
    file: Contents,
    report: &mut Report<'_>,
) -> Option<Vec<CertificateDer<'static>>> {
    if file.certificates.is_empty() {
        report_no_certificate(path, &file, Key::ClientCertificate, report);
        return None;
    }
    Some(file.certificates)
}

fn belongs(key: &dyn SigningKey, certificate: &CertificateDer<'_>) -> bool {
    // Not rustls's own comparison, which does not read certificates of version 1: as a client's they are good enough for many
    // brokers, and openssl makes them unless it is told otherwise.
    let certificate = Certificate::parse(certificate);
    let public_key = key.public_key();
    certificate.is_ok_and(|own| public_key.is_some_and(|key| own.public_key == key.as_ref()))
}

/// A certificate and those above it, in the order that TLS 1.2 asks for (RFC 5246, 7.4.2). The CA itself is left out: the
/// peer has it.
fn chain(
    own: &CertificateDer<'static>,
    certificates: &[CertificateDer<'static>],
) -> Vec<CertificateDer<'static>> {
    let mut chain = vec![own.clone()];
    while let Some(last) = chain.last()
        && let Ok(last) = Certificate::parse(last)
        && let Some(issuer) = certificates.iter().find(|candidate| {
            Certificate::parse(candidate).is_ok_and(|candidate| {
                candidate.subject == last.issuer && candidate.subject != candidate.issuer
            })
        })
        // Names that go in a circle.
        && !chain.contains(issuer)
    {
        chain.push(issuer.clone());
    }
    chain
}

//! Whom does a device trust, and as whom does it speak? Its three files, checked, and made into what rustls needs.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use mqtt_client_core::config::{Device, Key, Severity, Tls};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring::{default_provider, sign::any_supported_type};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{CipherSuite, ClientConfig, RootCertStore};

use super::certificate::Certificate;
use super::chain_only::ChainOnly;
use super::pem::{self, Contents};
use super::resumption::Sessions;
use super::setup::Setup;
use super::weak::KeysInMind;
use super::{Fault, entropy};
use crate::date::{Day, SECONDS_PER_DAY};
use crate::rights;

/// A certificate is warned about when it ends within so many days.
const WARN_DAYS: u64 = 30;

/// Takes what is wrong with a device's settings: which one, and why.
pub type Report<'r> = dyn FnMut(Severity, Key, fmt::Arguments<'_>) + 'r;

/// What a device's connections are made with. Clones share the sessions that can be resumed.
///
/// Two of them are equal if they trust the same CAs and show the same certificates: a key belongs to its certificate, so
/// there is no other difference that renewed files can make. One whose key is not loaded yet, or wrong, equals its clones only.
#[derive(Clone)]
pub struct Identity {
    pub(super) setup: Arc<Setup>,
    pub(super) server_name: ServerName<'static>,
    pub(super) sessions: Arc<Sessions>,
    device: Arc<str>,
    roots: Arc<RootCertStore>,
    chain: Arc<[CertificateDer<'static>]>,
}

/// Certificates and key of a device, as its files hold them.
pub struct Own {
    certificate_path: String,
    key_path: String,
    certificates: Vec<CertificateDer<'static>>,
    key_file: Contents,
}

/// How a device tells its broker from others, and what it remembers of it.
pub struct Trust {
    roots: Arc<RootCertStore>,
    verify_hostname: bool,
    sessions: Arc<Sessions>,
}

impl Identity {
    /// Reads the files of `device`. `now` in seconds since 1970 is for warnings only: the clock may yet be set.
    ///
    /// Everything that is wrong with them is reported; `None` if one of that was an error. Of a name or a path that is empty the table's own
    /// rules have told.
    pub fn load(
        device: &Device<'_>,
        tls: &Tls<'_>,
        now: u64,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let server_name = ServerName::try_from(device.host.to_owned());
        if server_name.is_err() && !device.host.is_empty() {
            let words = format_args!(
                "\"{}\" is not a name that a certificate can be for",
                device.host
            );
            report(Severity::Error, Key::Ip, words);
        }
        let ca = read(tls.ca_certificate, Key::CaCertificate, report);
        let roots = ca.and_then(|file| roots(tls.ca_certificate, &file, now, report));
        let certificates = read(tls.client_certificate, Key::ClientCertificate, report)
            .and_then(|file| client_certificates(tls.client_certificate, file, report));
        let key_file = read(tls.client_key, Key::ClientKey, report)?;
        let mut own = Own {
            certificate_path: tls.client_certificate.to_owned(),
            key_path: tls.client_key.to_owned(),
            certificates: Vec::new(),
            key_file,
        };
        let keys = if entropy::is_there() || own.key_file.keys.is_empty() {
            Some(own.keys(report)?)
        } else {
            let words = format_args!(
                "{}: is not checked yet: the system has no random numbers, which loading a key takes",
                tls.client_key
            );
            report(Severity::Warning, Key::ClientKey, words);
            None
        };
        own.certificates = certificates?;
        let certified = match keys {
            Some(keys) => Some(own.certified(&keys, now, report)?),
            None => {
                for certificate in &own.certificates {
                    let key = Key::ClientCertificate;
                    warn_of_dates(&own.certificate_path, certificate, now, key, report);
                }
                None
            }
        };

        let trust = Trust {
            roots: Arc::new(roots?),
            verify_hostname: tls.verify_hostname,
            sessions: Arc::default(),
        };
        let (roots, sessions) = (trust.roots.clone(), trust.sessions.clone());
        let (chain, setup) = match certified {
            Some(certified) => (
                certified.cert.as_slice().into(),
                Setup::made(trust.config(certified, report)?),
            ),
            None => (
                own.certificates.as_slice().into(),
                Setup::postponed(own, trust),
            ),
        };
        Some(Identity {
            setup: Arc::new(setup),
            server_name: server_name.ok()?,
            sessions,
            device: device.alias.into(),
            roots,
            chain,
        })
    }

    /// Whether a connection can be made now; never waits.
    ///
    /// # Errors
    /// The system has no random numbers yet, or the key that could not be loaded for that reason is wrong.
    pub fn is_ready(&self) -> Result<(), Fault> {
        self.setup.config().map(drop)
    }

    /// Alias of the device that it belongs to.
    pub fn device(&self) -> &str {
        &self.device
    }
}

impl Own {
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

impl Trust {
    pub(super) fn config(
        &self,
        certified: CertifiedKey,
        report: &mut Report<'_>,
    ) -> Option<ClientConfig> {
        self.try_config(certified)
            .map_err(|error| report(Severity::Error, Key::CaCertificate, format_args!("{error}")))
            .ok()
    }

    fn try_config(
        &self,
        certified: CertifiedKey,
    ) -> Result<ClientConfig, Box<dyn std::error::Error>> {
        let roots = self.roots.clone();
        let provider = Arc::new(provider());
        let algorithms: WebPkiSupportedAlgorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(rustls::ALL_VERSIONS)?;
        let verifier: Arc<dyn ServerCertVerifier> = if self.verify_hostname {
            WebPkiServerVerifier::builder_with_provider(roots.clone(), provider).build()?
        } else {
            let roots = roots.clone();
            Arc::new(ChainOnly { roots, algorithms })
        };
        let verifier = Arc::new(KeysInMind { verifier, roots });
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config =
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.resumption = Resumption::store(self.sessions.clone());
        Ok(config)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        let same_files = self.roots.roots == other.roots.roots && self.chain == other.chain;
        Arc::ptr_eq(&self.setup, &other.setup)
            || same_files && self.setup.is_made() && other.setup.is_made()
    }
}

impl Eq for Identity {}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.device).finish()
    }
}

fn read(path: &str, key: Key, report: &mut Report<'_>) -> Option<Contents> {
    if path.is_empty() {
        return None;
    }
    pem::read(Path::new(path))
        .map_err(|error| {
            let remedy = rights::remedy(Path::new(path), &error);
            let words = format_args!("{path}: cannot be read: {error}{remedy}");
            report(Severity::Error, key, words);
        })
        .ok()
}

fn roots(path: &str, file: &Contents, now: u64, report: &mut Report<'_>) -> Option<RootCertStore> {
    let key = Key::CaCertificate;
    if file.certificates.is_empty() {
        report_no_certificate(path, file, key, report);
        return None;
    }
    let mut roots = RootCertStore::empty();
    for (number, certificate) in (1..).zip(&file.certificates) {
        if roots.add(certificate.clone()).is_err() {
            let words = format_args!("{path}: certificate {number} is malformed");
            report(Severity::Error, key, words);
            return None;
        }
        warn_of_dates(path, certificate, now, key, report);
    }
    Some(roots)
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

fn report_no_certificate(path: &str, file: &Contents, key: Key, report: &mut Report<'_>) {
    let (reason, remedy) = match file {
        Contents {
            is_damaged: true, ..
        } => ("its PEM text is cut off or altered", ""),
        Contents {
            is_binary: true, ..
        } => (
            "it is not a PEM file; if it is DER, convert it with: openssl x509 -inform DER -out NEW.pem -in ",
            path,
        ),
        Contents { keys, .. } if !keys.is_empty() => ("it holds a key and no certificate", ""),
        Contents {
            has_encrypted_key: true,
            ..
        } => ("it holds a key and no certificate", ""),
        _ => ("it holds no certificate (-----BEGIN CERTIFICATE-----)", ""),
    };
    report(
        Severity::Error,
        key,
        format_args!("{path}: {reason}{remedy}"),
    );
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

fn warn_of_dates(path: &str, certificate: &[u8], now: u64, key: Key, report: &mut Report<'_>) {
    let Ok(certificate) = Certificate::parse(certificate) else {
        return;
    };
    let Certificate {
        not_before,
        not_after,
        ..
    } = certificate;
    let name = certificate.common_name();
    let until = Day(not_after);
    if not_after < now {
        let words = format_args!("{path}: \"{name}\" expired on {until}");
        report(Severity::Warning, key, words);
    } else if not_after - now <= WARN_DAYS * SECONDS_PER_DAY {
        let days = (not_after - now) / SECONDS_PER_DAY;
        let words = format_args!("{path}: \"{name}\" expires on {until}, in {days} days");
        report(Severity::Warning, key, words);
    } else if now < not_before {
        let (from, today) = (Day(not_before), Day(now));
        let words = format_args!(
            "{path}: \"{name}\" is valid from {from} on, and the clock here says {today}"
        );
        report(Severity::Warning, key, words);
    }
}

fn provider() -> CryptoProvider {
    let mut provider = default_provider();
    // A processor without instructions for AES is several times faster with ChaCha20, and most brokers follow our order.
    if cfg!(not(any(
        target_arch = "aarch64",
        target_arch = "x86",
        target_arch = "x86_64"
    ))) {
        provider
            .cipher_suites
            .sort_by_key(|suite| !is_chacha20(suite.suite()));
    }
    provider
}

fn is_chacha20(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    )
}

#[cfg(test)]
mod tests;

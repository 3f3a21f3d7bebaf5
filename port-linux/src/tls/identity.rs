//! Whom does a device trust, and as whom does it speak? Its files, checked, and made into what rustls needs.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use mqtt_client_core::config::{Authorities, Device, Key, Severity, Tls};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CipherSuite, ClientConfig, RootCertStore};

use super::Fault;
use super::certificate::Certificate;
use super::chain_only::ChainOnly;
use super::own::{ClientAuth, Own};
use super::pem::{self, Contents};
use super::resumption::Sessions;
use super::setup::Setup;
use super::system::SystemRoots;
use super::weak::KeysInMind;
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
    /// Whether the broker is offered a protocol name.
    pub(super) offers_protocol: bool,
    device: Arc<str>,
    roots: Arc<RootCertStore>,
    /// Empty with `tls_client_auth`=0.
    chain: Arc<[CertificateDer<'static>]>,
}

/// How a device tells its broker from others, and what it remembers of it.
pub struct Trust {
    roots: Arc<RootCertStore>,
    verify_hostname: bool,
    /// The name that is offered: ALPN.
    protocol: Option<Vec<u8>>,
    sessions: Arc<Sessions>,
}

impl Identity {
    /// Reads the files of `device`; `system` is shared by all devices. `now` in seconds since 1970 is for warnings only: the clock may yet be set.
    ///
    /// Everything that is wrong with them is reported; `None` if one of that was an error. Of a name or a path that is empty the table's own
    /// rules have told.
    pub fn load(
        device: &Device<'_>,
        tls: &Tls<'_>,
        now: u64,
        system: &mut SystemRoots,
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
        let roots = match tls.ca_certificate {
            Authorities::System => system.get(report),
            Authorities::File(path) => read(path, Key::CaCertificate, report)
                .and_then(|file| roots(path, &file, now, report))
                .map(Arc::new),
        };
        let client = match &tls.client {
            Some(client) => Own::load(client, now, report),
            None => Some(ClientAuth::None),
        };

        let trust = Trust {
            roots: roots?,
            verify_hostname: tls.verify_hostname,
            protocol: tls.alpn.map(Into::into),
            sessions: Arc::default(),
        };
        let (roots, sessions) = (trust.roots.clone(), trust.sessions.clone());
        let (chain, setup) = match client? {
            ClientAuth::None => (Arc::default(), Setup::made(trust.config(None, report)?)),
            ClientAuth::Certificate(certified) => (
                certified.cert.as_slice().into(),
                Setup::made(trust.config(Some(certified), report)?),
            ),
            ClientAuth::Postponed(own) => (
                own.certificates.as_slice().into(),
                Setup::postponed(own, trust),
            ),
        };
        Some(Identity {
            setup: Arc::new(setup),
            server_name: server_name.ok()?,
            sessions,
            offers_protocol: tls.alpn.is_some(),
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

    /// Whether the broker is shown a certificate if it asks for one.
    pub(super) fn shows_certificate(&self) -> bool {
        !self.chain.is_empty()
    }

    /// Alias of the device that it belongs to.
    pub fn device(&self) -> &str {
        &self.device
    }
}

impl Trust {
    /// `certified` is what the broker is shown, if anything.
    pub(super) fn config(
        &self,
        certified: Option<CertifiedKey>,
        report: &mut Report<'_>,
    ) -> Option<ClientConfig> {
        self.try_config(certified)
            .map_err(|error| report(Severity::Error, Key::CaCertificate, format_args!("{error}")))
            .ok()
    }

    fn try_config(
        &self,
        certified: Option<CertifiedKey>,
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
        let mut config = match certified {
            Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.extend(self.protocol.clone());
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

pub(super) fn read(path: &str, key: Key, report: &mut Report<'_>) -> Option<Contents> {
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

pub(super) fn report_no_certificate(
    path: &str,
    file: &Contents,
    key: Key,
    report: &mut Report<'_>,
) {
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

pub(super) fn warn_of_dates(
    path: &str,
    certificate: &[u8],
    now: u64,
    key: Key,
    report: &mut Report<'_>,
) {
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

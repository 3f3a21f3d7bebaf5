//! What do the tests of TLS need? Certificates of their own making, in files, and a server that shows them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mqtt_client_core::config::{Auth, Authorities, ClientFiles, Device, Severity, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ALL_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::{Identity, SystemRoots};

/// 2026-11-22, in seconds since 1970.
pub const NOW: u64 = 1_795_305_600;

/// Year, month, day.
pub type Date = (i32, u8, u8);

pub const LONG_AGO: Date = (2020, 1, 1);
pub const FAR_OFF: Date = (2049, 1, 1);

/// A CA.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub certificate: Vec<u8>,
}

/// A certificate and its key.
pub struct Issued {
    pub certificate: Vec<u8>,
    pub pem: String,
    pub key_pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(authority_named(name), key).unwrap();
        Authority::of(issuer)
    }

    fn of(issuer: CertifiedIssuer<'static, KeyPair>) -> Self {
        let certificate = issuer.as_ref().der().to_vec();
        Authority {
            issuer,
            certificate,
        }
    }

    /// A CA below this one.
    pub fn intermediate(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = authority_named(name);
        Authority::of(CertifiedIssuer::signed_by(params, key, &self.issuer).unwrap())
    }

    pub fn pem(&self) -> String {
        self.issuer.as_ref().pem()
    }

    /// A certificate for these names; the first is its common name too.
    pub fn issue(&self, names: &[&str], from: Date, until: Date) -> Issued {
        let alternatives = names.iter().map(|&name| name.to_owned());
        let mut params = CertificateParams::new(alternatives.collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, names[0]);
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            certificate: certificate.der().to_vec(),
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }
}

fn authority_named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(LONG_AGO.0, LONG_AGO.1, LONG_AGO.2);
    params.not_after = date_time_ymd(FAR_OFF.0, FAR_OFF.1, FAR_OFF.2);
    params
}

/// A folder that is removed in the end.
pub struct Folder(PathBuf);

/// The three files of a device, in a folder of their own.
pub struct Files {
    folder: Folder,
    pub ca: String,
    pub certificate: String,
    pub key: String,
}

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tls-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Folder(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and returns its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Files {
    pub fn new(ca: &str, certificate: &str, key: &str) -> Self {
        let folder = Folder::new();
        let [ca, certificate, key] = [
            ("ca.pem", ca),
            ("client.pem", certificate),
            ("client.key", key),
        ]
        .map(|(name, text)| folder.write(name, text));
        Files {
            folder,
            ca,
            certificate,
            key,
        }
    }

    /// What [`Identity::load`] makes of them for a broker at `host`, and all that it reports, each with severity, key and
    /// the folder's name left out.
    pub fn load(&self, host: &str, verify_hostname: bool) -> (Option<Identity>, Vec<String>) {
        self.load_with(host, |tls| tls.verify_hostname = verify_hostname)
    }

    /// The same with other settings.
    pub fn load_with(
        &self,
        host: &str,
        change: impl FnOnce(&mut Tls<'_>),
    ) -> (Option<Identity>, Vec<String>) {
        let mut tls = Tls {
            ca_certificate: Authorities::File(&self.ca),
            client: Some(ClientFiles {
                certificate: &self.certificate,
                key: &self.key,
            }),
            verify_hostname: true,
            alpn: None,
            credentials: None,
        };
        change(&mut tls);
        let device = Device {
            alias: "cloud",
            host,
            auth: Auth::Tls(tls),
            ..Device::EMPTY
        };
        let mut reports = Vec::new();
        let folder = format!("{}/", self.folder.path().display());
        let mut system = SystemRoots::default();
        let identity = Identity::load(
            &device,
            &tls,
            NOW,
            &mut system,
            &mut |severity, key, problem| {
                let severity = match severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                };
                let line = format!("{severity} {}: {problem}", key.name());
                reports.push(line.replace(&folder, ""));
            },
        );
        (identity, reports)
    }
}

/// A server of both versions that asks for a client's certificate from `clients`, and lets sessions be resumed.
pub fn server(shown: &Issued, clients: &Authority) -> Arc<ServerConfig> {
    server_of(ALL_VERSIONS, shown, clients)
}

/// The same, of these versions.
pub fn server_of(
    versions: &[&'static SupportedProtocolVersion],
    shown: &Issued,
    clients: &Authority,
) -> Arc<ServerConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(clients.certificate.clone().into()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
    server_with(versions, shown, verifier.build().unwrap())
}

/// The same, and it asks for no certificate.
pub fn server_for_anybody(
    versions: &[&'static SupportedProtocolVersion],
    shown: &Issued,
) -> Arc<ServerConfig> {
    server_with(versions, shown, WebPkiClientVerifier::no_client_auth())
}

fn server_with(
    versions: &[&'static SupportedProtocolVersion],
    shown: &Issued,
    clients: Arc<dyn ClientCertVerifier>,
) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from_pem_slice(shown.key_pem.as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![shown.certificate.clone().into()], key)
        .unwrap();
    config.ticketer = Ticketer::new().unwrap();
    Arc::new(config)
}

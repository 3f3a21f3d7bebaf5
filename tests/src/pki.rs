//! Certificates for tests of TLS: authorities, what they issue, and brokers that show it. All are made on the spot.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;

use crate::port::Reserved;
use crate::process::Process;
use crate::servers::Mosquitto;
use crate::{Config, install, wait};

/// An authority, and the folder of what it issues.
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM files.
#[derive(Clone, Debug)]
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What a certificate is to say.
pub struct Request {
    params: CertificateParams,
    name: String,
}

/// A certificate with this common name, good for today, and for no host.
#[must_use]
pub fn request(name: &str) -> Request {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    Request {
        params,
        name: String::from(name),
    }
}

impl Request {
    /// For these texts as names, also where they are addresses.
    ///
    /// # Panics
    ///
    /// If one cannot be a name.
    #[must_use]
    pub fn names(mut self, names: &[&str]) -> Self {
        let names = names.iter().map(|&name| {
            let name = name.try_into().expect("ASCII");
            rcgen::SanType::DnsName(name)
        });
        self.params.subject_alt_names.extend(names);
        self
    }

    /// For these hosts, names or addresses.
    ///
    /// # Panics
    ///
    /// If one cannot be a host.
    #[must_use]
    pub fn hosts(mut self, hosts: &[&str]) -> Self {
        let hosts: Vec<_> = hosts.iter().map(|&host| String::from(host)).collect();
        let params = CertificateParams::new(hosts).expect("names of hosts");
        self.params.subject_alt_names = params.subject_alt_names;
        self
    }

    /// From the first day of one year to the first of another.
    #[must_use]
    pub fn years(mut self, from: i32, until: i32) -> Self {
        self.params.not_before = date_time_ymd(from, 1, 1);
        self.params.not_after = date_time_ymd(until, 1, 1);
        self
    }
}

impl Authority {
    /// A new authority of this name.
    ///
    /// # Panics
    ///
    /// If there is no temporary folder.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = request(name).params;
        params.extended_key_usages.clear();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let folder = TempDir::new().expect("a temporary folder");
        let authority = Self { folder, issuer };
        authority.write("ca.pem", &authority.pem());
        authority
    }

    /// The file with its certificate.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The file with its key.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.write("ca.key", &self.issuer.key().serialize_pem())
    }

    /// Its certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.as_ref().pem()
    }

    /// Issues a certificate with a new key, ECDSA P-256 in PKCS#8. Another one of the same name takes its files' place.
    ///
    /// # Panics
    ///
    /// If the files cannot be written.
    #[must_use]
    pub fn issue(&self, request: Request) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let certificate = request.params.signed_by(&key, &self.issuer);
        let certificate = certificate.expect("a certificate").pem();
        Issued {
            certificate: self.write(&format!("{}.pem", request.name), &certificate),
            key: self.write(&format!("{}.key", request.name), &key.serialize_pem()),
        }
    }

    /// Has `openssl` make a key and a request, and signs that.
    ///
    /// `algorithm` are the words after `-newkey`.
    ///
    /// # Panics
    ///
    /// If openssl does not do it.
    #[must_use]
    pub fn issue_by_openssl(&self, name: &str, algorithm: &[&str]) -> Issued {
        self.issue_with(name, algorithm, &[])
    }

    /// The same of version 3, for an address.
    ///
    /// # Panics
    ///
    /// If openssl fails.
    #[must_use]
    pub fn issue_by_openssl_for(&self, host: &str, name: &str, algorithm: &[&str]) -> Issued {
        let extensions = self.write("extensions", &format!("subjectAltName=IP:{host}\n"));
        self.issue_with(name, algorithm, &[Path::new("-extfile"), &extensions])
    }

    fn issue_with(&self, name: &str, algorithm: &[&str], more: &[&Path]) -> Issued {
        let path = |end: &str| self.folder.path().join(format!("{name}.{end}"));
        let (certificate, key, request) = (path("pem"), path("key"), path("csr"));
        let subject = format!("/CN={name}");
        let request_words = ["req", "-nodes", "-subj", &subject, "-newkey"];
        let words = request_words.iter().chain(algorithm).map(Path::new);
        let files = [Path::new("-keyout"), &key, Path::new("-out"), &request];
        openssl(words.chain(files));
        let ca = self.file();
        let signer = self.key();
        let words = [
            Path::new("x509"),
            Path::new("-req"),
            Path::new("-days"),
            Path::new("300"),
            Path::new("-set_serial"),
            Path::new("7"),
            Path::new("-in"),
            &request,
            Path::new("-CA"),
            &ca,
            Path::new("-CAkey"),
            &signer,
            Path::new("-out"),
            &certificate,
        ];
        openssl(words.iter().chain(more).copied());
        Issued { certificate, key }
    }

    /// Writes a file into its folder, for us alone: keys are among them.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("write to a temporary folder");
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&path, mode).expect("our own file");
        path
    }

    /// The last device of a configuration, with `auth`=`tls`, this CA and that certificate.
    #[must_use]
    pub fn secure(&self, config: Config, own: &Issued) -> Config {
        let shown = |path: &Path| path.display().to_string();
        config
            .device_key("auth", "tls")
            .device_key("ca_certificate", shown(&self.file()))
            .device_key("client_certificate", shown(&own.certificate))
            .device_key("client_key", shown(&own.key))
    }

    /// The last device of a configuration, with `auth`=`tls`, this CA and no certificate of its own: what most clouds want.
    #[must_use]
    pub fn trust(&self, config: Config) -> Config {
        config
            .device_key("auth", "tls")
            .device_key("ca_certificate", self.file().display().to_string())
            .device_key("tls_client_auth", 0)
    }

    /// A broker with a second port, where it shows that certificate and asks clients for one of this CA's. Their common names are
    /// their user names there. `lines` are added to that port's configuration.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn broker(&self, shown: &Issued, lines: &[&str]) -> (Mosquitto, Reserved) {
        let asks = ["require_certificate true", "use_identity_as_username true"];
        self.broker_for_anybody(shown, &[&asks, lines].concat())
    }

    /// The same, but that it asks for no certificate.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn broker_for_anybody(&self, shown: &Issued, lines: &[&str]) -> (Mosquitto, Reserved) {
        let port = Reserved::new();
        let own = [
            String::from("allow_anonymous true"),
            format!("listener {} 127.0.0.1", port.number()),
            format!("cafile {}", self.file().display()),
            format!("certfile {}", shown.certificate.display()),
            format!("keyfile {}", shown.key.display()),
        ];
        let lines: Vec<_> = own
            .iter()
            .map(String::as_str)
            .chain(lines.iter().copied())
            .collect();
        let broker = Mosquitto::start_with(&lines);
        wait_for_listener(port.number());
        (broker, port)
    }
}

/// A TLS server that is no broker: `openssl s_server` with these arguments beside port, certificate and key. It prints every TLS
/// message.
///
/// # Panics
///
/// If it does not start.
#[must_use]
pub fn s_server(shown: &Issued, arguments: &[&str]) -> (Process, Reserved) {
    s_server_under(&[], shown, arguments)
}

/// As [`s_server`], with `words` in front of the command line.
///
/// # Panics
///
/// If it does not start.
#[must_use]
pub fn s_server_under(words: &[String], shown: &Issued, arguments: &[&str]) -> (Process, Reserved) {
    let port = Reserved::new();
    let address = format!("127.0.0.1:{}", port.number());
    let [certificate, key] =
        [&shown.certificate, &shown.key].map(|path| path.display().to_string());
    // With -www it reads nothing from its standard input, whose end would be its own.
    let own = [
        "s_server",
        "-www",
        "-msg",
        "-accept",
        &address,
        "-cert",
        &certificate,
        "-key",
        &key,
    ];
    let all: Vec<_> = own
        .iter()
        .chain(arguments)
        .map(|&word| String::from(word))
        .collect();
    let openssl = install::path(install::OPENSSL);
    let process = Process::start_under(words, "openssl s_server", &openssl, &all);
    wait_for_listener(port.number());
    (process, port)
}

/// Runs openssl.
///
/// # Panics
///
/// If it fails.
pub fn openssl<'a>(arguments: impl IntoIterator<Item = &'a Path>) {
    let mut command = Command::new(install::path(install::OPENSSL));
    let output = command.args(arguments).output().expect("run openssl");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn wait_for_listener(port: u16) {
    wait::until("the broker to listen for TLS", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
}

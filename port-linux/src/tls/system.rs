//! Which public authorities does the system trust (`ca_certificate`=`system`)? Those of its bundle, or of its folder of single certificates.
//!
//! Not by `rustls-native-certs`, which takes files of any kind and length, and holds the whole bundle decoded: here one certificate is read after the other,
//! and its name and key, which is what checking takes, are all that stays.

use std::env;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use mqtt_client_core::config::{Key, Severity};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

use super::identity::Report;
use super::pem::MAX_FILE;
use crate::files::open_regular;

/// Bundles. Debian's, and of OpenWrt's package `ca-bundle`; of OpenWrt and Alpine; of Fedora; of openSUSE.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// Where OpenWrt's package `ca-certificates` has one file for each, and links to them by the hashes of their names.
const FOLDER: &str = "/etc/ssl/certs";

/// Entries of a folder that are looked at, at most.
const MAX_ENTRIES: usize = 4096;

/// The system's authorities, read when the first device asks for them.
#[derive(Default)]
pub struct SystemRoots(Option<Result<Arc<RootCertStore>, String>>);

/// The store that was in use last: what has not changed since is kept in memory once.
static LAST: Mutex<Weak<RootCertStore>> = Mutex::new(Weak::new());

/// Where certificates may be.
#[derive(Debug)]
enum Source {
    Bundle(PathBuf),
    /// Of links as `c_rehash` makes them; other files do not count.
    Folder(PathBuf),
}

/// What one of them holds.
struct Found {
    roots: RootCertStore,
    /// The first certificate that cannot be used: where, and how many others there are.
    broken: Option<(PathBuf, usize, usize)>,
    /// Bytes that may still be read.
    left: u64,
}

impl SystemRoots {
    /// The store of all devices; `None` if there is none, which each of them is told.
    pub fn get(&mut self, report: &mut Report<'_>) -> Option<Arc<RootCertStore>> {
        let roots = self.0.get_or_insert_with(|| {
            let found = search(&sources(), &mut |words| {
                report(Severity::Warning, Key::CaCertificate, words);
            });
            found.map(shared)
        });
        match roots {
            Ok(roots) => Some(roots.clone()),
            Err(words) => {
                report(Severity::Error, Key::CaCertificate, format_args!("{words}"));
                None
            }
        }
    }
}

/// The store in use, if it is the same.
fn shared(roots: RootCertStore) -> Arc<RootCertStore> {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match last.upgrade() {
        Some(same) if same.roots == roots.roots => same,
        _ => {
            let roots = Arc::new(roots);
            *last = Arc::downgrade(&roots);
            roots
        }
    }
}

/// Where to look, in this order. OpenSSL's variables take the place of all that is built in.
fn sources() -> Vec<Source> {
    let given = |name| env::var_os(name).filter(|value| !value.is_empty());
    let bundle = given("SSL_CERT_FILE").map(|path| Source::Bundle(path.into()));
    let folders = given("SSL_CERT_DIR").unwrap_or_default();
    let folders = env::split_paths(&folders).filter(|path| !path.as_os_str().is_empty());
    let given = (bundle.into_iter())
        .chain(folders.map(Source::Folder))
        .collect::<Vec<_>>();
    if !given.is_empty() {
        return given;
    }
    let bundles = BUNDLES.map(|path| Source::Bundle(path.into()));
    (bundles.into_iter())
        .chain([Source::Folder(FOLDER.into())])
        .collect()
}

/// The certificates of the first source that has any. What is left out of them is warned of.
fn search(
    sources: &[Source],
    warn: &mut dyn FnMut(fmt::Arguments<'_>),
) -> Result<RootCertStore, String> {
    let mut reasons = Vec::new();
    for source in sources {
        let mut found = Found {
            roots: RootCertStore::empty(),
            broken: None,
            left: MAX_FILE,
        };
        let (path, result) = match source {
            Source::Bundle(path) => (path, found.read(path)),
            Source::Folder(path) => (path, found.read_folder(path)),
        };
        let path = path.display();
        match result {
            Ok(()) if !found.roots.is_empty() => {
                found.warn(warn);
                found.roots.roots.shrink_to_fit();
                return Ok(found.roots);
            }
            Ok(()) => reasons.push(format!("{path} holds no certificate")),
            Err(error) => reasons.push(format!("{path}: {error}")),
        }
    }
    let reasons = reasons.join(", ");
    Err(format!(
        "system: no public authorities are here ({reasons}): install the package ca-bundle (OpenWrt) or ca-certificates (Debian)"
    ))
}

impl Found {
    fn read(&mut self, path: &Path) -> io::Result<()> {
        let file = open_regular(path, self.left)?;
        let mut reader = file.take(self.left);
        for (number, section) in (1..).zip(CertificateDer::pem_reader_iter(&mut reader)) {
            match section {
                Ok(certificate) => self.add(certificate, path, number),
                Err(pem::Error::Io(error)) => return Err(error),
                Err(_) => self.leave_out(path, number),
            }
        }
        self.left = reader.limit();
        Ok(())
    }

    fn read_folder(&mut self, path: &Path) -> io::Result<()> {
        // In the folder's own order, which stays the same as long as nothing changes.
        for entry in fs::read_dir(path)?.take(MAX_ENTRIES).flatten() {
            let file = entry.path();
            if has_hashed_name(&file) && self.read(&file).is_err() {
                self.leave_out(&file, 1);
            }
        }
        Ok(())
    }

    fn add(&mut self, certificate: CertificateDer<'_>, path: &Path, number: usize) {
        if self.roots.add(certificate).is_err() {
            self.leave_out(path, number);
        } else if let Some((new, others)) = self.roots.roots.split_last()
            && others.contains(new)
        {
            // A folder may have two links to one file.
            self.roots.roots.pop();
        }
    }

    fn leave_out(&mut self, path: &Path, number: usize) {
        match &mut self.broken {
            Some((_, _, more)) => *more += 1,
            None => self.broken = Some((path.into(), number, 0)),
        }
    }

    fn warn(&self, warn: &mut dyn FnMut(fmt::Arguments<'_>)) {
        let Some((path, number, more)) = &self.broken else {
            return;
        };
        let path = path.display();
        let words = format!("{path}: certificate {number} cannot be used and is left out");
        match more {
            0 => warn(format_args!("{words}")),
            _ => warn(format_args!("{words}, and so are {more} more")),
        }
    }
}

/// `5f618aec.0`: the hash of a certificate's name, and a number.
fn has_hashed_name(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.split_once('.'))
        .is_some_and(|(hash, number)| {
            let is_hash = hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hash && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::tls::testing::{Authority, Folder};

    /// What is found, or why nothing is, and what is warned of; without the folder's name.
    fn searched(folder: &Folder, sources: &[Source]) -> (Result<usize, String>, Vec<String>) {
        let mut warnings = Vec::new();
        let shown = |words: String| words.replace(&format!("{}/", folder.path().display()), "");
        let found = search(sources, &mut |words| {
            warnings.push(shown(words.to_string()))
        });
        (found.map(|roots| roots.len()).map_err(shown), warnings)
    }

    fn pem(names: &[&str]) -> String {
        names
            .iter()
            .map(|name| Authority::new(name).pem())
            .collect()
    }

    const MALFORMED: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    const NO_BASE64: &str = "-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n";

    #[test]
    fn what_is_broken_in_a_bundle_is_left_out_with_one_warning() {
        let folder = Folder::new();
        let first = "certificate 2 cannot be used and is left out";
        for (text, count, warnings) in [
            (pem(&["A", "B", "C"]), 3, vec![]),
            (
                format!("{}{MALFORMED}{}", pem(&["A"]), pem(&["B"])),
                2,
                vec![format!("bundle: {first}")],
            ),
            (
                format!(
                    "{}{NO_BASE64}notes\n{MALFORMED}{}",
                    pem(&["A"]),
                    pem(&["B"])
                ),
                2,
                vec![format!("bundle: {first}, and so are 1 more")],
            ),
            // Cut off.
            (
                format!("{}-----BEGIN CERTIFICATE-----\nMAA", pem(&["A"])),
                1,
                vec![format!("bundle: {first}")],
            ),
        ] {
            let source = Source::Bundle(folder.write("bundle", &text).into());
            assert_eq!(
                searched(&folder, &[source]),
                (Ok(count), warnings),
                "{text}"
            );
        }
    }

    #[test]
    fn a_folder_has_what_its_hashed_names_lead_to_once() {
        let folder = Folder::new();
        for name in ["a.crt", "b.crt", "c.crt"] {
            folder.write(name, &pem(&[name]));
        }
        let link = |file: &str, name: &str| symlink(file, folder.path().join(name)).unwrap();
        link("a.crt", "5f618aec.0");
        link("a.crt", "0a775a30.0");
        link("b.crt", "5f618aec.1");
        link("gone.crt", "ffffffff.0");
        let source = Source::Folder(folder.path().into());
        let warning = "ffffffff.0: certificate 1 cannot be used and is left out";
        assert_eq!(searched(&folder, &[source]), (Ok(2), vec![warning.into()]));
        for (name, expected) in [
            ("5f618aec.0", true),
            ("5F618AEC.17", true),
            ("5f618aec.r0", false),
            ("5f618ae.0", false),
            ("5f618aec.", false),
            ("5f618aec", false),
            ("ca-certificates.crt", false),
        ] {
            assert_eq!(has_hashed_name(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn the_first_source_that_has_certificates_counts() {
        let folder = Folder::new();
        let bundle = |name: &str| Source::Bundle(folder.path().join(name));
        folder.write("empty", "");
        folder.write("broken", MALFORMED);
        folder.write("one", &pem(&["A"]));
        folder.write("two", &pem(&["A", "B"]));
        let sources = ["none", "empty", "broken", "one", "two"].map(bundle);
        assert_eq!(searched(&folder, &sources), (Ok(1), vec![]));
    }

    #[test]
    fn without_any_the_packages_that_bring_them_are_named() {
        let folder = Folder::new();
        folder.write("empty", "");
        folder.write("large", &"x".repeat(MAX_FILE as usize + 1));
        let path = |name: &str| folder.path().join(name);
        let sources = [
            Source::Bundle(path("none")),
            Source::Bundle(path("empty")),
            Source::Bundle(path("large")),
            Source::Bundle("/dev/zero".into()),
            Source::Folder(path(".")),
        ];
        let (found, warnings) = searched(&folder, &sources);
        assert_eq!(
            found.unwrap_err(),
            "system: no public authorities are here (none: No such file or directory (os error 2), empty holds no certificate, \
             large: it is larger than 1 MiB, /dev/zero: not a regular file, . holds no certificate): install the package \
             ca-bundle (OpenWrt) or ca-certificates (Debian)"
        );
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn what_has_not_changed_is_in_memory_once() {
        let (mut first, mut second) = (RootCertStore::empty(), RootCertStore::empty());
        let authority = Authority::new("A");
        for store in [&mut first, &mut second] {
            store.add(authority.certificate.clone().into()).unwrap();
        }
        let in_use = shared(first);
        assert!(Arc::ptr_eq(&in_use, &shared(second.clone())));
        second.add(Authority::new("B").certificate.into()).unwrap();
        assert!(!Arc::ptr_eq(&in_use, &shared(second)));
    }
}

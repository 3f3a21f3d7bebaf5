//! What does a PEM file hold? Its certificates and keys, wherever they stand in it, and what keeps others from being read.

use std::io;
use std::path::Path;

use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::files::read_regular;

/// Bytes of a file, at most: four times what a Linux distribution's bundle of all public CAs has.
pub const MAX_FILE: u64 = 1024 * 1024;

/// What was found in a file, in its order. The keys are wiped when this is dropped.
#[derive(Debug, Default)]
pub struct Contents {
    pub certificates: Vec<CertificateDer<'static>>,
    pub keys: Vec<Zeroizing<PrivateKeyDer<'static>>>,
    /// There is a key that needs a pass phrase.
    pub has_encrypted_key: bool,
    /// A section is cut off, or is no base64.
    pub is_damaged: bool,
    /// No PEM at all: the bytes begin as DER and PKCS#12 do.
    pub is_binary: bool,
}

/// Reads a regular file of at most 1 MiB. Its text is wiped from memory afterwards; the library that takes sections apart leaves its own
/// copy of their base64 in memory that it has freed.
///
/// # Errors
/// It cannot be read, is larger, or is no regular file.
pub fn read(path: &Path) -> io::Result<Contents> {
    let text = Zeroizing::new(read_regular(path, MAX_FILE)?);
    Ok(contents(&text))
}

fn contents(text: &[u8]) -> Contents {
    // Windows editors begin a file with a byte order mark.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut contents = Contents {
        has_encrypted_key: ["BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"]
            .iter()
            .any(|mark| holds(text, mark)),
        // Tag and long form of the length of a SEQUENCE.
        is_binary: matches!(text, [0x30, 0x80..=0x84, ..]),
        ..Contents::default()
    };
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
        match section {
            Ok((SectionKind::Certificate, der)) => contents.certificates.push(der.into()),
            Ok((kind, der)) => contents
                .keys
                .extend(PrivateKeyDer::from_pem(kind, der).map(Zeroizing::new)),
            Err(_) => contents.is_damaged = true,
        }
    }
    contents
}

fn holds(text: &[u8], words: &str) -> bool {
    text.windows(words.len())
        .any(|window| window == words.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMAE=\n-----END PRIVATE KEY-----\n";
    const RSA_KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nMAI=\n-----END RSA PRIVATE KEY-----\n";
    const EC_KEY: &str = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
        -----BEGIN EC PRIVATE KEY-----\nMAM=\n-----END EC PRIVATE KEY-----\n";

    #[test]
    fn certificates_and_keys_are_found_among_anything_else() {
        let windows = format!("\u{feff}{CERTIFICATE}").replace('\n', "\r\n");
        let cases = [
            ("", 0, 0),
            ("hello", 0, 0),
            (CERTIFICATE, 1, 0),
            (KEY, 0, 1),
            (EC_KEY, 0, 1),
            (&format!("{RSA_KEY}{CERTIFICATE}"), 1, 1),
            (
                &format!("subject=CN=x\n{CERTIFICATE}\nissuer:\n{CERTIFICATE}bye"),
                2,
                0,
            ),
            (&windows, 1, 0),
        ];
        for (text, certificates, keys) in cases {
            let found = contents(text.as_bytes());
            assert_eq!(found.certificates.len(), certificates, "{text}");
            assert_eq!(found.keys.len(), keys, "{text}");
            assert!(!found.is_damaged && !found.has_encrypted_key, "{text}");
        }
    }

    #[test]
    fn encrypted_keys_are_recognized_in_both_their_forms() {
        let cases = [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAE=\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0011\n\n\
             MAE=\n-----END RSA PRIVATE KEY-----\n",
        ];
        for text in cases {
            let found = contents(format!("{text}{CERTIFICATE}").as_bytes());
            assert!(found.has_encrypted_key, "{text}");
            assert_eq!(found.keys.len(), 0, "{text}");
            assert_eq!(found.certificates.len(), 1, "{text}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_inside_its_section_is_damaged() {
        for end in "-----BEGIN CERTIFICATE-----".len()..CERTIFICATE.len() - "-----\n".len() {
            let found = contents(&CERTIFICATE.as_bytes()[..end]);
            assert!(found.is_damaged, "cut at {end}");
            assert_eq!(found.certificates.len(), 0, "cut at {end}");
        }
    }

    #[test]
    fn binary_files_are_recognized() {
        assert!(contents(&[0x30, 0x82, 1, 2]).is_binary);
        assert!(!contents(b"0 is a digit").is_binary);
    }
}

//! What does a certificate say about itself? Names and dates (RFC 5280, 4.1); whether they are true is rustls's business.

use std::borrow::Cow;

use der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use der::{Decode, Reader, SliceReader, Tag, Tagged};

/// The parts of a certificate that are compared or shown.
#[derive(Debug, Clone, Copy)]
pub struct Certificate<'d> {
    /// The issuer's distinguished name, as DER.
    pub issuer: &'d [u8],
    /// The owner's.
    pub subject: &'d [u8],
    /// `SubjectPublicKeyInfo`.
    pub public_key: &'d [u8],
    /// Seconds since 1970, like the next.
    pub not_before: u64,
    pub not_after: u64,
}

impl<'d> Certificate<'d> {
    /// # Errors
    /// It is no X.509 certificate, or older than 1970.
    pub fn parse(der: &'d [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        enter(&mut reader)?;
        enter(&mut reader)?;
        // The version is explicit and optional; then come serial number and signature algorithm.
        if Tag::peek(&reader)?.is_context_specific() {
            reader.tlv_bytes()?;
        }
        reader.tlv_bytes()?;
        reader.tlv_bytes()?;
        let issuer = reader.tlv_bytes()?;
        enter(&mut reader)?;
        let not_before = time(&mut reader)?;
        let not_after = time(&mut reader)?;
        Ok(Certificate {
            issuer,
            not_before,
            not_after,
            subject: reader.tlv_bytes()?,
            public_key: reader.tlv_bytes()?,
        })
    }

    /// The owner's common name, which people know a certificate by; empty if it has none.
    pub fn common_name(&self) -> Cow<'d, str> {
        common_name(self.subject).unwrap_or_default()
    }
}

/// Reads the header of a SEQUENCE, so that its first element is next.
fn enter(reader: &mut SliceReader<'_>) -> der::Result<()> {
    der::Header::decode(reader)?
        .tag()
        .assert_eq(Tag::Sequence)
        .map(drop)
}

fn time(reader: &mut SliceReader<'_>) -> der::Result<u64> {
    let since_1970 = match Tag::peek(reader)? {
        Tag::UtcTime => UtcTime::decode(reader)?.to_unix_duration(),
        _ => GeneralizedTime::decode(reader)?.to_unix_duration(),
    };
    Ok(since_1970.as_secs())
}

/// The last `commonName` (2.5.4.3) of a name.
fn common_name(name: &[u8]) -> Option<Cow<'_, str>> {
    const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
    let mut reader = SliceReader::new(name).ok()?;
    enter(&mut reader).ok()?;
    let mut found = None;
    while !reader.is_finished() {
        // A SET OF with one element, nearly always.
        der::Header::decode(&mut reader).ok()?;
        enter(&mut reader).ok()?;
        let kind = AnyRef::decode(&mut reader).ok()?;
        let value = AnyRef::decode(&mut reader).ok()?;
        if kind.tag() == Tag::ObjectIdentifier && kind.value() == COMMON_NAME {
            found = Some(String::from_utf8_lossy(value.value()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::Authority;

    #[test]
    fn names_and_dates_are_read() {
        let authority = Authority::new("Plant CA");
        let issued = authority.issue(&["broker"], (2001, 2, 3), (2049, 12, 31));
        let certificate = Certificate::parse(&issued.certificate).unwrap();
        assert_eq!(certificate.common_name(), "broker");
        assert_eq!(common_name(certificate.issuer).unwrap(), "Plant CA");
        assert_eq!(certificate.not_before, 981_158_400);
        assert_eq!(certificate.not_after, 2_524_521_600);
        let root = Certificate::parse(&authority.certificate).unwrap();
        assert_eq!(root.subject, certificate.issuer);
    }

    #[test]
    fn dates_from_2050_on_have_another_type_and_are_read_too() {
        let issued = Authority::new("CA").issue(&["x"], (2050, 1, 1), (9999, 12, 31));
        let certificate = Certificate::parse(&issued.certificate).unwrap();
        assert_eq!(certificate.not_before, 2_524_608_000);
        assert_eq!(certificate.not_after, 253_402_214_400);
    }

    #[test]
    fn what_is_cut_off_is_an_error_and_never_a_panic() {
        let issued = Authority::new("CA").issue(&["x"], (2020, 1, 1), (2040, 1, 1));
        let whole = Certificate::parse(&issued.certificate).unwrap();
        let offset = whole.public_key.as_ptr() as usize - issued.certificate.as_ptr() as usize;
        for end in 0..offset + whole.public_key.len() {
            assert!(
                Certificate::parse(&issued.certificate[..end]).is_err(),
                "{end}"
            );
        }
    }

    #[test]
    fn a_byte_that_differs_never_panics() {
        let issued = Authority::new("CA").issue(&["x"], (2020, 1, 1), (2040, 1, 1));
        for position in 0..issued.certificate.len() {
            for bit in 0..8 {
                let mut bytes = issued.certificate.clone();
                bytes[position] ^= 1 << bit;
                if let Ok(certificate) = Certificate::parse(&bytes) {
                    let _ = certificate.common_name();
                }
            }
        }
    }
}

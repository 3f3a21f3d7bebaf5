//! Why does TLS to a broker fail? In words that name what an integrator can change.
//!
//! A reason is logged again when it changes, so no text here holds anything that differs at each attempt: of the time,
//! only the day.

use std::fmt;
use std::net::IpAddr;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, OtherError};

use super::weak::ShortKey;
use crate::date::Day;

/// What ended a handshake or, later, the connection.
#[derive(Debug)]
pub enum Fault {
    /// The broker closed the connection during the handshake.
    Cut,
    /// It did so at our greeting, without a single byte, more than once in a row.
    Silent,
    /// It answered our greeting with something else than TLS.
    NoTls,
    /// The system has no random numbers yet.
    NoEntropy,
    /// The device's own key or certificate is wrong, in words.
    Key(String),
    /// It broke off a connection that had offered the session of an earlier one.
    NotResumed(AlertDescription),
    /// It broke off a connection that stood, of TLS 1.2: as a server does whose wish for a renegotiation is refused.
    Renegotiation,
    /// It wants a client certificate, or may want one, and the device shows none.
    NoCertificate(AlertDescription),
    /// It wants a protocol name, and the device offers none.
    NoProtocol,
    /// rustls's word, or the broker's alert.
    Tls(Error),
}

impl Fault {
    /// Whether only a change of files, settings or the clock can help.
    pub fn is_permanent(&self) -> bool {
        match self {
            Fault::Cut | Fault::NotResumed(_) | Fault::NoEntropy => false,
            Fault::Silent
            | Fault::NoTls
            | Fault::Key(_)
            | Fault::Renegotiation
            | Fault::NoCertificate(_)
            | Fault::NoProtocol => true,
            Fault::Tls(error) => match error {
                Error::InvalidCertificate(_)
                | Error::NoCertificatesPresented
                | Error::PeerIncompatible(_) => true,
                Error::AlertReceived(alert) => Blame::of(*alert) != Blame::Unclear,
                _ => false,
            },
        }
    }

    /// Whether a broker may say this where it is shown no client certificate.
    pub fn wants_certificate(alert: AlertDescription) -> bool {
        matches!(Blame::of(alert), Blame::Certificate | Blame::Choice)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Tls(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Cut => f.write_str("closed by the peer during the TLS handshake"),
            Fault::Silent => f.write_str(
                "the broker closes the connection at the TLS greeting without an answer: does it speak TLS on this port?",
            ),
            Fault::NoTls => f.write_str("the broker does not speak TLS on this port"),
            Fault::NoEntropy => f.write_str("the system has no random numbers yet, which TLS needs"),
            Fault::Key(words) => f.write_str(words),
            Fault::NotResumed(alert) => write!(
                f,
                "the broker broke off TLS (alert {}) where an earlier session was offered; a full handshake comes next",
                Snake(*alert)
            ),
            Fault::Renegotiation => f.write_str(
                "the broker broke off TLS (alert handshake_failure) on a connection that stood: does it ask for a renegotiation? It is not supported; turn it off, or use TLS 1.3",
            ),
            Fault::NoCertificate(alert) => {
                if Blame::of(*alert) == Blame::Choice {
                    f.write_str("the broker found no common cipher or signature, or it")?;
                } else {
                    f.write_str("the broker")?;
                }
                write!(
                    f,
                    " wants a client certificate, and tls_client_auth=0 shows none (alert {})",
                    Snake(*alert)
                )
            }
            Fault::NoProtocol => f.write_str(
                "the broker wants a protocol name: set tls_alpn (alert no_application_protocol)",
            ),
            Fault::Tls(error) => write_error(error, f),
        }
    }
}

fn write_error(error: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        Error::InvalidCertificate(error) => write_certificate_error(error, f),
        Error::NoCertificatesPresented => f.write_str("the broker shows no certificate"),
        Error::AlertReceived(alert) => {
            f.write_str(match Blame::of(*alert) {
                Blame::Certificate => "the broker refused the client certificate",
                Blame::Version => "the broker speaks neither TLS 1.2 nor TLS 1.3",
                Blame::Choice => {
                    "the broker found no common cipher or signature, or it wants another client certificate"
                }
                Blame::Name => "the broker does not serve this name",
                Blame::Protocol => "the broker does not know the protocol name in tls_alpn",
                Blame::Unclear => "the broker broke off TLS",
            })?;
            write!(f, " (alert {})", Snake(*alert))
        }
        Error::PeerIncompatible(reason) => {
            write!(
                f,
                "no TLS version or cipher in common with the broker ({reason:?})"
            )
        }
        other => write!(f, "TLS: {other}"),
    }
}

fn write_certificate_error(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => {
            f.write_str("wrong CA: the broker's certificate was not issued by one in ca_certificate")
        }
        E::BadSignature => f.write_str(
            "wrong CA: ca_certificate has the issuer of the broker's certificate by name, but with another key",
        ),
        E::ExpiredContext { time, not_after } => write!(
            f,
            "the broker's certificate expired on {}; the clock here says {}",
            day(*not_after),
            day(*time)
        ),
        E::NotValidYetContext { time, not_before } => write!(
            f,
            "the broker's certificate is valid from {} on; the clock here says {}",
            day(*not_before),
            day(*time)
        ),
        E::NotValidForNameContext { expected, presented } if presented.is_empty() => write!(
            f,
            "the broker's certificate has no subjectAltName, so it is not for \"{}\" nor for any other name",
            expected.to_str()
        ),
        E::NotValidForNameContext { expected, presented } => {
            f.write_str("the broker's certificate is for ")?;
            for (number, name) in presented.iter().enumerate() {
                let comma = if number == 0 { "" } else { ", " };
                write!(f, "{comma}\"{}\"", bare_name(name))?;
                if is_address_as_name(name) {
                    f.write_str(" written as a DNS name, which no address matches")?;
                }
            }
            write!(f, ", not for \"{}\"", expected.to_str())
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            f.write_str("the broker's certificate is not for servers (extended key usage)")
        }
        E::BadEncoding => f.write_str("the broker's certificate is malformed"),
        E::Other(OtherError(error)) if error.is::<ShortKey>() => write!(f, "{error}"),
        E::Other(error) if is(error, webpki::Error::UnsupportedCertVersion) => f.write_str(
            "the broker's certificate is of X.509 version 1, which has no subjectAltName: it needs one of version 3",
        ),
        E::Other(error) if is(error, webpki::Error::CaUsedAsEndEntity) => f.write_str(
            "the broker's own certificate is a CA certificate (basicConstraints), which a server's may not be",
        ),
        other => write!(f, "the broker's certificate is not accepted: {other}"),
    }
}

fn is(error: &OtherError, reason: webpki::Error) -> bool {
    error.0.downcast_ref() == Some(&reason)
}

fn day(time: UnixTime) -> Day {
    Day(time.as_secs())
}

/// The name in webpki's `DnsName("a.example")` and `IpAddress(192.0.2.1)`.
fn bare_name(name: &str) -> &str {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

/// Whether a certificate has an address where only names belong: a subjectAltName of `DNS:192.0.2.1` and not of `IP:192.0.2.1`.
fn is_address_as_name(name: &str) -> bool {
    name.starts_with("DnsName") && bare_name(name).parse::<IpAddr>().is_ok()
}

/// What an alert is about (RFC 8446, 6.2).
#[derive(Debug, PartialEq, Eq)]
enum Blame {
    Certificate,
    Version,
    Choice,
    Name,
    Protocol,
    Unclear,
}

impl Blame {
    fn of(alert: AlertDescription) -> Self {
        use AlertDescription as A;
        match alert {
            A::NoCertificate
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::CertificateRequired
            | A::UnknownCA
            | A::AccessDenied
            | A::DecryptError => Blame::Certificate,
            A::ProtocolVersion => Blame::Version,
            A::HandshakeFailure | A::InsufficientSecurity => Blame::Choice,
            A::UnrecognisedName => Blame::Name,
            A::NoApplicationProtocol => Blame::Protocol,
            _ => Blame::Unclear,
        }
    }
}

/// The name that the standards give an alert: `unknown_ca` for rustls's `UnknownCA`.
struct Snake(AlertDescription);

impl fmt::Display for Snake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == AlertDescription::UnrecognisedName {
            return f.write_str("unrecognized_name");
        }
        let name = format!("{:?}", self.0);
        let mut previous_is_lower = false;
        for character in name.chars() {
            if previous_is_lower && character.is_ascii_uppercase() {
                f.write_str("_")?;
            }
            previous_is_lower = character.is_ascii_lowercase();
            write!(f, "{}", character.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::pki_types::ServerName;

    use super::*;

    fn time(days: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(days * 86_400 + 7))
    }

    fn name() -> ServerName<'static> {
        ServerName::try_from("broker.example").unwrap()
    }

    #[test]
    fn a_refused_certificate_says_what_would_make_it_right() {
        let ca = Arc::new(webpki::Error::CaUsedAsEndEntity);
        let presented = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
        let cases = [
            (
                CertificateError::UnknownIssuer,
                "wrong CA: the broker's certificate was not issued",
            ),
            (
                CertificateError::BadSignature,
                "wrong CA: ca_certificate has the issuer",
            ),
            (
                CertificateError::ExpiredContext {
                    time: time(1),
                    not_after: time(0),
                },
                "the broker's certificate expired on 1970-01-01; the clock here says 1970-01-02",
            ),
            (
                CertificateError::NotValidYetContext {
                    time: time(0),
                    not_before: time(31),
                },
                "the broker's certificate is valid from 1970-02-01 on; the clock here says 1970-01-01",
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected: name(),
                    presented: vec![],
                },
                "the broker's certificate has no subjectAltName, so it is not for \"broker.example\"",
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected: name(),
                    presented: presented(&["DnsName(\"a.example\")", "IpAddress(192.0.2.1)"]),
                },
                "the broker's certificate is for \"a.example\", \"192.0.2.1\", not for \"broker.example\"",
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected: ServerName::try_from("127.0.0.1").unwrap(),
                    presented: presented(&["DnsName(\"127.0.0.1\")", "DnsName(\"a.example\")"]),
                },
                "the broker's certificate is for \"127.0.0.1\" written as a DNS name, which no address matches, \"a.example\", not for \"127.0.0.1\"",
            ),
            (
                CertificateError::Other(OtherError(Arc::new(ShortKey::Broker))),
                "the broker's certificate has an RSA key of less than 2048 bits",
            ),
            (
                CertificateError::Other(OtherError(ca)),
                "the broker's own certificate is a CA",
            ),
            (
                CertificateError::InvalidPurpose,
                "the broker's certificate is not for servers",
            ),
            (
                CertificateError::Revoked,
                "the broker's certificate is not accepted: Revoked",
            ),
        ];
        for (error, words) in cases {
            let fault = Fault::from(Error::from(error));
            assert!(fault.to_string().starts_with(words), "{fault}");
            assert!(fault.is_permanent(), "{fault}");
        }
    }

    #[test]
    fn an_alert_has_its_standard_name_and_what_it_is_about() {
        use AlertDescription as A;
        let cases = [
            (
                A::UnknownCA,
                "the broker refused the client certificate (alert unknown_ca)",
                true,
            ),
            (
                A::CertificateRequired,
                "the broker refused the client certificate (alert certificate_required)",
                true,
            ),
            (
                A::ProtocolVersion,
                "the broker speaks neither TLS 1.2 nor TLS 1.3 (alert protocol_version)",
                true,
            ),
            (
                A::NoApplicationProtocol,
                "the broker does not know the protocol name in tls_alpn (alert no_application_protocol)",
                true,
            ),
            (
                A::InternalError,
                "the broker broke off TLS (alert internal_error)",
                false,
            ),
        ];
        for (alert, words, permanent) in cases {
            let fault = Fault::from(Error::AlertReceived(alert));
            assert_eq!(fault.to_string(), words);
            assert_eq!(fault.is_permanent(), permanent, "{fault}");
        }
    }

    #[test]
    fn a_cut_link_is_no_permanent_fault() {
        assert!(!Fault::Cut.is_permanent());
        assert!(Fault::Silent.is_permanent());
        assert!(!Fault::from(Error::DecryptError).is_permanent());
    }
}

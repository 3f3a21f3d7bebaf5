//! One TLS connection over one non-blocking stream: what may be done with it without waiting?
//!
//! The stream tells of a change only once, so nothing may be left behind that no event will fetch:
//!
//! - all plaintext that has come is handed out, as far as the caller's buffer takes it; [`Session::is_readable`] tells whether more may follow without
//!   an event. Before anything waits for the stream, all that is encrypted is written;
//! - at most one call's worth of encrypted output waits here while the stream is full. Every call writes it first, and no
//!   more is taken until it is gone.

use std::fmt;
use std::io::{self, Read, Write};

use embedded_nal::nb;
use rustls::{AlertDescription, ClientConnection, HandshakeKind, InvalidMessage, ProtocolVersion};

use super::resumption::Offer;
use super::{Fault, Identity};
use crate::net::{Error, Stream};

/// Plaintext that one call of [`Session::send`] takes, in bytes: the largest record's.
const MAX_SEND: usize = 16 * 1024;

/// A connection with TLS on it, or on its way there.
pub struct Session {
    connection: ClientConnection,
    stream: Stream,
    /// The peer has sent something.
    heard: bool,
    /// The peer has said close_notify.
    ended: bool,
    shows_certificate: bool,
    offers_protocol: bool,
    /// The earlier session that this connection has offered, until data from the peer shows that it does no harm: the peer may break off for its
    /// sake even after our side of the handshake has ended.
    offer: Option<Offer>,
}

/// The handshakes of one device so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Handshakes {
    pub full: u32,
    pub resumed: u32,
}

impl Session {
    /// Begins with TLS on a connected stream.
    ///
    /// # Errors
    /// The system has no random numbers yet, or the key that could not be loaded for that reason is wrong.
    pub fn new(identity: &Identity, stream: Stream) -> Result<Self, Fault> {
        let config = identity.setup.config()?;
        let connection = ClientConnection::new(config, identity.server_name.clone())?;
        Ok(Session {
            connection,
            stream,
            heard: false,
            ended: false,
            shows_certificate: identity.shows_certificate(),
            offers_protocol: identity.offers_protocol,
            offer: Offer::of(&identity.sessions),
        })
    }

    /// Goes on with the handshake until it would wait. Once it is `Ok`, data can be sent.
    ///
    /// With TLS 1.3 the broker's word on the client certificate comes later, as an error of [`Session::receive`].
    pub fn handshake(&mut self) -> nb::Result<(), Error> {
        loop {
            self.flush()?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            self.fetch()?;
        }
    }

    /// Encrypts and writes, as much as the stream takes and some more.
    pub fn send(&mut self, bytes: &[u8]) -> nb::Result<usize, Error> {
        self.flush()?;
        if self.connection.wants_write() {
            return Err(nb::Error::WouldBlock);
        }
        let bytes = bytes.get(..MAX_SEND).unwrap_or(bytes);
        let taken = self.connection.writer().write(bytes).map_err(Error::Io)?;
        self.flush()?;
        Ok(taken)
    }

    /// Plaintext from the peer; `buffer` is not empty. The peer's end of the connection is [`Error::Closed`], with close_notify or
    /// without: an MQTT packet has a length of its own, so that a cut one is never taken for whole.
    pub fn receive(&mut self, buffer: &mut [u8]) -> nb::Result<usize, Error> {
        loop {
            match self.connection.reader().read(buffer) {
                Ok(0) => return Err(Error::Closed.into()),
                Ok(length) => {
                    if let Some(offer) = self.offer.take() {
                        offer.was_taken_well();
                    }
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(Error::Closed.into()),
            }
            // What cannot be written any more is no reason not to read what has come.
            let written = self.write();
            match self.fetch() {
                Err(nb::Error::WouldBlock) => {
                    written.map_err(Error::Io)?;
                    return Err(nb::Error::WouldBlock);
                }
                fetched => fetched?,
            }
        }
    }

    /// Says close_notify, as far as the stream takes it at once, and closes.
    pub fn close(mut self) {
        self.connection.send_close_notify();
        // The peer may be gone already.
        let _ = self.write();
        self.stream.finish();
    }

    /// Whether the next [`Session::receive`] may bring something without an event of the stream.
    pub fn is_readable(&self) -> bool {
        self.ended || self.stream.is_readable()
    }

    /// Whether the peer has sent anything at all.
    pub fn has_heard(&self) -> bool {
        self.heard
    }

    /// How the handshake went: counts it, and tells version, cipher and whether an earlier session was resumed.
    pub fn describe(&self, handshakes: &mut Handshakes) -> impl fmt::Display {
        let version = match self.connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "1.3",
            _ => "1.2",
        };
        let kind = if self.connection.handshake_kind() == Some(HandshakeKind::Resumed) {
            handshakes.resumed += 1;
            "resumed"
        } else {
            handshakes.full += 1;
            "full handshake"
        };
        let cipher = self
            .connection
            .negotiated_cipher_suite()
            .map(|suite| suite.suite());
        let Handshakes { full, resumed } = *handshakes;
        fmt::from_fn(move |f| {
            write!(f, "TLS {version}, {kind}, ")?;
            if let Some(cipher) = cipher {
                write!(f, "{cipher:?}, ")?;
            }
            write!(f, "so far {full} full and {resumed} resumed")
        })
    }

    #[cfg(test)]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Writes what is encrypted, as far as the stream takes it.
    fn write(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The same; an error is the peer's last word, if there is one.
    fn flush(&mut self) -> Result<(), Error> {
        self.write()
            .map_err(|error| self.last_words().unwrap_or(Error::Io(error)))
    }

    /// Reads once and takes records apart.
    fn fetch(&mut self) -> nb::Result<(), Error> {
        match self.connection.read_tls(&mut self.stream) {
            Ok(0) if self.connection.is_handshaking() => Err(Error::Tls(Fault::Cut).into()),
            Ok(0) => Err(Error::Closed.into()),
            Ok(_) => {
                self.heard = true;
                self.process().map_err(nb::Error::Other)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(nb::Error::WouldBlock),
            Err(error) => Err(Error::Io(error).into()),
        }
    }

    fn process(&mut self) -> Result<(), Error> {
        let greeting = self.connection.protocol_version().is_none();
        let error = match self.connection.process_new_packets() {
            Ok(state) => {
                self.ended = state.peer_has_closed();
                return Ok(());
            }
            Err(error) => error,
        };
        // The alert that tells the broker why; it may be gone already.
        let _ = self.connection.write_tls(&mut self.stream);
        let no_tls = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
        Err(Error::Tls(if greeting && error == no_tls {
            Fault::NoTls
        } else {
            self.fault(error)
        }))
    }

    /// An alert may be about the earlier session alone. If not, the full handshake that comes next will tell.
    fn fault(&self, error: rustls::Error) -> Fault {
        let stood = !self.connection.is_handshaking();
        match error {
            rustls::Error::AlertReceived(alert) if self.offer.is_some() => Fault::NotResumed(alert),
            rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)
                if stood
                    && self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_2) =>
            {
                Fault::Renegotiation
            }
            rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)
                if !self.offers_protocol =>
            {
                Fault::NoProtocol
            }
            rustls::Error::AlertReceived(alert)
                if !self.shows_certificate && Fault::wants_certificate(alert) =>
            {
                Fault::NoCertificate(alert)
            }
            error => Fault::Tls(error),
        }
    }

    /// Why the peer has closed the connection that cannot be written to any more: its alert may have come before.
    fn last_words(&mut self) -> Option<Error> {
        self.stream.look_for_input();
        while let Ok(1..) = self.connection.read_tls(&mut self.stream) {
            if let Err(error) = self.connection.process_new_packets() {
                return Some(Error::Tls(self.fault(error)));
            }
            // Plaintext would stand in the way of what comes behind it; nobody answers it any more.
            let _ = io::copy(&mut self.connection.reader(), &mut io::sink());
        }
        None
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

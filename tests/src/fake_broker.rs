//! A broker that says what the test tells it to: the test is the other end of the connection, packet by packet.
//!
//! It knows only the packets that a publisher sends, and takes nothing for granted about them.

mod packet;

pub use packet::{Connect, Packet, Publish, Will};

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::wait;

/// CONNACK: the connection is accepted.
pub const ACCEPTED: u8 = 0;
/// CONNACK: the broker does not speak this level of the protocol.
pub const UNACCEPTABLE_LEVEL: u8 = 1;
/// CONNACK: the user name or password is wrong.
pub const BAD_CREDENTIALS: u8 = 4;

/// A listener on a free loopback port.
pub struct FakeBroker {
    listener: TcpListener,
}

/// One connection of a client.
pub struct Link {
    stream: TcpStream,
}

impl FakeBroker {
    /// Listens.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener
            .set_nonblocking(true)
            .expect("a non-blocking listener");
        Self { listener }
    }

    /// Its TCP port.
    ///
    /// # Panics
    ///
    /// Never: a listener has an address.
    #[must_use]
    pub fn port(&self) -> u16 {
        let address = self.listener.local_addr();
        address.expect("the address of a listener").port()
    }

    /// Waits for the next connection.
    ///
    /// # Panics
    ///
    /// If none comes within [`wait::LIMIT`].
    #[track_caller]
    #[must_use]
    pub fn link(&self) -> Link {
        match self.link_within(wait::LIMIT) {
            Some(link) => link,
            None => panic!("no connection within {:?}", wait::LIMIT),
        }
    }

    /// The next connection, if one comes within `limit`.
    ///
    /// # Panics
    ///
    /// If the listener fails.
    #[must_use]
    pub fn link_within(&self, limit: Duration) -> Option<Link> {
        let stream = wait::within(limit, || match self.listener.accept() {
            Ok((stream, _)) => Some(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("accept: {error}"),
        })?;
        stream.set_nonblocking(false).expect("a blocking socket");
        stream
            .set_read_timeout(Some(wait::LIMIT))
            .expect("a read timeout");
        Some(Link { stream })
    }

    /// Waits for the next connection, reads its CONNECT, and lets it in.
    #[track_caller]
    #[must_use]
    pub fn accept(&self) -> (Link, Connect) {
        let mut link = self.link();
        let connect = link.connect();
        link.connack(ACCEPTED);
        (link, connect)
    }
}

impl Link {
    /// The next packet; `None` when the client has closed the connection.
    ///
    /// # Panics
    ///
    /// If nothing comes within [`wait::LIMIT`], or what comes is no packet of a publisher.
    #[track_caller]
    pub fn packet(&mut self) -> Option<Packet> {
        let mut first = [0];
        if let Err(error) = self.stream.read_exact(&mut first) {
            match error.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => return None,
                _ => panic!("no packet from the client: {error}"),
            }
        }
        let mut body = vec![0; self.remaining_length()];
        self.stream
            .read_exact(&mut body)
            .expect("the rest of a packet");
        Some(packet::decode(first[0], &body))
    }

    /// The next packet is a CONNECT.
    #[track_caller]
    pub fn connect(&mut self) -> Connect {
        match self.packet() {
            Some(Packet::Connect(connect)) => connect,
            other => panic!("wanted CONNECT, not {other:?}"),
        }
    }

    /// The next packet is a PUBLISH.
    #[track_caller]
    pub fn publish(&mut self) -> Publish {
        match self.packet() {
            Some(Packet::Publish(publish)) => publish,
            other => panic!("wanted PUBLISH, not {other:?}"),
        }
    }

    /// The next packet is this one.
    #[track_caller]
    pub fn expect(&mut self, packet: &Packet) {
        assert_eq!(self.packet().as_ref(), Some(packet));
    }

    /// Nothing comes for as long as `silence`.
    ///
    /// # Panics
    ///
    /// If a packet comes, or the connection ends.
    #[track_caller]
    pub fn expect_silence(&mut self, silence: Duration) {
        self.stream
            .set_read_timeout(Some(silence))
            .expect("a read timeout");
        loop {
            match self.stream.peek(&mut [0]) {
                Ok(0) => panic!("the client closed the connection"),
                Ok(_) => panic!("wanted nothing, not {:?}", self.packet()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}"),
            }
        }
        self.stream
            .set_read_timeout(Some(wait::LIMIT))
            .expect("a read timeout");
    }

    /// Answers CONNECT; no session was kept.
    pub fn connack(&mut self, code: u8) {
        self.send(&[0x20, 2, 0, code]);
    }

    /// Lets the client in, with the session it had before.
    pub fn connack_session_present(&mut self) {
        self.send(&[0x20, 2, 1, ACCEPTED]);
    }

    /// Answers PUBLISH at QoS 1.
    pub fn puback(&mut self, id: u16) {
        self.send_acknowledgement(0x40, id);
    }

    /// Answers PUBLISH at QoS 2.
    pub fn pubrec(&mut self, id: u16) {
        self.send_acknowledgement(0x50, id);
    }

    /// Answers PUBREL.
    pub fn pubcomp(&mut self, id: u16) {
        self.send_acknowledgement(0x70, id);
    }

    /// Answers PINGREQ.
    pub fn pingresp(&mut self) {
        self.send(&[0xd0, 0]);
    }

    /// Sends any bytes. A client that is gone does not get them.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    fn send_acknowledgement(&mut self, first: u8, id: u16) {
        let [high, low] = id.to_be_bytes();
        self.send(&[first, 2, high, low]);
    }

    fn remaining_length(&mut self) -> usize {
        let mut length = 0;
        for shift in [0, 7, 14, 21] {
            let mut byte = [0];
            self.stream
                .read_exact(&mut byte)
                .expect("a remaining length");
            length |= usize::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                return length;
            }
        }
        panic!("a remaining length of more than four bytes");
    }
}

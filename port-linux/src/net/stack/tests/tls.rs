//! The stack with TLS, against rustls's server side over real sockets.

use std::sync::mpsc;
use std::thread::JoinHandle;

use mqtt_client_core::config::Tls;
use mqtt_client_core::net::NetworkError;
use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

use super::*;
use crate::tls::testing::{Authority, FAR_OFF, Files, Issued, LONG_AGO, server, server_of};

mod offers;
mod resumption;

const NAME: &str = "broker.example";

/// A CA that both sides trust, and the gateway's certificate.
struct Site {
    authority: Authority,
    gateway: Issued,
}

/// The server's end of one connection.
type Peer = StreamOwned<ServerConnection, Wire>;

/// The server's socket, which can make trouble.
struct Wire {
    stream: TcpStream,
    /// Writes pieces of random size.
    pieces: Option<Random>,
    /// Bytes that are still written before the connection is cut.
    left: usize,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.stream.shutdown(Shutdown::Both)?;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let piece = self
            .pieces
            .as_mut()
            .map_or(usize::MAX, |pieces| pieces.up_to(40));
        let length = bytes.len().min(piece).min(self.left);
        let written = self.stream.write(&bytes[..length])?;
        self.left -= written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Site {
    fn new() -> Self {
        let authority = Authority::new("Plant CA");
        let gateway = authority.issue(&["gateway"], LONG_AGO, FAR_OFF);
        Site { authority, gateway }
    }

    fn server(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
        let shown = self.authority.issue(&[NAME], LONG_AGO, FAR_OFF);
        server_of(versions, &shown, &self.authority)
    }

    /// A link to a broker that the configuration calls `host`.
    fn link(&self, host: &str, verify_hostname: bool, listener: &TcpListener) -> Link {
        self.link_with(host, listener, |tls| tls.verify_hostname = verify_hostname)
    }

    /// The same with other settings.
    fn link_with(
        &self,
        host: &str,
        listener: &TcpListener,
        change: impl FnOnce(&mut Tls<'_>),
    ) -> Link {
        let (ca, own) = (self.authority.pem(), &self.gateway);
        let files = Files::new(&ca, &own.pem, &own.key_pem);
        let identity = files.load_with(host, change).0.unwrap();
        Link::new(Transport::Tls(identity), listener.local_addr().unwrap())
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn peer(config: Arc<ServerConfig>, stream: TcpStream) -> Peer {
    stream.set_nodelay(true).unwrap();
    let wire = Wire {
        stream,
        pieces: None,
        left: usize::MAX,
    };
    StreamOwned::new(ServerConnection::new(config).unwrap(), wire)
}

/// Serves one connection in a thread.
fn serve<T: Send + 'static>(
    listener: &TcpListener,
    config: Arc<ServerConfig>,
    service: impl FnOnce(Peer) -> T + Send + 'static,
) -> JoinHandle<T> {
    let listener = listener.try_clone().unwrap();
    thread::spawn(move || service(peer(config, listener.accept().unwrap().0)))
}

/// Sends back what comes, until the client closes; how that ended.
fn echo(mut peer: Peer) -> io::Result<()> {
    let mut buffer = [0; 8192];
    loop {
        match peer.read(&mut buffer)? {
            0 => return Ok(()),
            length => peer.write_all(&buffer[..length])?,
        }
    }
}

/// Connects, and then receives, until one of them fails.
fn failure(link: &mut Link) -> Error {
    match link.until_connected() {
        Err(error) => error,
        Ok(()) => link.until(|link| link.receive(&mut [0; 64])).unwrap_err(),
    }
}

/// Sends `data` and receives as much, as the event loop does: both whenever possible.
fn exchange(link: &mut Link, data: &[u8]) -> Vec<u8> {
    let (mut sent, mut received, mut buffer) = (0, Vec::new(), [0; 1000]);
    while received.len() < data.len() {
        let mut progress = false;
        if sent < data.len() {
            match link.send(&data[sent..]) {
                Ok(length) => (sent, progress) = (sent + length, true),
                Err(error) => {
                    assert_eq!(error.map(|error| error.to_string()), nb::Error::WouldBlock)
                }
            }
        }
        match link.receive(&mut buffer) {
            Ok(length) => {
                received.extend_from_slice(&buffer[..length]);
                progress = true;
            }
            Err(error) => assert_eq!(error.map(|error| error.to_string()), nb::Error::WouldBlock),
        }
        if !progress {
            assert!(link.wait(LIMIT) > 0, "an event was lost");
        }
    }
    received
}

#[test]
fn bytes_go_both_ways_in_both_versions_however_they_are_cut_up() {
    let site = Site::new();
    for version in [&TLS12, &TLS13] {
        let listener = listener();
        let config = site.server(&[version]);
        let mut link = site.link(NAME, true, &listener);
        let seed = Random::new();
        let server = serve(&listener, config, |mut peer| {
            peer.sock.pieces = Some(seed);
            echo(peer)
        });
        link.until_connected().unwrap();
        let data = pattern(100_000);
        assert!(exchange(&mut link, &data) == data, "the bytes differ");
        link.close();
        server.join().unwrap().expect("close_notify");
    }
}

#[test]
fn a_peer_that_does_not_read_stops_sending_and_loses_nothing() {
    let site = Site::new();
    let listener = listener();
    let mut link = site.link(NAME, true, &listener);
    let (go, wait) = std::sync::mpsc::channel();
    let data = pattern(8 * 1024 * 1024);
    let length = data.len();
    let server = serve(&listener, site.server(ALL_VERSIONS), move |mut peer| {
        peer.conn.complete_io(&mut peer.sock).unwrap();
        wait.recv().unwrap();
        let mut received = vec![0; length];
        peer.read_exact(&mut received).unwrap();
        received
    });
    link.until_connected().unwrap();
    let mut sent = 0;
    while let Ok(length) = link.send(&data[sent..]) {
        sent += length;
        if sent == data.len() {
            panic!("the buffers hold all of it");
        }
    }
    go.send(()).unwrap();
    while sent < data.len() {
        sent += link.until(|link| link.send(&data[sent..])).unwrap();
    }
    // What the last send has left behind is written by whatever comes next.
    assert_eq!(
        link.until(|link| link.receive(&mut [0; 8]))
            .unwrap_err()
            .to_string(),
        "closed by the peer"
    );
    assert!(server.join().unwrap() == data, "the bytes differ");
}

#[test]
fn a_handshake_that_is_cut_anywhere_fails_like_any_link() {
    let site = Site::new();
    let config = site.server(ALL_VERSIONS);
    for left in (0..2000).step_by(61) {
        let listener = listener();
        let mut link = site.link(NAME, true, &listener);
        let server = serve(&listener, config.clone(), move |mut peer| {
            peer.sock.left = left;
            // It fails, or ends with the handshake.
            let _ = peer.conn.complete_io(&mut peer.sock);
        });
        let error = failure(&mut link);
        assert!(!error.is_permanent(), "after {left} bytes: {error}");
        server.join().unwrap();
    }
}

#[test]
fn only_the_right_broker_is_talked_to() {
    let site = Site::new();
    let stranger = Authority::new("Stranger");
    let namesake = Authority::new("Plant CA");
    let issue = |authority: &Authority, name: &str| authority.issue(&[name], LONG_AGO, FAR_OFF);
    let expired = site.authority.issue(&[NAME], LONG_AGO, (2020, 2, 1));
    let unborn = site.authority.issue(&[NAME], (2048, 1, 1), FAR_OFF);
    let cases = [
        (
            issue(&stranger, NAME),
            "wrong CA: the broker's certificate was not issued by one in",
        ),
        (
            issue(&namesake, NAME),
            "wrong CA: ca_certificate has the issuer of the broker's",
        ),
        (
            issue(&site.authority, "other.example"),
            "the broker's certificate is for \"other.example\", not for \"broker.example\"",
        ),
        (
            issue(&site.authority, "192.0.2.1"),
            "the broker's certificate is for \"192.0.2.1\", not for \"broker.example\"",
        ),
        (
            expired,
            "the broker's certificate expired on 2020-02-01; the clock here says 20",
        ),
        (
            unborn,
            "the broker's certificate is valid from 2048-01-01 on; the clock here says 20",
        ),
    ];
    for (shown, words) in cases {
        let config = server(&shown, &site.authority);
        let without_name = words.contains("not for");
        for (verify_hostname, refused) in [(true, true), (false, !without_name)] {
            let listener = listener();
            let mut link = site.link(NAME, verify_hostname, &listener);
            let server = serve(&listener, config.clone(), |mut peer| {
                peer.conn.complete_io(&mut peer.sock)
            });
            let result = link.until_connected();
            match result {
                Ok(()) => assert!(!refused, "{words}"),
                Err(error) => {
                    assert!(refused, "{error}");
                    assert!(error.to_string().starts_with(words), "{error}");
                    assert!(error.is_permanent(), "{error}");
                    assert_eq!(error.kind(), TcpErrorKind::Other);
                }
            }
            link.close();
            // It has its own view of how this ended.
            let _ = server.join().unwrap();
        }
    }
}

#[test]
fn a_broker_at_an_address_is_known_by_it() {
    let site = Site::new();
    let shown = site.authority.issue(&["127.0.0.1"], LONG_AGO, FAR_OFF);
    let listener = listener();
    let mut link = site.link("127.0.0.1", true, &listener);
    let server = serve(&listener, server(&shown, &site.authority), echo);
    link.until_connected().unwrap();
    assert_eq!(exchange(&mut link, b"hello"), b"hello");
    link.close();
    server.join().unwrap().unwrap();
}

#[test]
fn a_broker_that_refuses_our_certificate_is_heard_even_if_we_write_first() {
    let site = Site::new();
    let stranger = Authority::new("Stranger");
    let shown = site.authority.issue(&[NAME], LONG_AGO, FAR_OFF);
    for version in [&TLS12, &TLS13] {
        let config = server_of(&[version], &shown, &stranger);
        for writes in [false, true] {
            let listener = listener();
            let mut link = site.link(NAME, true, &listener);
            let server = serve(&listener, config.clone(), |mut peer| {
                peer.conn.complete_io(&mut peer.sock).unwrap_err();
            });
            let error = match link.until_connected() {
                Err(error) => error,
                Ok(()) => {
                    server.join().unwrap();
                    let sent = writes.then(|| {
                        link.until(|link| link.send(b"too late")).unwrap();
                        link.until(|link| link.send(b"far too late"))
                    });
                    match sent {
                        Some(Err(error)) => error,
                        _ => link.until(|link| link.receive(&mut [0; 8])).unwrap_err(),
                    }
                }
            };
            let words = "the broker refused the client certificate (alert ";
            assert!(error.to_string().starts_with(words), "{error}");
            assert!(error.is_permanent());
        }
    }
}

#[test]
fn a_port_without_tls_is_told_from_a_cut_link() {
    let site = Site::new();
    let listener = listener();
    let mut link = site.link(NAME, true, &listener);
    let mut attempt = |answer: &'static [u8]| {
        let other_end = listener.try_clone().unwrap();
        let server = thread::spawn(move || {
            let mut stream = other_end.accept().unwrap().0;
            stream.read_exact(&mut [0; 5]).unwrap();
            stream.write_all(answer).unwrap();
        });
        let error = failure(&mut link);
        server.join().unwrap();
        (error.to_string(), error.is_permanent())
    };
    let (words, permanent) = attempt(b"");
    assert!(!permanent, "once is an accident: {words}");
    let (words, permanent) = attempt(b"");
    assert_eq!(words, Fault::Silent.to_string());
    assert!(permanent);
    // CONNACK, HTTP, SSH.
    for answer in [
        &b"\x20\x02\x00\x01"[..],
        b"HTTP/1.1 400 Bad Request\r\n",
        b"SSH-2.0-x\r\n",
    ] {
        let (words, permanent) = attempt(answer);
        // The rest of our greeting was not read, so that a reset may overtake the answer.
        if words == Fault::NoTls.to_string() {
            assert!(permanent);
        }
        assert!(
            words == Fault::NoTls.to_string() || words.starts_with("Connection reset"),
            "{words}"
        );
    }
}

#[test]
fn what_comes_with_the_end_of_the_connection_is_still_received() {
    let site = Site::new();
    for says_goodbye in [false, true] {
        let listener = listener();
        let mut link = site.link(NAME, true, &listener);
        let server = serve(&listener, site.server(ALL_VERSIONS), move |mut peer| {
            peer.write_all(b"last words").unwrap();
            if says_goodbye {
                peer.conn.send_close_notify();
            }
            peer.flush().unwrap();
        });
        link.until_connected().unwrap();
        server.join().unwrap();
        let mut buffer = [0; 4];
        let mut received = Vec::new();
        let error = loop {
            match link.until(|link| link.receive(&mut buffer)) {
                Ok(length) => received.extend_from_slice(&buffer[..length]),
                Err(error) => break error,
            }
        };
        assert_eq!(received, b"last words");
        assert_eq!(error.kind(), TcpErrorKind::PipeClosed, "{error}");
    }
}

#[test]
fn whoever_asks_no_more_after_a_short_read_misses_neither_records_nor_close_notify() {
    let site = Site::new();
    for (length, room) in [(10, 100), (10, 10), (100_000, 5_000), (100_000, 200_000)] {
        let listener = listener();
        let mut link = site.link(NAME, true, &listener);
        let (tell, said) = mpsc::channel();
        let server = serve(&listener, site.server(ALL_VERSIONS), move |mut peer| {
            peer.write_all(&pattern(length)).unwrap();
            peer.conn.send_close_notify();
            peer.flush().unwrap();
            tell.send(()).unwrap();
            // The connection itself stays, until the link closes it.
            let _ = io::copy(&mut peer, &mut io::sink());
        });
        link.until_connected().unwrap();
        if length < 1_000 {
            // So that one read brings both.
            said.recv().unwrap();
        }
        let (received, error) = link.receive_to_the_end(room);
        assert!(received == pattern(length), "{length} in {room}");
        assert!(matches!(error, Error::Closed), "{room}: {error}");
        link.close();
        server.join().unwrap();
    }
}

#[test]
fn a_broker_whose_answer_is_unread_when_the_link_closes_still_gets_what_was_sent() {
    let (site, listener) = (Site::new(), listener());
    let (tell, closed) = mpsc::channel();
    // With 1.3 the tickets would come unread too, some time after the handshake.
    let serving = serve(&listener, site.server(&[&TLS12]), move |mut peer| {
        peer.read_exact(&mut [0]).unwrap();
        peer.write_all(b"ack").unwrap();
        closed.recv().unwrap();
        let mut received = Vec::new();
        let end = peer.read_to_end(&mut received);
        (1 + received.len(), end.map_err(|error| error.kind()))
    });
    let mut link = site.link(NAME, true, &listener);
    link.until_connected().unwrap();
    let mut sent = 0;
    while let Ok(length) = link.send(&[0; 8192]) {
        sent += length;
    }
    await_condition(link.descriptor(), PollFlags::IN);
    link.close();
    tell.send(()).unwrap();
    let (received, end) = serving.join().unwrap();
    // The last record may be cut, and close_notify with it: the stream was full.
    assert!(
        matches!(end, Ok(_) | Err(io::ErrorKind::UnexpectedEof)),
        "{end:?}"
    );
    assert!(received + 8192 >= sent, "{received} of {sent} bytes");
}

//! Which session does the next connection offer, and after what does it offer none?

use super::*;

/// Makes a connection that the broker answers, after a handshake that is a full one or not.
fn connect_and_talk(link: &mut Link, listener: &TcpListener, config: &Arc<ServerConfig>) {
    let server = serve(listener, config.clone(), echo);
    link.until_connected().unwrap();
    assert_eq!(exchange(link, b"hello"), b"hello");
    link.close();
    server.join().unwrap().unwrap();
}

#[test]
fn a_second_connection_resumes_the_session_of_the_first() {
    let site = Site::new();
    for version in [&TLS12, &TLS13] {
        let listener = listener();
        let config = site.server(&[version]);
        let mut link = site.link(NAME, true, &listener);
        for resumed in 0..3 {
            // With TLS 1.3 the tickets come after the handshake.
            connect_and_talk(&mut link, &listener, &config);
            let expected = Handshakes { full: 1, resumed };
            assert_eq!(link.stack.handshakes, expected, "{version:?}");
        }
    }
}

/// What a broker does at a greeting that offers a session which it does not like.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    /// internal_error, as OpenSSL says it.
    Alert,
    Close,
    Reset,
    /// The link gives up in the end.
    Silence,
}

impl Answer {
    fn give(self, mut stream: TcpStream, given_up: &mpsc::Receiver<()>) {
        // Closed with the rest of the greeting unread, the connection is reset.
        let read = if self == Answer::Reset { 1 } else { 4096 };
        assert!(stream.read(&mut [0; 4096][..read]).unwrap() > 0);
        match self {
            Answer::Alert => stream.write_all(b"\x15\x03\x03\x00\x02\x02\x50").unwrap(),
            Answer::Silence => given_up.recv().unwrap(),
            Answer::Close | Answer::Reset => {}
        }
    }
}

#[test]
fn a_handshake_that_offered_a_session_and_failed_makes_the_next_one_a_full_one() {
    use Answer::{Alert, Close, Reset, Silence};
    let site = Site::new();
    for (version, answer) in [&TLS12, &TLS13]
        .into_iter()
        .flat_map(|version| [Alert, Close, Reset, Silence].map(|answer| (version, answer)))
    {
        let listener = listener();
        let config = site.server(&[version]);
        let mut link = site.link(NAME, true, &listener);
        connect_and_talk(&mut link, &listener, &config);

        let other_end = listener.try_clone().unwrap();
        let (give_up, given_up) = mpsc::channel();
        let server = thread::spawn(move || answer.give(other_end.accept().unwrap().0, &given_up));
        if answer == Silence {
            // The greeting is on its way.
            let greeted = |link: &mut Link| match link.connect() {
                Err(nb::Error::WouldBlock) if matches!(link.socket, Socket::Secured(_)) => Ok(()),
                result => result,
            };
            link.until(greeted).unwrap();
            link.close();
            give_up.send(()).unwrap();
        } else {
            let error = link.until_connected().unwrap_err();
            assert!(!error.is_permanent(), "{error}");
            let words = "(alert internal_error) where an earlier session was offered";
            assert_eq!(
                error.to_string().contains(words),
                answer == Alert,
                "{error}"
            );
        }
        server.join().unwrap();

        connect_and_talk(&mut link, &listener, &config);
        let expected = Handshakes {
            full: 2,
            resumed: 0,
        };
        assert_eq!(link.stack.handshakes, expected, "{version:?} {answer:?}");
        connect_and_talk(&mut link, &listener, &config);
        assert_eq!(link.stack.handshakes.resumed, 1, "{version:?} {answer:?}");
    }
}

#[test]
fn a_resumed_session_that_brings_no_data_is_not_offered_again() {
    let site = Site::new();
    for version in [&TLS12, &TLS13] {
        let listener = listener();
        let config = site.server(&[version]);
        let mut link = site.link(NAME, true, &listener);
        connect_and_talk(&mut link, &listener, &config);
        // Some servers look for the client's certificate after the handshake, and a resumed session has none.
        let server = serve(&listener, config.clone(), |mut peer| {
            peer.conn.complete_io(&mut peer.sock).unwrap();
            peer.conn.send_close_notify();
            peer.flush().unwrap();
        });
        link.until_connected().unwrap();
        let error = link.until(|link| link.receive(&mut [0; 8])).unwrap_err();
        assert_eq!(error.kind(), TcpErrorKind::PipeClosed, "{error}");
        link.close();
        server.join().unwrap();
        connect_and_talk(&mut link, &listener, &config);
        let expected = Handshakes {
            full: 2,
            resumed: 1,
        };
        assert_eq!(link.stack.handshakes, expected, "{version:?}");
    }
}

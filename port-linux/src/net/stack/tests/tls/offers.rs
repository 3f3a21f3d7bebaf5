//! What does a broker get of a device that shows no certificate, or offers a protocol name?

use rustls::server::Acceptor;

use super::*;
use crate::tls::testing::server_for_anybody;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// Why the link to a broker with these settings does not come to be; the broker has its own view.
fn refusal(site: &Site, config: Arc<ServerConfig>, change: impl FnOnce(&mut Tls<'_>)) -> Error {
    let listener = listener();
    let mut link = site.link_with(NAME, &listener, change);
    let server = serve(&listener, config, |mut peer| {
        let _ = peer.conn.complete_io(&mut peer.sock);
        while peer.conn.wants_write() {
            peer.conn.write_tls(&mut peer.sock).unwrap();
        }
        // Closed with input unread, the connection would be reset, and its alert lost.
        let _ = io::copy(&mut peer.sock, &mut io::sink());
    });
    let error = failure(&mut link);
    link.close();
    server.join().unwrap();
    error
}

#[test]
fn a_broker_that_asks_for_no_certificate_is_shown_none() {
    let site = Site::new();
    let shown = site.authority.issue(&[NAME], LONG_AGO, FAR_OFF);
    for version in VERSIONS {
        let listener = listener();
        let config = server_for_anybody(&[version], &shown);
        let mut link = site.link_with(NAME, &listener, |tls| tls.client = None);
        for resumed in 0..2 {
            let server = serve(&listener, config.clone(), echo);
            link.until_connected().unwrap();
            assert_eq!(exchange(&mut link, b"hello"), b"hello");
            link.close();
            server.join().unwrap().unwrap();
            let expected = Handshakes { full: 1, resumed };
            assert_eq!(link.stack.handshakes, expected, "{version:?}");
        }
    }
}

#[test]
fn a_broker_that_asks_for_one_is_named_as_such() {
    let site = Site::new();
    for version in VERSIONS {
        let error = refusal(&site, site.server(&[version]), |tls| tls.client = None);
        let words = "wants a client certificate, and tls_client_auth=0 shows none (alert ";
        assert!(error.to_string().contains(words), "{version:?}: {error}");
        assert!(error.is_permanent(), "{error}");
    }
}

/// A broker that speaks these protocols.
fn speaking(site: &Site, version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
    let mut config = ServerConfig::clone(&site.server(&[version]));
    config.alpn_protocols = ["mqtt", "x-amzn-mqtt-ca"].map(Vec::from).into();
    Arc::new(config)
}

#[test]
fn a_protocol_name_is_offered_in_each_handshake_the_resumed_ones_too() {
    let site = Site::new();
    for version in VERSIONS {
        for (offered, expected) in [
            (Some("x-amzn-mqtt-ca"), Some(&b"x-amzn-mqtt-ca"[..])),
            (Some("mqtt"), Some(b"mqtt")),
            (None, None),
        ] {
            let listener = listener();
            let config = speaking(&site, version);
            let mut link = site.link_with(NAME, &listener, |tls| tls.alpn = offered);
            for resumed in 0..3 {
                let server = serve(&listener, config.clone(), |mut peer| {
                    peer.conn.complete_io(&mut peer.sock).unwrap();
                    let agreed = peer.conn.alpn_protocol().map(<[u8]>::to_vec);
                    echo(peer).map(|()| agreed)
                });
                link.until_connected().unwrap();
                assert_eq!(exchange(&mut link, b"hello"), b"hello");
                link.close();
                let agreed = server.join().unwrap().unwrap();
                assert_eq!(agreed.as_deref(), expected, "{version:?} {offered:?}");
                let expected = Handshakes { full: 1, resumed };
                assert_eq!(link.stack.handshakes, expected, "{version:?} {offered:?}");
            }
        }
    }
}

#[test]
fn a_broker_that_does_not_know_the_protocol_name_says_so() {
    let site = Site::new();
    for version in VERSIONS {
        let error = refusal(&site, speaking(&site, version), |tls| {
            tls.alpn = Some("http/1.1")
        });
        let words = "the broker does not know the protocol name in tls_alpn (alert no_application_protocol)";
        assert_eq!(error.to_string(), words, "{version:?}");
        assert!(error.is_permanent(), "{error}");
    }
}

#[test]
fn a_broker_that_knows_no_protocol_names_is_talked_to_all_the_same() {
    let site = Site::new();
    for version in VERSIONS {
        let listener = listener();
        let mut link = site.link_with(NAME, &listener, |tls| tls.alpn = Some("mqtt"));
        let server = serve(&listener, site.server(&[version]), echo);
        link.until_connected().unwrap();
        assert_eq!(exchange(&mut link, b"hello"), b"hello");
        link.close();
        server.join().unwrap().unwrap();
    }
}

/// As AWS IoT Core's port 443 does in effect: rustls's servers take a greeting without a name.
#[test]
fn a_broker_that_wants_a_protocol_name_is_named_as_such() {
    let site = Site::new();
    let listener = listener();
    let mut link = site.link(NAME, true, &listener);
    let other_end = listener.try_clone().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = other_end.accept().unwrap();
        let mut greeting = Acceptor::default();
        let accepted = loop {
            greeting.read_tls(&mut stream).unwrap();
            if let Some(accepted) = greeting.accept().unwrap() {
                break accepted;
            }
        };
        assert!(accepted.client_hello().alpn().is_none());
        stream.write_all(b"\x15\x03\x03\x00\x02\x02\x78").unwrap();
    });
    let error = failure(&mut link);
    let words = "the broker wants a protocol name: set tls_alpn (alert no_application_protocol)";
    assert_eq!(error.to_string(), words);
    assert!(error.is_permanent(), "{error}");
    server.join().unwrap();
}

//! Brokers that are not the right ones, or take us for a wrong one: what an integrator reads at debug level 0, once.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::pki::{Authority, Issued, request, s_server};
use mqtt_client_tests::port::Reserved;
use mqtt_client_tests::servers::Mosquitto;
use mqtt_client_tests::{Config, Daemon, install};

use crate::Secure;

/// Runs a bridge to this port at debug level 0 until it has said `words`, and makes sure that it said nothing else.
fn complains(config: Config, port: u16, words: &str) {
    let daemon = Daemon::start_with(&config.at(port).with_ports(1, 0), &["-d0"]);
    daemon.stderr().wait_for(&["E cloud: ", words]);
    let lines = daemon.stderr().with(&["cloud"]);
    assert_eq!(lines.len(), 1, "{lines:?}");
}

/// An authority with the gateway's certificate.
fn authority() -> (Authority, Issued) {
    let authority = Authority::new("Plant CA");
    let gateway = authority.issue(request("gateway"));
    (authority, gateway)
}

#[test]
fn a_broker_whose_certificate_is_not_right_is_refused_and_the_reason_said() {
    let (authority, gateway) = authority();
    let (stranger, namesake) = (Authority::new("Stranger"), Authority::new("Plant CA"));
    let host = || request("broker").hosts(&["127.0.0.1"]);
    let cases = [
        (
            stranger.issue(host()),
            "wrong CA: the broker's certificate was not issued by one in ca_certificate",
        ),
        (
            namesake.issue(host()),
            "wrong CA: ca_certificate has the issuer",
        ),
        (
            authority.issue(request("other").hosts(&["other.example", "192.0.2.7"])),
            "the broker's certificate is for \"other.example\", \"192.0.2.7\", not for \"127.0.0.1\"",
        ),
        (
            authority.issue(request("nameless")),
            "the broker's certificate has no subjectAltName",
        ),
        (
            authority.issue(host().years(2019, 2020)),
            "the broker's certificate expired on 2020-01-01; the clock here says 20",
        ),
        (
            authority.issue(request("early").hosts(&["127.0.0.1"]).years(2090, 2099)),
            "the broker's certificate is valid from 2090-01-01 on; the clock here says 20",
        ),
        (
            Issued {
                certificate: authority.file(),
                key: authority.key(),
            },
            "the broker's own certificate is a CA certificate",
        ),
    ];
    for (shown, words) in cases {
        let (_server, port) = s_server(&shown, &[]);
        complains(authority.secure(cloud(), &gateway), port.number(), words);
    }
}

#[test]
fn a_broker_of_another_name_is_talked_to_only_if_the_name_does_not_count() {
    let (authority, gateway) = authority();
    let unverified = |own: &Issued| {
        authority
            .secure(cloud(), own)
            .device_key("tls_verify_hostname", 0)
    };
    let shown = authority.issue(request("other").hosts(&["other.example"]));
    let (_server, port) = s_server(&shown, &[]);
    let daemon = Daemon::start(&unverified(&gateway).at(port.number()).with_ports(1, 0));
    daemon
        .stderr()
        .wait_for(&["W ", "devices[0].tls_verify_hostname", "not checked"]);
    daemon
        .stderr()
        .wait_for(&["cloud: TLS 1.3, full handshake"]);
    // The chain does count.
    let stranger = Authority::new("Stranger");
    let shown = stranger.issue(request("other"));
    let (_server, port) = s_server(&shown, &[]);
    complains(unverified(&gateway), port.number(), "wrong CA");
}

#[test]
fn a_client_certificate_that_the_broker_refuses_is_named_with_the_alert() {
    let other = Authority::new("Stranger");
    let stranger = other.issue(request("gateway"));
    let secure = Secure::new();
    let port = secure.port.number();
    let words = "the broker refused the client certificate (alert unknown_ca)";
    complains(secure.authority.secure(cloud(), &stranger), port, words);
    let expired = secure.authority.issue(request("old").years(2019, 2020));
    let words = "the broker refused the client certificate (alert certificate_expired)";
    complains(secure.authority.secure(cloud(), &expired), port, words);
}

#[test]
fn a_broker_of_an_old_version_or_other_ciphers_is_refused() {
    let (authority, gateway) = authority();
    let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
    let cases = [
        (
            &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..],
            "the broker speaks neither TLS 1.2 nor TLS 1.3",
        ),
        (
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA"],
            "no common cipher",
        ),
    ];
    for (arguments, words) in cases {
        let (_server, port) = s_server(&shown, arguments);
        complains(authority.secure(cloud(), &gateway), port.number(), words);
    }
}

#[test]
fn a_short_key_is_named_and_not_taken_for_a_wrong_ca() {
    let (authority, gateway) = authority();
    let config = authority.secure(cloud(), &gateway);
    let shown = authority.issue_by_openssl_for("127.0.0.1", "short", &["rsa:1024"]);
    for version in ["-tls1_2", "-tls1_3"] {
        let (_server, port) = s_server(&shown, &[version, "-cipher", "DEFAULT@SECLEVEL=0"]);
        let words = "the broker's certificate has an RSA key of less than 2048 bits";
        complains(config.clone(), port.number(), words);
    }
}

#[test]
fn an_address_written_as_a_name_is_named_as_such() {
    let (authority, gateway) = authority();
    let shown = authority.issue(request("broker").names(&["127.0.0.1"]));
    let (_server, port) = s_server(&shown, &[]);
    let words =
        "\"127.0.0.1\" written as a DNS name, which no address matches, not for \"127.0.0.1\"";
    complains(authority.secure(cloud(), &gateway), port.number(), words);
}

/// A child that is ended with the test, however that ends.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_renegotiation_that_is_refused_is_named() {
    let (authority, gateway) = authority();
    let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
    let port = Reserved::new();
    let server = std::process::Command::new(install::path(install::OPENSSL))
        .args(["s_server", "-tls1_2", "-legacy_renegotiation"])
        .args(["-accept", &format!("127.0.0.1:{}", port.number())])
        .arg("-cert")
        .arg(&shown.certificate)
        .arg("-key")
        .arg(&shown.key)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("run openssl");
    let mut server = Ended(server);
    let daemon = Daemon::start(
        &authority
            .secure(cloud(), &gateway)
            .at(port.number())
            .with_ports(1, 0),
    );
    daemon
        .stderr()
        .wait_for(&["cloud: TLS 1.2, full handshake"]);
    let mut commands = server.0.stdin.take().expect("its standard input");
    // A command of s_server: renegotiate.
    let _ = commands.write_all(b"r\n");
    daemon
        .stderr()
        .wait_for(&["cloud", "does it ask for a renegotiation?"]);
    drop(commands);
}

#[test]
fn a_port_without_tls_is_recognized_by_what_it_answers_or_by_its_silence() {
    let (authority, gateway) = authority();
    let plain = Mosquitto::start();
    let config = authority.secure(cloud(), &gateway);
    complains(
        config.clone(),
        plain.port(),
        "does it speak TLS on this port?",
    );

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        // Until the test ends: the whole greeting is read, so that closing is no reset.
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    complains(config, port, "the broker does not speak TLS on this port");
}

#[test]
fn a_plain_connection_to_a_port_with_tls_is_recognized() {
    // OpenSSL, which Mosquitto uses, says nothing to what is no TLS.
    let secure = Secure::new();
    let port = secure.port.number();
    let hint = format!("if it expects TLS on port {port}, set auth=tls");
    complains(cloud(), port, &hint);

    // Others send an alert.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"\x15\x03\x01\x00\x02\x02\x46");
        }
    });
    complains(
        cloud(),
        port,
        "the broker speaks TLS on this port: set auth=tls",
    );
}

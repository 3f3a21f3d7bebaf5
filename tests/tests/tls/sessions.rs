//! Versions, ciphers, names, keys, and sessions that are resumed.

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::pki::{Authority, openssl, request, s_server, s_server_under};
use mqtt_client_tests::preload::Preload;
use mqtt_client_tests::servers::Redis;
use mqtt_client_tests::{Config, Daemon, Proxy, Site};
use std::path::Path;

use crate::Secure;

#[test]
fn both_versions_are_spoken_with_the_ciphers_that_the_broker_allows() {
    let authority = Authority::new("Plant CA");
    let gateway = authority.issue(request("gateway"));
    let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
    let ca = authority.file().display().to_string();
    let cases = [
        (
            "-tls1_3",
            "-ciphersuites",
            "TLS_AES_128_GCM_SHA256",
            "TLS 1.3",
            "TLS13_AES_128_GCM_SHA256",
        ),
        (
            "-tls1_3",
            "-ciphersuites",
            "TLS_CHACHA20_POLY1305_SHA256",
            "TLS 1.3",
            "TLS13_CHACHA20_POLY1305_SHA256",
        ),
        (
            "-tls1_2",
            "-cipher",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            "TLS 1.2",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ),
        (
            "-tls1_2",
            "-cipher",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "TLS 1.2",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        ),
    ];
    for (version, option, offered, name, cipher) in cases {
        let arguments = [
            version,
            option,
            offered,
            "-Verify",
            "1",
            "-verify_return_error",
            "-CAfile",
            &ca,
        ];
        let (_server, port) = s_server(&shown, &arguments);
        let config = authority.secure(cloud(), &gateway).at(port.number());
        let daemon = Daemon::start(&config.with_ports(1, 0));
        daemon
            .stderr()
            .wait_for(&["cloud: ", name, "full handshake", cipher]);
    }
}

/// With `-rev` a server sends back what it gets, line by line, and this client identifier ends a line: so each connection brings data, if
/// none that MQTT allows, and begins again.
fn answered() -> Config {
    cloud().with("client_id", "two\nlines")
}

#[test]
fn a_reconnect_resumes_the_session() {
    let authority = Authority::new("Plant CA");
    let gateway = authority.issue(request("gateway"));
    let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
    for (version, name) in [("-tls1_2", "TLS 1.2"), ("-tls1_3", "TLS 1.3")] {
        let (_server, port) = s_server(&shown, &[version, "-rev"]);
        let config = authority.secure(answered(), &gateway).at(port.number());
        let daemon = Daemon::start(&config.with_ports(1, 0));
        for resumed in 0..3 {
            let kind = if resumed == 0 {
                "full handshake"
            } else {
                "resumed"
            };
            let count = format!("so far 1 full and {resumed} resumed");
            daemon.stderr().wait_for(&[name, kind, &count]);
        }
    }
}

#[test]
fn a_broker_that_breaks_off_where_a_session_is_offered_is_reached_by_a_full_handshake() {
    // OpenSSL refuses a session of a server that asks for certificates and has not set a session id context. `s_server` has set one.
    let without_context = Preload::new("int SSL_CTX_set_session_id_context() { return 1; }");
    let authority = Authority::new("Plant CA");
    let gateway = authority.issue(request("gateway"));
    let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
    let ca = authority.file().display().to_string();
    for (version, name) in [("-tls1_2", "TLS 1.2"), ("-tls1_3", "TLS 1.3")] {
        let verify = ["-Verify", "1", "-verify_return_error", "-CAfile", &ca];
        let arguments = [&[version, "-rev"][..], &verify].concat();
        let (_server, port) = s_server_under(&without_context.words(), &shown, &arguments);
        let config = authority.secure(answered(), &gateway).at(port.number());
        let daemon = Daemon::start(&config.with_ports(1, 0));
        for full in 1..3 {
            let count = format!("so far {full} full and 0 resumed");
            daemon.stderr().wait_for(&[name, "full handshake", &count]);
            let words = "(alert internal_error) where an earlier session was offered";
            daemon.stderr().wait_for(&["cloud: ", words]);
        }
    }
}

#[test]
fn a_broker_is_reached_again_after_each_cut_without_a_full_handshake() {
    let secure = Secure::new();
    let proxy = Proxy::to(secure.port.number());
    let config = secure.config(cloud().with("mqtt_qos", 2).signal("p"));
    let site = Site::between(Redis::start(), secure.broker, config.at(proxy.port()));
    for n in 1..4 {
        site.publish("p", format!("{n},1000,"));
        site.expect("tag/cloud/p/in", &format!("{n},1000,1"));
        proxy.cut();
        site.broker.wait_for_bridges(n + 1);
        let count = format!("so far 1 full and {n} resumed");
        site.daemon
            .stderr()
            .wait_for(&["cloud: TLS 1.3, resumed", &count]);
    }
}

#[test]
fn the_broker_is_told_which_name_is_meant_and_its_certificate_must_have_it() {
    let authority = Authority::new("Plant CA");
    let gateway = authority.issue(request("gateway"));
    let shown = authority.issue(request("broker").hosts(&["localhost"]));
    let own = [&shown.certificate, &shown.key].map(|path| path.display().to_string());
    for (name, line) in [
        ("localhost", "full handshake"),
        (
            "other.example",
            "the broker does not serve this name (alert unrecognized_name)",
        ),
    ] {
        let arguments = [
            "-servername",
            name,
            "-servername_fatal",
            "-cert2",
            &own[0],
            "-key2",
            &own[1],
        ];
        let (_server, port) = s_server(&shown, &arguments);
        let config = authority.secure(cloud().with("ip", "localhost"), &gateway);
        let daemon = Daemon::start(&config.at(port.number()).with_ports(1, 0));
        daemon.stderr().wait_for(&["cloud: ", line]);
    }
}

#[test]
fn keys_of_all_usual_kinds_and_forms_are_taken() {
    let secure = Secure::new();
    let ec = ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
    for (name, algorithm, old_form) in [("rsa", &["rsa:2048"][..], "rsa"), ("ec", &ec[..], "ec")] {
        let pkcs8 = secure.authority.issue_by_openssl(name, algorithm);
        // PKCS#1 and SEC1.
        let mut old = pkcs8.clone();
        old.key = pkcs8.key.with_extension("old");
        let words = [old_form, "-in"].map(Path::new);
        let traditional = ["-out"].map(Path::new);
        let mut arguments = vec![words[0]];
        if old_form == "rsa" {
            arguments.push(Path::new("-traditional"));
        }
        arguments.extend([words[1], &pkcs8.key, traditional[0], &old.key]);
        openssl(arguments);
        for own in [pkcs8, old] {
            let text = std::fs::read_to_string(&own.key).expect("a key");
            println!("{}", text.lines().next().expect("a first line"));
            let bridges = secure.broker.bridges().len();
            let config = secure
                .authority
                .secure(cloud(), &own)
                .at(secure.port.number());
            let _daemon = Daemon::start(&config.with_ports(1, 0));
            let bridges = secure.broker.wait_for_bridges(bridges + 1);
            assert!(
                bridges
                    .last()
                    .is_some_and(|bridge| bridge.contains(&format!("u'{name}'")))
            );
        }
    }
}

#[test]
fn a_clean_stop_says_close_notify() {
    let authority = Authority::new("Plant CA");
    let gateway = authority.issue(request("gateway"));
    let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
    let (server, port) = s_server(&shown, &[]);
    let config = authority.secure(cloud(), &gateway).at(port.number());
    let mut daemon = Daemon::start(&config.with_ports(1, 0));
    daemon.stderr().wait_for(&["TLS 1.3, full handshake"]);
    assert_eq!(daemon.stop().code, 0);
    server.stdout().wait_for(&["<<<", "Alert", "close_notify"]);
}

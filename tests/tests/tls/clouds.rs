//! Brokers as clouds have them: a certificate of a public authority, no client certificate, a protocol name.

use std::fs;
use std::path::{Path, PathBuf};

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::daemon::{Finished, run_under};
use mqtt_client_tests::pki::{Authority, request, s_server};
use mqtt_client_tests::process::Signal;
use mqtt_client_tests::servers::{Redis, password_file};
use mqtt_client_tests::{Config, Daemon, Site};
use tempfile::TempDir;

use crate::Secure;

/// The device's settings for a broker of a public authority.
fn public(config: Config) -> Config {
    config
        .device_key("auth", "tls")
        .device_key("ca_certificate", "system")
        .device_key("tls_client_auth", 0)
}

/// What is put in front of the daemon's command line, so that it takes this for the system's authorities.
fn system(variable: &str, path: &Path) -> Vec<String> {
    let place = format!("{variable}={}", path.display());
    ["env", "-u", "SSL_CERT_FILE", "-u", "SSL_CERT_DIR", &place]
        .map(String::from)
        .into()
}

/// A bundle of authorities, one of which is broken, around that of `authority`.
fn bundle(folder: &TempDir, authority: &Authority) -> PathBuf {
    let path = folder.path().join("bundle.crt");
    let (before, after) = (Authority::new("A Root"), Authority::new("Z Root"));
    let broken = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let text = [&before.pem(), broken, &authority.pem(), &after.pem()].concat();
    fs::write(&path, text).expect("write to a temporary folder");
    path
}

#[test]
fn a_user_name_and_password_go_to_a_broker_that_asks_for_no_certificate() {
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new("Plant CA");
    let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
    let users = password_file(folder.path(), "plant-7", "opensesame");
    let (broker, port) = authority.broker_for_anybody(&shown, &[&users]);
    let config = authority.trust(cloud().with("mqtt_qos", 1).signal("p"));
    let config = config
        .device_key("username", "plant-7")
        .device_key("password", "opensesame")
        .at(port.number());
    let site = Site::between(Redis::start(), broker, config);
    site.publish("p", "12.5,1708000203824,IV");
    site.expect("tag/cloud/p/in", "12.5,1708000203824,0");
    let bridges = site.broker.bridges();
    assert!(bridges[0].contains("u'plant-7'"), "{bridges:?}");
}

#[test]
fn the_systems_authorities_are_read_once_for_all_devices_and_what_is_broken_is_left_out() {
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new("Public Root");
    let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
    let (broker, port) = authority.broker_for_anybody(&shown, &[]);
    let config = public(cloud().with("mqtt_qos", 1).signal("p")).at(port.number());
    let config = public(config.device("second").signal("p")).at(port.number());
    let words = system("SSL_CERT_FILE", &bundle(&folder, &authority));
    let site = Site::assemble(Redis::start(), broker, config, |config| {
        Daemon::start_under(&words, config)
    });
    site.broker.wait_for_bridges(2);
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    let warnings = site.daemon.stderr().with(&["bundle.crt"]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let words = "devices[0].ca_certificate: ";
    assert!(warnings[0].contains(words), "{warnings:?}");
    assert!(
        warnings[0].contains("bundle.crt: certificate 2 cannot be used and is left out"),
        "{warnings:?}"
    );
}

#[test]
fn the_systems_authorities_are_read_again_at_a_reload() {
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new("Public Root");
    let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
    let (broker, port) = authority.broker_for_anybody(&shown, &[]);
    let bundle = bundle(&folder, &authority);
    let config = public(cloud().with("mqtt_qos", 1).signal("p")).at(port.number());
    let words = system("SSL_CERT_FILE", &bundle);
    let mut site = Site::assemble(Redis::start(), broker, config, |config| {
        Daemon::start_under(&words, config)
    });
    let mark = site.daemon.stderr().mark();
    site.daemon.signal(Signal::HUP);
    site.daemon.stderr().wait_for_after(mark, &["read again"]);
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    assert_eq!(site.broker.bridges().len(), 1, "the connection was kept");

    // An upgrade of the package has taken the authority away.
    fs::write(&bundle, Authority::new("Another Root").pem()).expect("write the bundle");
    site.daemon.signal(Signal::HUP);
    let words = [
        "E cloud: ",
        "wrong CA: the broker's certificate was not issued",
    ];
    site.daemon.stderr().wait_for(&words);

    // And none is left at all.
    fs::write(&bundle, "").expect("write the bundle");
    site.daemon.signal(Signal::HUP);
    site.daemon
        .stderr()
        .wait_for(&["the old configuration stays in force"]);
}

#[test]
fn a_broker_of_a_public_authority_must_have_the_name() {
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new("Public Root");
    let shown = authority.issue(request("other").hosts(&["other.example"]));
    let (_server, port) = s_server(&shown, &[]);
    let words = system("SSL_CERT_FILE", &bundle(&folder, &authority));
    let config = public(cloud()).at(port.number()).with_ports(1, 0);
    let daemon = Daemon::start_under(&words, &config);
    let refused = "is for \"other.example\", not for \"127.0.0.1\"";
    daemon.stderr().wait_for(&["E cloud: ", refused]);
}

#[test]
fn what_keeps_the_systems_authorities_from_being_used_is_an_error_of_the_configuration() {
    let folder = TempDir::new().expect("a temporary folder");
    let (none, empty) = (folder.path().join("none"), folder.path().join("empty"));
    fs::write(&empty, "").expect("write to a temporary folder");
    let two = public(public(cloud().at(1)).device("second").at(1)).with_ports(1, 1);
    let check = |words: &[String], config: &Config| -> Finished {
        let finished = run_under(words, config, &["--check"]);
        assert_eq!(finished.code, 78, "{:?}", finished.stderr);
        finished
    };
    for (words, reason) in [
        (system("SSL_CERT_FILE", &none), "none: No such file"),
        (
            system("SSL_CERT_FILE", &empty),
            "empty holds no certificate",
        ),
        (
            system("SSL_CERT_FILE", Path::new("/dev/zero")),
            "not a regular file",
        ),
        (
            system("SSL_CERT_DIR", folder.path()),
            "holds no certificate",
        ),
    ] {
        let finished = check(&words, &two);
        for device in ["devices[0].ca_certificate: ", "devices[1].ca_certificate: "] {
            let packages = "ca-bundle (OpenWrt) or ca-certificates (Debian)";
            let errors = finished.errors_with(&[device, reason, packages]);
            assert_eq!(errors.len(), 1, "{reason}: {:?}", finished.stderr);
        }
        assert_eq!(finished.stderr.len(), 2, "{:?}", finished.stderr);
    }
    let authority = Authority::new("Public Root");
    let words = system("SSL_CERT_FILE", &authority.file());
    assert_eq!(run_under(&words, &two, &["--check"]).code, 0);
    let unverified = two.device_key("tls_verify_hostname", 0);
    let finished = check(&words, &unverified);
    let rule = "devices[1].tls_verify_hostname: must be 1 with ca_certificate=system";
    assert_eq!(
        finished.errors_with(&[rule]).len(),
        1,
        "{:?}",
        finished.stderr
    );
}

#[test]
fn a_broker_that_demands_a_client_certificate_is_named_as_such() {
    let secure = Secure::new();
    let config = secure.authority.trust(cloud()).at(secure.port.number());
    let daemon = Daemon::start_with(&config.with_ports(1, 0), &["-d0"]);
    let words = "the broker wants a client certificate, and tls_client_auth=0 shows none (alert certificate_required)";
    daemon.stderr().wait_for(&["E cloud: ", words]);
    let lines = daemon.stderr().with(&["cloud"]);
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn a_protocol_name_is_agreed_on_or_the_refusal_named() {
    let authority = Authority::new("Plant CA");
    let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
    let (_server, port) = s_server(&shown, &["-alpn", "x-amzn-mqtt-ca"]);
    for (name, words) in [
        ("x-amzn-mqtt-ca", "cloud: TLS 1.3, full handshake"),
        (
            "mqtt",
            "the broker does not know the protocol name in tls_alpn (alert no_application_protocol)",
        ),
    ] {
        let config = authority
            .trust(cloud().with("tls_alpn", name))
            .at(port.number());
        let daemon = Daemon::start(&config.with_ports(1, 0));
        daemon.stderr().wait_for(&[words]);
    }
}

//! The three files: what is wrong with them is said before any connection, by a start as by `--check`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use mqtt_client_tests::Config;
use mqtt_client_tests::config::cloud;
use mqtt_client_tests::daemon::run_with;
use mqtt_client_tests::pki::{Authority, Issued, openssl, request};

/// The authority that issued the gateway's certificate, and the right settings.
fn right() -> (Authority, Issued, Config) {
    let authority = Authority::new("Plant CA");
    let gateway = authority.issue(request("gateway"));
    let config = authority.secure(cloud(), &gateway).at(1).with_ports(1, 1);
    (authority, gateway, config)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn each_fault_of_a_file_is_an_error_of_the_configuration() {
    let (authority, gateway, right) = right();
    let other = authority.issue(request("other"));
    let encrypted = gateway.key.with_extension("encrypted");
    let words = ["pkcs8", "-topk8", "-passout", "pass:secret", "-in"].map(Path::new);
    openssl(
        words
            .into_iter()
            .chain([&*gateway.key, Path::new("-out"), &*encrypted]),
    );
    let binary = gateway.certificate.with_extension("der");
    let words = ["x509", "-outform", "DER", "-in"].map(Path::new);
    openssl(
        words
            .into_iter()
            .chain([&*gateway.certificate, Path::new("-out"), &*binary]),
    );
    let text = authority.write("text.pem", "nothing of the kind");
    let missing = PathBuf::from("/nonexistent/file.pem");
    // What would keep whoever opens or reads it waiting, or never ends.
    let fifo = gateway.key.with_extension("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("run mkfifo").success());
    let endless = PathBuf::from("/dev/zero");
    let cases = [
        ("ca_certificate", &missing, "cannot be read: No such file"),
        (
            "client_certificate",
            &missing,
            "cannot be read: No such file",
        ),
        ("client_key", &missing, "cannot be read: No such file"),
        ("ca_certificate", &text, "it holds no certificate"),
        (
            "client_certificate",
            &gateway.key,
            "it holds a key and no certificate",
        ),
        ("client_certificate", &binary, "openssl x509 -inform DER"),
        ("client_key", &text, "it holds no key"),
        (
            "client_key",
            &gateway.certificate,
            "it holds a certificate and no key",
        ),
        (
            "client_key",
            &other.key,
            "does not match the certificate in",
        ),
        ("client_key", &encrypted, "openssl pkey -out NEW.pem -in"),
        ("client_key", &fifo, "not a regular file"),
        ("client_certificate", &fifo, "not a regular file"),
        ("ca_certificate", &endless, "not a regular file"),
    ];
    for (key, path, words) in cases {
        let config = right.clone().device_key(key, shown(path));
        for arguments in [&["-d0"][..], &["--check"]] {
            let finished = run_with(&config, arguments);
            assert_eq!(finished.code, 78, "{key} {words}");
            let place = format!(".json: devices[0].{key}: {}: ", path.display());
            assert_eq!(
                finished.errors_with(&[&place, words]).len(),
                1,
                "{:?}",
                finished.stderr
            );
            assert_eq!(finished.stderr.len(), 1, "{:?}", finished.stderr);
        }
    }
}

#[test]
fn all_faults_are_reported_at_once_with_the_rows_of_the_file_and_nothing_is_connected_to() {
    let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    broker.set_nonblocking(true).expect("a socket");
    let port = broker.local_addr().expect("an address").port();
    let (authority, gateway, _) = right();
    let text = shown(&authority.write("text.pem", "nothing of the kind"));
    let config = Config::new()
        .device("meter")
        .with("protocol", "Modbus")
        .device("first");
    let config = authority
        .secure(config, &gateway)
        .at(port)
        .device_key("client_key", text.clone());
    let config = config.device("plain").at(port).device("second");
    let config = authority
        .secure(config, &gateway)
        .at(port)
        .device_key("ca_certificate", text.clone())
        .device_key("client_certificate", text);
    let finished = run_with(&config.with_ports(port, port), &["-d0"]);
    assert_eq!(finished.code, 78);
    for place in [
        "devices[1].client_key",
        "devices[3].ca_certificate",
        "devices[3].client_certificate",
    ] {
        assert_eq!(
            finished.errors_with(&[place]).len(),
            1,
            "{place}: {:?}",
            finished.stderr
        );
    }
    assert_eq!(finished.stderr.len(), 3, "{:?}", finished.stderr);
    assert!(broker.accept().is_err(), "there was a connection");
}

#[test]
fn faults_of_files_are_reported_together_with_those_of_the_table() {
    let (_authority, _, right) = right();
    let config = right
        .device_key("ca_certificate", "/nonexistent/ca.pem")
        .device_key("client_key", "")
        .device_key("ip", "not a name")
        .device_key("mqtt_qos", 3);
    for arguments in [&["-d0"][..], &["--check"]] {
        let finished = run_with(&config, arguments);
        assert_eq!(finished.code, 78);
        for words in [
            ["devices[0].ca_certificate", "cannot be read: No such file"],
            ["devices[0].client_key", "missing"],
            ["devices[0].ip", "not a name"],
            ["devices[0].mqtt_qos", "3 is not in 0..2"],
        ] {
            let errors = finished.errors_with(&words);
            assert_eq!(errors.len(), 1, "{words:?}: {:?}", finished.stderr);
        }
        assert_eq!(finished.stderr.len(), 4, "{:?}", finished.stderr);
    }
}

#[test]
fn a_check_warns_of_certificates_that_have_expired_or_soon_will() {
    let (authority, _, _) = right();
    let expired = authority.issue(request("old").years(2019, 2020));
    let config = authority.secure(cloud(), &expired).with_ports(1, 1);
    let finished = run_with(&config, &["--check"]);
    assert_eq!(
        finished.code, 0,
        "a warning is no error: {:?}",
        finished.stderr
    );
    let words = [
        "devices[0].client_certificate",
        "\"old\" expired on 2020-01-01",
    ];
    assert_eq!(
        finished.errors_with(&words).len(),
        1,
        "{:?}",
        finished.stderr
    );

    let soon = authority.issue_by_openssl("soon", &["rsa:2048"]);
    let finished = run_with(
        &authority.secure(cloud(), &soon).with_ports(1, 1),
        &["--check"],
    );
    assert_eq!(finished.code, 0);
    assert_eq!(finished.stderr, [""; 0], "300 days are enough");
}

#[test]
fn a_device_that_is_not_enabled_needs_no_files_yet() {
    let (authority, gateway, _) = right();
    let config = cloud().at(1).device("later").with("enable", 0);
    let config = authority
        .secure(config, &gateway)
        .device_key("client_key", "/nonexistent");
    let finished = run_with(&config.with_ports(1, 1), &["--check"]);
    assert_eq!(finished.code, 0, "{:?}", finished.stderr);
}

//! The files of a device, right and wrong.

use crate::tls::testing::{Authority, FAR_OFF, Files, LONG_AGO};

#[test]
fn certificates_are_taken_in_any_order_and_the_root_is_not_sent() {
    let root = Authority::new("Root");
    let intermediate = root.intermediate("Intermediate");
    let own = intermediate.issue(&["gateway"], LONG_AGO, FAR_OFF);
    let stranger = Authority::new("Other").issue(&["other"], LONG_AGO, FAR_OFF);
    let middle = intermediate.pem();
    let orders = [
        format!("{}{middle}", own.pem),
        format!("{middle}{}", own.pem),
        format!("{}{}{middle}{}", root.pem(), stranger.pem, own.pem),
    ];
    for order in orders {
        let files = Files::new(&root.pem(), &order, &own.key_pem);
        let (identity, reports) = files.load("broker.example", true);
        assert_eq!(reports, [""; 0]);
        let chain = identity.unwrap().chain;
        let chain = chain.iter().map(|certificate| certificate.to_vec());
        let expected = [own.certificate.clone(), intermediate.certificate.clone()];
        assert_eq!(chain.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn one_file_may_hold_everything() {
    let root = Authority::new("Root");
    let own = root.issue(&["gateway"], LONG_AGO, FAR_OFF);
    let all = format!("notes\n{}{}{}", own.key_pem, root.pem(), own.pem);
    let files = Files::new(&all, &all, &all);
    let (identity, reports) = files.load("192.0.2.1", true);
    assert_eq!(reports, [""; 0]);
    assert_eq!(identity.unwrap().chain.len(), 1);
}

#[test]
fn each_file_has_its_errors_and_all_are_reported_at_once() {
    let root = Authority::new("Root");
    let own = root.issue(&["gateway"], LONG_AGO, FAR_OFF);
    let other = root.issue(&["gateway"], LONG_AGO, FAR_OFF);
    let (ca, certificate, key) = (root.pem(), own.pem.as_str(), own.key_pem.as_str());
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let cut = &certificate[..certificate.len() / 2];
    let odd = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    let malformed = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let binary = "0\u{0}";
    let cases: [(&str, &str, &str, &[&str]); 9] = [
        (
            "",
            "hello",
            "",
            &[
                "error ca_certificate: ca.pem: it holds no certificate (-----BEGIN CERTIFICATE-----)",
                "error client_certificate: client.pem: it holds no certificate (-----BEGIN CERTIFICATE-----)",
                "error client_key: client.key: it holds no key (-----BEGIN PRIVATE KEY-----)",
            ],
        ),
        (
            key,
            key,
            certificate,
            &[
                "error ca_certificate: ca.pem: it holds a key and no certificate",
                "error client_certificate: client.pem: it holds a key and no certificate",
                "error client_key: client.key: it holds a certificate and no key",
            ],
        ),
        (
            &ca,
            certificate,
            &encrypted,
            &[
                "error client_key: client.key: its key is encrypted, which is not supported; convert it with: openssl pkey -out NEW.pem -in client.key",
            ],
        ),
        (
            &ca,
            certificate,
            &other.key_pem,
            &["error client_key: client.key: does not match the certificate in client.pem"],
        ),
        (
            cut,
            certificate,
            &key[..60],
            &[
                "error ca_certificate: ca.pem: its PEM text is cut off or altered",
                "error client_key: client.key: its PEM text is cut off or altered",
            ],
        ),
        (
            malformed,
            certificate,
            odd,
            &[
                "error ca_certificate: ca.pem: certificate 1 is malformed",
                "error client_key: client.key: its key is of no supported kind: RSA of 2048 to 4096 bits, ECDSA P-256 or P-384, Ed25519",
            ],
        ),
        (
            &ca,
            malformed,
            key,
            &["error client_key: client.key: does not match the certificate in client.pem"],
        ),
        (
            &ca,
            cut,
            key,
            &["error client_certificate: client.pem: its PEM text is cut off or altered"],
        ),
        (
            &ca,
            binary,
            binary,
            &[
                "error client_certificate: client.pem: it holds no certificate (-----BEGIN CERTIFICATE-----)",
                "error client_key: client.key: it holds no key (-----BEGIN PRIVATE KEY-----)",
            ],
        ),
    ];
    for (ca, certificate, key, expected) in cases {
        let files = Files::new(ca, certificate, key);
        let (identity, reports) = files.load("broker.example", true);
        assert_eq!(reports, expected);
        assert!(identity.is_none());
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let root = Authority::new("Root");
    let own = root.issue(&["gateway"], LONG_AGO, FAR_OFF);
    let mut files = Files::new(&root.pem(), &own.pem, &own.key_pem);
    files.certificate = "/nonexistent/client.pem".into();
    files.key = "/".into();
    let (identity, reports) = files.load("broker.example", true);
    assert!(identity.is_none());
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(reports[0].starts_with(
        "error client_certificate: /nonexistent/client.pem: cannot be read: No such file"
    ));
    assert!(reports[1].starts_with("error client_key: /: cannot be read: Is a directory"));
}

#[test]
fn a_certificate_that_ends_soon_or_has_ended_or_not_begun_is_warned_about() {
    let root = Authority::new("Root");
    let cases: [(_, _, &[&str]); 5] = [
        (LONG_AGO, (2026, 12, 23), &[]),
        (
            LONG_AGO,
            (2026, 12, 22),
            &[
                "warning client_certificate: client.pem: \"gateway\" expires on 2026-12-22, in 30 days",
            ],
        ),
        (
            LONG_AGO,
            (2026, 11, 22),
            &[
                "warning client_certificate: client.pem: \"gateway\" expires on 2026-11-22, in 0 days",
            ],
        ),
        (
            LONG_AGO,
            (2026, 11, 21),
            &["warning client_certificate: client.pem: \"gateway\" expired on 2026-11-21"],
        ),
        (
            (2026, 11, 23),
            FAR_OFF,
            &[
                "warning client_certificate: client.pem: \"gateway\" is valid from 2026-11-23 on, and the clock here says 2026-11-22",
            ],
        ),
    ];
    for (from, until, expected) in cases {
        let own = root.issue(&["gateway"], from, until);
        let files = Files::new(&root.pem(), &own.pem, &own.key_pem);
        let (identity, reports) = files.load("broker.example", true);
        assert_eq!(reports, expected);
        assert!(identity.is_some(), "a warning is no error");
    }
}

#[test]
fn only_a_host_that_a_certificate_can_name_is_taken() {
    let root = Authority::new("Root");
    let own = root.issue(&["gateway"], LONG_AGO, FAR_OFF);
    let files = Files::new(&root.pem(), &own.pem, &own.key_pem);
    for host in [
        "broker",
        "broker.example.com",
        "192.0.2.1",
        "2001:db8::1",
        "my_broker",
    ] {
        assert!(files.load(host, true).0.is_some(), "{host}");
    }
    let (identity, reports) = files.load("-broker-.example", true);
    assert!(identity.is_none());
    assert_eq!(
        reports,
        ["error ip: \"-broker-.example\" is not a name that a certificate can be for"]
    );
}

#[test]
fn renewed_files_make_another_identity_and_the_same_files_do_not() {
    let root = Authority::new("Root");
    let issue = || root.issue(&["gateway"], LONG_AGO, FAR_OFF);
    let (first, second) = (issue(), issue());
    let load = |ca: &Authority, own: &crate::tls::testing::Issued| {
        let files = Files::new(&ca.pem(), &own.pem, &own.key_pem);
        files.load("broker", true).0.unwrap()
    };
    assert_eq!(load(&root, &first), load(&root, &first));
    assert_ne!(load(&root, &first), load(&root, &second));
    assert_ne!(load(&root, &first), load(&Authority::new("Root"), &first));
}

#[test]
fn a_device_that_shows_no_certificate_needs_no_files_but_its_ca() {
    let root = Authority::new("Root");
    let mut files = Files::new(&root.pem(), "", "");
    files.certificate = "/nonexistent/client.pem".into();
    let (identity, reports) = files.load_with("broker", |tls| tls.client = None);
    assert_eq!(reports, [""; 0]);
    let identity = identity.unwrap();
    assert!(!identity.shows_certificate() && identity.setup.is_made());
    let again = files.load_with("broker", |tls| tls.client = None).0;
    assert_eq!(Some(&identity), again.as_ref());
    let own = root.issue(&["gateway"], LONG_AGO, FAR_OFF);
    let with = Files::new(&root.pem(), &own.pem, &own.key_pem)
        .load("broker", true)
        .0;
    assert_ne!(Some(&identity), with.as_ref());
}

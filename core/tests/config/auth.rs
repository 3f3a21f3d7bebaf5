//! What does each `auth` ask for, and what becomes of the settings that another one is for?

use mqtt_client_core::config::{Auth, Authorities, Credentials};
use mqtt_client_core::secret::Secrets;

use crate::rules::{Cells, device_cases};
use crate::{check_with, device, file, valid};

#[test]
fn auth_asks_for_its_settings_and_warns_of_others() {
    let tls: Cells<'_> = &[
        ("auth", "\"tls\""),
        ("ca_certificate", "\"/ca\""),
        ("client_certificate", "\"/cert\""),
        ("client_key", "\"/key\""),
    ];
    let with = |more: Cells<'static>| [tls, more].concat();
    device_cases(&[
        (
            &[("auth", "\"password\"")],
            &[
                "devices[0].username: is missing, auth=password or token requires it",
                "devices[0].password: is missing, auth=password requires it",
            ],
        ),
        (
            &[
                ("auth", "\"password\""),
                ("username", "\"u\""),
                ("password", "\"p\""),
                ("client_key", "\"/k\""),
            ],
            &[
                "warning: devices[0].auth: the certificates are ignored, and the password or token goes out in the clear; auth=tls encrypts it",
            ],
        ),
        (
            &[("auth", "\"token\"")],
            &["devices[0].username: is missing, auth=password or token requires it"],
        ),
        (
            &[("auth", "\"token\""), ("username", "\"t0ken\"")],
            &["warning: devices[0].username: goes out in the clear: auth=tls encrypts it"],
        ),
        (
            &[
                ("auth", "\"token\""),
                ("ip", "\"127.0.0.1\""),
                ("username", "\"t0ken\""),
                ("password", "\"\""),
            ],
            &[],
        ),
        (
            &[
                ("auth", "\"token\""),
                ("username", "\"t0ken\""),
                ("password", "\"p\""),
                ("ca_certificate", "\"system\""),
            ],
            &[
                "warning: devices[0].password: is ignored with auth=token",
                "warning: devices[0].auth: the certificates are ignored, and the password or token goes out in the clear; auth=tls encrypts it",
            ],
        ),
        // What nobody else carries.
        (
            &[
                ("auth", "\"password\""),
                ("ip", "\"127.0.0.1\""),
                ("username", "\"u\""),
                ("password", "\"p\""),
            ],
            &[],
        ),
        (
            &[
                ("enable", "0"),
                ("auth", "\"password\""),
                ("username", "\"u\""),
                ("password", "\"p\""),
            ],
            &[],
        ),
        (
            &[
                ("auth", "\"password\""),
                ("username", "\"u\""),
                ("password", "\"p\""),
            ],
            &["warning: devices[0].password: goes out in the clear: auth=tls encrypts it"],
        ),
        // Of length 0, which token platforms want.
        (
            &[
                ("auth", "\"password\""),
                ("username", "\"u\""),
                ("password", "\"\""),
            ],
            &["warning: devices[0].password: goes out in the clear: auth=tls encrypts it"],
        ),
        (
            &[
                ("auth", "\"password\""),
                ("username", "\"u\""),
                ("password", "null"),
            ],
            &["devices[0].password: is missing, auth=password requires it"],
        ),
        (
            &[("auth", "\"tls\"")],
            &[
                "devices[0].ca_certificate: is missing, auth=tls requires it",
                "devices[0].client_certificate: is missing, auth=tls (tls_client_auth=1) requires it",
                "devices[0].client_key: is missing, auth=tls (tls_client_auth=1) requires it",
            ],
        ),
        (tls, &[]),
        (&with(&[("username", "\"u\"")]), &[]),
        (&with(&[("username", "\"u\""), ("password", "\"p\"")]), &[]),
        (
            &with(&[("password", "\"p\"")]),
            &["devices[0].username: is missing, password requires it"],
        ),
        // An empty cell may look like this.
        (&with(&[("username", "\"\""), ("password", "\"\"")]), &[]),
        (&[("username", "\"\""), ("password", "\"\"")], &[]),
        (
            &with(&[("tls_verify_hostname", "0")]),
            &[
                "warning: devices[0].tls_verify_hostname: the broker's name is not checked: any server with a certificate \
             of this CA is trusted",
            ],
        ),
        (
            &with(&[("client_key", "\"-----BEGIN\\nMII\"")]),
            &["devices[0].client_key: holds a control character"],
        ),
        (
            &[
                ("username", "\"u\""),
                ("password", "\"p\""),
                ("ca_certificate", "\"/ca\""),
                ("tls_alpn", "\"mqtt\""),
                ("tls_client_auth", "0"),
            ],
            &[
                "warning: devices[0].username: is ignored with auth=none",
                "warning: devices[0].password: is ignored with auth=none",
                "warning: devices[0].ca_certificate: is ignored with auth=none",
                "warning: devices[0].tls_alpn: is ignored with auth=none",
                "warning: devices[0].tls_client_auth: is ignored with auth=none",
            ],
        ),
    ]);
}

#[test]
fn without_a_client_certificate_there_is_no_key_either() {
    let absent = "must be left out with tls_client_auth=0";
    let tls: Cells<'_> = &[("auth", "\"tls\""), ("tls_client_auth", "0")];
    let with = |more: Cells<'static>| [tls, more].concat();
    device_cases(&[
        (&with(&[("ca_certificate", "\"/ca\"")]), &[]),
        // An empty cell may look like this.
        (
            &with(&[
                ("ca_certificate", "\"system\""),
                ("client_certificate", "\"\""),
                ("client_key", "null"),
            ]),
            &[],
        ),
        (
            &with(&[]),
            &["devices[0].ca_certificate: is missing, auth=tls requires it"],
        ),
        (
            &with(&[
                ("ca_certificate", "\"/ca\""),
                ("client_certificate", "\"/cert\""),
                ("client_key", "\"/key\""),
            ]),
            &[
                &format!("devices[0].client_certificate: {absent}"),
                &format!("devices[0].client_key: {absent}"),
            ],
        ),
    ]);
    let text = file(&[device(&with(&[("ca_certificate", "\"./system\"")]))], &[]);
    valid(&text, |config| {
        let Auth::Tls(tls) = config.devices[0].auth else {
            panic!("{text}");
        };
        assert_eq!(tls.client, None);
        assert_eq!(tls.ca_certificate, Authorities::File("./system"));
    });
}

#[test]
fn public_authorities_answer_for_names_only() {
    let tls: Cells<'_> = &[
        ("auth", "\"tls\""),
        ("tls_client_auth", "0"),
        ("ca_certificate", "\"system\""),
    ];
    device_cases(&[
        (tls, &[]),
        (&[tls, &[("tls_verify_hostname", "1")]].concat(), &[]),
        (
            &[tls, &[("tls_verify_hostname", "0")]].concat(),
            &[
                "devices[0].tls_verify_hostname: must be 1 with ca_certificate=system: any public certificate would pass for the \
                 broker's",
            ],
        ),
    ]);
}

#[test]
fn a_protocols_name_fits_the_byte_of_its_length() {
    let (longest, too_long) = ("x".repeat(255), "x".repeat(256));
    for (name, problem) in [
        ("x-amzn-mqtt-ca", ""),
        (&longest, ""),
        (
            &too_long,
            "devices[0].tls_alpn: has 256 bytes, more than 255",
        ),
    ] {
        let text = file(
            &[device(&[
                ("auth", "\"tls\""),
                ("tls_client_auth", "0"),
                ("ca_certificate", "\"/ca\""),
                ("tls_alpn", &format!("\"{name}\"")),
            ])],
            &[],
        );
        let outcome = check_with(text.as_bytes(), |config| {
            let Auth::Tls(tls) = config.devices[0].auth else {
                panic!("{text}");
            };
            assert_eq!(tls.alpn, Some(name));
        });
        let expected: &[&str] = if problem.is_empty() { &[] } else { &[problem] };
        assert_eq!(outcome.findings, expected);
    }
}

#[test]
fn a_token_goes_without_a_password() {
    for password in ["", "\"\"", "\"p\""] {
        let text = file(
            &[device(&[
                ("auth", "\"token\""),
                ("username", "\"t0ken\""),
                ("password", password),
            ])],
            &[],
        );
        valid(&text, |config| {
            let credentials = Credentials {
                username: "t0ken",
                password: None,
            };
            assert_eq!(config.devices[0].auth, Auth::Password(credentials));
            assert_eq!(config.devices[0].secrets(), Secrets::of(["", "t0ken"]));
        });
    }
}

#[test]
fn a_password_that_is_given_and_empty_is_one() {
    let certificates = [
        ("ca_certificate", "\"/ca\""),
        ("client_certificate", "\"/cert\""),
        ("client_key", "\"/key\""),
    ];
    for auth in ["\"password\"", "\"tls\""] {
        for (password, expected) in [("\"\"", Some("")), ("\"p\"", Some("p")), ("", None)] {
            let cells = [
                ("auth", auth),
                ("username", "\"u\""),
                ("password", password),
            ];
            let text = file(&[device(&[&cells[..], &certificates].concat())], &[]);
            let mut seen = None;
            check_with(text.as_bytes(), |config| {
                seen = match config.devices[0].auth {
                    Auth::Password(credentials) => Some(credentials),
                    Auth::Tls(tls) => tls.credentials,
                    Auth::None => None,
                }
                .map(|credentials| {
                    credentials
                        .password
                        .map(|password| String::from(password.expose()))
                });
            });
            // With auth=password none is an error.
            let is_valid = auth != "\"password\"" || expected.is_some();
            assert_eq!(seen, is_valid.then(|| expected.map(String::from)), "{text}");
        }
    }
}

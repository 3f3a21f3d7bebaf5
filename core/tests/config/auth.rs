//! What does each `auth` ask for, and what becomes of the settings that another one is for?

use mqtt_client_core::config::Auth;

use crate::rules::{Cells, device_cases};
use crate::{check_with, device, file};

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
                "devices[0].username: is missing, auth=password requires it",
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
                "warning: devices[0].auth: the certificates are ignored, and the password goes out in the clear; auth=tls encrypts it",
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
                "devices[0].client_certificate: is missing, auth=tls requires it",
                "devices[0].client_key: is missing, auth=tls requires it",
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
            ],
            &[
                "warning: devices[0].username: is ignored with auth=none",
                "warning: devices[0].password: is ignored with auth=none",
                "warning: devices[0].ca_certificate: is ignored with auth=none",
            ],
        ),
    ]);
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

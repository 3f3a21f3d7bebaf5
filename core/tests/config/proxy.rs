//! Which proxies may a device name, and what is said of the others without telling a password?

use mqtt_client_core::config::{Abilities, Secret};

use crate::rules::device_cases;
use crate::{check, check_for, check_with, device, file};

const NOT_A_PROXY: &str = "devices[0].proxy: is not host:port; without http://, user name and password, and with an IPv6 address in brackets";

/// The rows of a device with this proxy.
fn row(proxy: &str) -> String {
    file(&[device(&[("proxy", &format!("\"{proxy}\""))])], &[])
}

#[test]
fn a_proxy_is_a_host_and_a_port() {
    for (text, host, port) in [
        ("proxy.example.com:3128", "proxy.example.com", 3128),
        ("10.0.0.1:1", "10.0.0.1", 1),
        ("[2001:db8::1]:65535", "2001:db8::1", 65_535),
        ("[::1]:08080", "::1", 8080),
    ] {
        let mut seen = None;
        let outcome = check_with(row(text).as_bytes(), |config| {
            let proxy = config.devices[0].proxy.expect("a proxy");
            assert!(proxy.login().is_none());
            seen = Some((proxy.host().to_owned(), proxy.port()));
        });
        assert_eq!(outcome.findings, [""; 0], "{text}");
        assert_eq!(seen, Some((host.to_owned(), port)));
    }
    check_with(row("").as_bytes(), |config| {
        assert_eq!(config.devices[0].proxy, None);
    });
}

#[test]
fn anything_else_is_refused_and_not_shown() {
    let long = "h".repeat(254) + ":1";
    for text in [
        "http://hunter2:hunter2@10.0.0.1:3128",
        "hunter2:hunter2@proxy:3128",
        "proxy:3128:hunter2:hunter2",
        "http://proxy:3128",
        "proxy",
        "10.0.0.1",
        "proxy:",
        ":3128",
        "proxy:0",
        "proxy:65536",
        "proxy:+80",
        "proxy:3128/",
        "proxy: 3128",
        "pro xy:3128",
        "proxy\\r\\nHost:3128",
        "proxy:3128\\r\\nA",
        "2001:db8::1",
        "2001:db8::1:3128",
        "[2001:db8::1]",
        "[proxy]:3128",
        "[]:3128",
        "[:3128",
        "[2001:db8::1:3128",
        "k\u{fc}hl:3128",
        "proxy%eth0:3128",
        &long,
    ] {
        assert_eq!(check(&row(text)), [NOT_A_PROXY], "{text}");
    }
    let link_local = "devices[0].proxy: is link-local, or names an interface (%): give another address, or a domain name";
    for text in ["[fe80::1]:3128", "[2001:db8::1%eth0]:3128"] {
        assert_eq!(check(&row(text)), [link_local], "{text}");
    }
}

#[test]
fn a_login_has_two_parts_and_neither_breaks_the_header() {
    let proxy = ("proxy", "\"127.0.0.1:3128\"");
    device_cases(&[
        (
            &[proxy, ("proxy_username", "\"u\"")],
            &["devices[0].proxy_password: is missing, proxy_username requires it"],
        ),
        (
            &[proxy, ("proxy_password", "\"p\"")],
            &["devices[0].proxy_username: is missing, proxy_password requires it"],
        ),
        (
            &[
                proxy,
                ("proxy_username", "\"u\""),
                ("proxy_password", "\"\""),
            ],
            &["devices[0].proxy_password: is missing, proxy_username requires it"],
        ),
        (
            &[
                proxy,
                ("proxy_username", "\"u:v\""),
                ("proxy_password", "\"p:q\""),
            ],
            &["devices[0].proxy_username: holds a colon or a control character"],
        ),
        (
            &[
                proxy,
                ("proxy_username", "\"u\\r\\n\""),
                ("proxy_password", "\"p\\n\""),
            ],
            &[
                "devices[0].proxy_username: holds a colon or a control character",
                "devices[0].proxy_password: holds a control character",
            ],
        ),
        (
            &[("proxy_username", "\"u\""), ("proxy_password", "\"p\"")],
            &[
                "warning: devices[0].proxy_username: is ignored with no proxy",
                "warning: devices[0].proxy_password: is ignored with no proxy",
            ],
        ),
    ]);
    let cells = [
        proxy,
        ("proxy_username", "\"k\\u00fchl\""),
        ("proxy_password", "\"p:q \u{20ac}\""),
    ];
    check_with(file(&[device(&cells)], &[]).as_bytes(), |config| {
        let login = config.devices[0].proxy.and_then(|proxy| proxy.login());
        let login = login.expect("a login");
        assert_eq!(login.username, "k\u{fc}hl");
        assert_eq!(login.password, Secret::new("p:q \u{20ac}"));
        assert!(!format!("{:?}", config.devices[0]).contains("p:q"));
    });
}

#[test]
fn what_goes_unencrypted_to_another_machine_is_warned_of() {
    let plain = "goes out in the clear: use a network of your own, or a VPN";
    let mqtt = "warning: devices[0].password: goes out in the clear: auth=tls encrypts it";
    let proxys = format!("warning: devices[0].proxy_password: {plain}");
    // The broker, its proxy, and what is said of their passwords.
    for (enable, ip, proxy, expected) in [
        ("1", "127.0.0.1", "127.0.0.1:3128", &[][..]),
        ("1", "127.0.0.1", "proxy:3128", &[mqtt, &*proxys]),
        ("1", "broker", "[::1]:3128", &[mqtt]),
        ("1", "broker", "proxy:3128", &[mqtt, &*proxys]),
        ("0", "broker", "proxy:3128", &[]),
    ] {
        let (ip, proxy) = (format!("\"{ip}\""), format!("\"{proxy}\""));
        let cells = [
            ("enable", enable),
            ("ip", &*ip),
            ("auth", "\"password\""),
            ("username", "\"u\""),
            ("password", "\"p\""),
            ("proxy", &*proxy),
            ("proxy_username", "\"u\""),
            ("proxy_password", "\"p\""),
        ];
        assert_eq!(
            check(&file(&[device(&cells)], &[])),
            expected,
            "{ip} {proxy}"
        );
    }
}

#[test]
fn a_machine_reaches_the_proxy_and_the_proxy_the_broker() {
    let lacking = Abilities {
        ipv6: false,
        local_servers: false,
        ..Abilities::ALL
    };
    for (ip, proxy, expected) in [
        ("::1", "proxy:3128", &[][..]),
        (
            "broker",
            "[2001:db8::1]:3128",
            &["devices[0].proxy: built without IPv6"],
        ),
        (
            "broker",
            "localhost:3128",
            &["devices[0].proxy: \"localhost:3128\" is this machine itself, which has no servers"],
        ),
    ] {
        let (ip, proxy) = (format!("\"{ip}\""), format!("\"{proxy}\""));
        let cells = [("enable", "1"), ("ip", &*ip), ("proxy", &*proxy)];
        let device = device(&cells);
        let text =
            format!(r#"{{"redis": {{"host": "10.0.0.1"}}, "devices": [{device}], "signals": []}}"#);
        let outcome = check_for(lacking, text.as_bytes(), |_| ());
        assert_eq!(outcome.findings, expected, "{ip} {proxy}");
    }
}

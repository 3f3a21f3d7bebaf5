//! What may a file not ask of a program that is built without it?

use mqtt_client_core::config::Abilities;

use crate::{check_for, device, file};

#[test]
fn an_enabled_device_may_not_ask_for_what_is_not_built_in() {
    let lacking = Abilities {
        tls: false,
        mqtt5: false,
        ..Abilities::ALL
    };
    for (enable, expected) in [
        ("0", &[][..]),
        (
            "1",
            &[
                "devices[0].auth: built without TLS",
                "devices[1].mqtt_version: built without MQTT 5",
            ],
        ),
    ] {
        let tls = device(&[
            ("enable", enable),
            ("auth", "\"tls\""),
            ("ca_certificate", "\"/a\""),
            ("client_certificate", "\"/b\""),
            ("client_key", "\"/c\""),
        ]);
        let version = device(&[
            ("enable", enable),
            ("device_alias", "\"other\""),
            ("mqtt_version", "\"5\""),
        ]);
        let outcome = check_for(lacking, file(&[tls, version], &[]).as_bytes(), |_| ());
        assert_eq!(outcome.findings, expected);
    }
}

#[test]
fn without_tls_another_cure_is_named_for_a_password_in_the_clear() {
    let lacking = Abilities {
        tls: false,
        ..Abilities::ALL
    };
    let device = device(&[
        ("enable", "1"),
        ("auth", "\"password\""),
        ("username", "\"u\""),
        ("password", "\"p\""),
    ]);
    let outcome = check_for(lacking, file(&[device], &[]).as_bytes(), |_| ());
    assert_eq!(
        outcome.findings,
        [
            "warning: devices[0].password: goes out in the clear: use a network of your own, or a VPN"
        ]
    );
}

#[test]
fn a_machine_without_servers_of_its_own_is_sent_to_others() {
    let lacking = Abilities {
        local_servers: false,
        ..Abilities::ALL
    };
    let missing = "redis.host: is missing, a machine without a Redis of its own requires it";
    for (block, ip, expected) in [
        (r#"{"host": "10.0.0.1"}"#, "broker", &[][..]),
        (r#"{"host": "127.example"}"#, "broker", &[]),
        ("null", "broker", &[missing]),
        ("{}", "broker", &[missing]),
        (r#"{"port": 6380}"#, "broker", &[missing]),
        (
            r#"{"host": "127.0.0.1"}"#,
            "broker",
            &[r#"redis.host: "127.0.0.1" is this machine itself, which has no servers"#],
        ),
        (
            r#"{"socket": "/run/redis.sock"}"#,
            "broker",
            &["redis.socket: built without Unix sockets"],
        ),
        (
            r#"{"host": "10.0.0.1"}"#,
            "LocalHost",
            &[r#"devices[0].ip: "LocalHost" is this machine itself, which has no servers"#],
        ),
        (
            r#"{"host": "10.0.0.1"}"#,
            "0.0.0.0",
            &[r#"devices[0].ip: "0.0.0.0" is this machine itself, which has no servers"#],
        ),
    ] {
        let ip = format!("\"{ip}\"");
        let device = device(&[("enable", "1"), ("ip", &ip)]);
        let text = format!(r#"{{"redis": {block}, "devices": [{device}], "signals": []}}"#);
        let outcome = check_for(lacking, text.as_bytes(), |_| ());
        assert_eq!(outcome.findings, expected, "{block} {ip}");
    }
    let outcome = check_for(lacking, br#"{"devices": [], "signals": []}"#, |_| ());
    assert_eq!(outcome.findings, [missing], "no redis block");
}

#[test]
fn a_machine_without_ipv6_takes_no_such_address_where_it_would_be_used() {
    let lacking = Abilities {
        ipv6: false,
        ..Abilities::ALL
    };
    for (enable, expected) in [
        ("0", &["redis.host: built without IPv6"][..]),
        (
            "1",
            &[
                "redis.host: built without IPv6",
                "devices[0].ip: built without IPv6",
            ],
        ),
    ] {
        let device = device(&[("enable", enable), ("ip", "\"2001:db8::1\"")]);
        let text =
            format!(r#"{{"redis": {{"host": "::1"}}, "devices": [{device}], "signals": []}}"#);
        let outcome = check_for(lacking, text.as_bytes(), |_| ());
        assert_eq!(outcome.findings, expected);
    }
}

#[test]
fn what_is_left_out_of_a_build_is_an_error_only_where_it_would_be_used() {
    for enable in ["0", "1"] {
        let device = device(&[("enable", enable), ("payload", "\"json\"")]);
        let outcome = check_for(Abilities::ALL, file(&[device], &[]).as_bytes(), |_| ());
        let is_wrong = cfg!(not(feature = "json")) && enable == "1";
        let expected: &[&str] = match is_wrong {
            true => &["devices[0].payload: built without JSON"],
            false => &[],
        };
        assert_eq!(outcome.findings, expected, "{enable}");
    }
}

#[test]
fn a_spool_needs_a_path_where_there_are_files() {
    for (files, expected) in [
        (
            true,
            &["spool.path: is missing, spool_size requires it"][..],
        ),
        (false, &[]),
    ] {
        let abilities = Abilities {
            files,
            ..Abilities::ALL
        };
        let device = device(&[("enable", "1"), ("spool_size", "65536")]);
        let outcome = check_for(abilities, file(&[device], &[]).as_bytes(), |_| ());
        assert_eq!(outcome.findings, expected, "{files}");
    }
}

//! The command line: options in all their forms, and what happens to a wrong one.

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::daemon::{Finished, run, run_with, run_with_text};
use mqtt_client_tests::{Daemon, FakeBroker};

#[test]
fn help_goes_to_standard_output_and_names_every_option() {
    for option in ["-h", "--help"] {
        let Finished { code, stdout, .. } = run(&[option]);
        assert_eq!(code, 0);
        let help = stdout.join("\n");
        for option in [
            "-h",
            "--help",
            "-c",
            "--config",
            "-V",
            "--version",
            "-d",
            "--debug",
            "-r",
            "--redis",
            "-m",
            "--mqtt",
            "--check",
            "--spool",
            "/etc/elseta-mqtt.conf",
            "/etc/elseta-mqtt.json",
        ] {
            assert!(help.contains(option), "no {option} in the help");
        }
    }
}

#[test]
fn the_version_goes_to_standard_output_with_what_was_built_in() {
    for option in ["-V", "--version"] {
        let Finished { code, stdout, .. } = run(&[option]);
        assert_eq!(code, 0);
        let text = stdout.join("\n");
        assert!(stdout[0].starts_with("mqtt-client"), "{text}");
        assert!(text.contains("TLS") && text.contains("MQTT 5"), "{text}");
        assert!(text.contains("with a spool"), "{text}");
        assert!(text.bytes().any(|byte| byte.is_ascii_digit()), "{text}");
    }
}

#[test]
fn a_wrong_argument_is_named_and_the_exit_code_is_64() {
    for (arguments, named) in [
        (&["--nonsense"][..], "--nonsense"),
        (&["-x"], "-x"),
        (&["-d"], "-d"),
        (&["-d", "5"], "5"),
        (&["-d", "-1"], "-1"),
        (&["-d", "loud"], "loud"),
        (&["-c"], "-c"),
        (&["--config"], "--config"),
        (&["stray"], "stray"),
        (&["--redis=yes"], "--redis"),
    ] {
        let finished = run(arguments);
        assert_eq!(finished.code, 64, "{arguments:?}");
        assert!(
            !finished.errors_with(&[named]).is_empty(),
            "{arguments:?}: {:?}",
            finished.stderr
        );
        assert_eq!(finished.stdout, [""; 0]);
    }
}

#[test]
fn the_debug_level_can_be_given_in_every_usual_form() {
    for arguments in [
        &["-d3"][..],
        &["-d", "3"],
        &["--debug", "3"],
        &["--debug=3"],
    ] {
        let finished = run_with(&cloud().signal("p"), &[arguments, &["--check"]].concat());
        assert_eq!(finished.code, 0, "{arguments:?}: {:?}", finished.stderr);
    }
}

#[test]
fn check_prints_a_summary_and_opens_no_connection() {
    let broker = FakeBroker::start();
    let config = cloud()
        .signal("p")
        .signal("q")
        .with("topic", "plant/reactive")
        .with_ports(1, broker.port());
    let finished = run_with(&config, &["--check"]);
    assert_eq!(finished.code, 0, "{:?}", finished.stderr);
    let summary = finished.stdout.join("\n");
    for word in ["cloud", "plant/reactive"] {
        assert!(summary.contains(word), "no {word} in: {summary}");
    }
    assert!(broker.link_within(std::time::Duration::ZERO).is_none());
}

#[test]
fn check_exits_with_78_for_an_invalid_configuration() {
    let finished = run_with(&cloud().with("mqtt_qos", 3).signal("p"), &["--check"]);
    assert_eq!(finished.code, 78);
    assert_eq!(finished.errors_with(&["devices[0].mqtt_qos"]).len(), 1);
    let finished = run_with_text("nonsense", &["--check"]);
    assert_eq!(finished.code, 78);
}

#[test]
fn a_configuration_file_that_is_not_there_is_named() {
    let finished = run(&["-c", "/no/such/file.json"]);
    assert_ne!(finished.code, 0);
    assert!(
        !finished.errors_with(&["/no/such/file.json"]).is_empty(),
        "{:?}",
        finished.stderr
    );
}

#[test]
fn without_an_enabled_mqtt_device_one_line_says_so_and_the_exit_code_is_0() {
    for config in [
        cloud().with("enable", 0).signal("p"),
        cloud().without("enable").signal("p"),
        cloud().with("protocol", "Modbus TCP").signal("p"),
        mqtt_client_tests::Config::new(),
    ] {
        let finished = Daemon::start_with(&config, &[]).wait();
        assert_eq!(finished.code, 0, "{:?}", finished.stderr);
        assert_eq!(
            finished.stdout.len() + finished.stderr.len(),
            1,
            "{finished:?}"
        );
    }
}

#[test]
fn check_says_for_how_long_each_spool_lasts_and_what_is_wrong_with_its_folder() {
    let row = |alias: &str, size: u32| {
        format!(
            r#"{{"name": "n", "device_alias": "{alias}", "enable": 1, "protocol": "MQTT", "ip": "10.0.0.1", "auth": "none", "spool_size": {size}}}"#
        )
    };
    let text = format!(
        r#"{{"spool": {{"path": "/no/such/folder"}}, "devices": [{}, {}], "signals": []}}"#,
        row("cloud", 16_777_216),
        row("control", 65_536)
    );
    let finished = run_with_text(&text, &["--check"]);
    assert_eq!(finished.code, 0, "{:?}", finished.stderr);
    for start in [
        "  spool 16777216 bytes in /no/such/folder/cloud: some ",
        "  spool 65536 bytes in /no/such/folder/control: some ",
    ] {
        let line = finished.stdout.iter().find(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| panic!("no {start} in {:?}", finished.stdout));
        assert!(
            line.contains(" at 1 sample a second, ") && line.ends_with(" at 100"),
            "{line}"
        );
    }
    let warnings = finished.errors_with(&["spool.path: /no/such/folder is missing"]);
    assert_eq!(warnings.len(), 1, "{:?}", finished.stderr);
}

#[test]
fn a_folder_without_a_spool_is_named_and_the_exit_code_is_66() {
    for folder in ["/no/such/folder", "/proc/self"] {
        let finished = run(&["--spool", folder]);
        assert_eq!(finished.code, 66, "{folder}");
        assert_eq!(finished.errors_with(&[folder]).len(), 1);
    }
}

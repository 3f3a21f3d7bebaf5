//! What if the mapping table is wrong? Then every reason is on the log, and the board halts.

use mqtt_client_tests::Board;
use mqtt_client_tests::Config;
use mqtt_client_tests::board::HOST;
use mqtt_client_tests::config::cloud;

/// The daemon's exit code for the same, `EX_CONFIG`.
const WRONG_CONFIGURATION: i32 = 78;

fn halts(text: impl AsRef<[u8]>, code: i32, reasons: &[&[&str]]) {
    let mut board = Board::start_with_text(text);
    let end = board.wait();
    for words in reasons {
        assert_eq!(
            board.log().with(words).len(),
            1,
            "{words:?}: {:#?}",
            end.log
        );
    }
    assert_eq!(board.log().with(&["halted"]).len(), 1);
    assert_eq!(end.code, code);
}

#[test]
fn every_error_is_named_with_its_place() {
    let config = cloud()
        .with("mqtt_qos", 3)
        .signal("p")
        .with("topic", "a/#")
        .signal("p");
    halts(
        config.with_host(HOST).to_json(),
        WRONG_CONFIGURATION,
        &[
            &["devices[0].mqtt_qos: 3 is not in 0..2"],
            &["signals[0].topic"],
            &["signals[1].signal_alias"],
        ],
    );
}

#[test]
fn a_text_that_is_no_json_is_named_with_line_and_column() {
    halts("{\n  \"devices\": [}", WRONG_CONFIGURATION, &[&["2:15"]]);
}

#[test]
fn a_board_that_was_given_no_table_says_so() {
    for text in [&b""[..], &[0xff; 64]] {
        halts(
            text,
            WRONG_CONFIGURATION,
            &[&["configuration:1:1", "expected a value"]],
        );
    }
}

#[test]
fn what_a_board_cannot_do_is_an_error() {
    let tls = cloud()
        .with("auth", "tls")
        .with("ca_certificate", "a.pem")
        .with("client_certificate", "b.pem")
        .with("client_key", "c.pem")
        .with_host(HOST);
    let socket = Config::new()
        .redis("socket", "/run/redis.sock")
        .device("cloud")
        .with_host(HOST);
    for (config, place) in [
        (tls, "devices[0].auth"),
        (
            cloud().with("mqtt_version", "5").with_host(HOST),
            "devices[0].mqtt_version",
        ),
        (socket, "redis.socket"),
        // Redis is on the board itself unless the table says otherwise, and a board has none.
        (cloud().with("ip", HOST), "redis.host"),
    ] {
        halts(config.to_json(), WRONG_CONFIGURATION, &[&[place]]);
    }
}

#[test]
fn more_signals_than_there_is_room_for_are_an_error() {
    let config = (0..33).fold(cloud().with_host(HOST), |config, n| {
        config.signal(&format!("s{n}"))
    });
    halts(config.to_json(), WRONG_CONFIGURATION, &[&["signals"]]);
}

#[test]
fn a_table_without_an_enabled_device_leaves_nothing_to_do() {
    let config = cloud().with("enable", 0).with_host(HOST);
    halts(config.to_json(), 0, &[&["no MQTT device is enabled"]]);
}

//! What does the bridge say to a proxy before its broker, and what does it make of the answers?

use super::common::logbook;
use super::common::network::{Door, Event, Names};
use super::common::rig::{Rig, with_bridge};
use super::one_device;

/// Not one that is cut off where it is shown.
const PASSWORD: &str = "open sesame";
const LOGIN: &str = "QWxhZGRpbjpvcGVuIHNlc2FtZQ==";

const OK: &str = "HTTP/1.1 200 Connection established\r\nVia: it\r\n\r\n";

/// A device with a proxy, and these keys besides.
fn proxied(keys: &str) -> String {
    one_device(&format!(r#", "proxy": "proxy:3128"{keys}"#))
}

fn with_login() -> String {
    let login = format!(r#", "proxy_username": "Aladdin", "proxy_password": "{PASSWORD}""#);
    proxied(&login)
}

/// Polls once, and answers a request of the bridge's as the proxy; what the request was.
fn answer(rig: &mut Rig<'_, '_>, answer: &str) -> Option<String> {
    let (mut heard, mut last) = (Vec::new(), None);
    rig.poll();
    for event in rig.brokers[0].line.events() {
        match event {
            Event::Opened(_) => heard.clear(),
            Event::Bytes(connection, bytes) => {
                heard.extend(bytes);
                last = Some(connection);
            }
            Event::Ended(_) => rig.brokers[0].server.connection_ended(),
        }
    }
    let line = &rig.brokers[0].line;
    line.server_write(last?, answer.as_bytes());
    Some(String::from_utf8(heard).expect("ASCII"))
}

/// Warnings and errors of the log.
fn warnings() -> Vec<String> {
    let mut lines = logbook::lines();
    assert!(
        !lines
            .iter()
            .any(|line| line.contains(PASSWORD) || line.contains(LOGIN)),
        "{lines:?}"
    );
    lines.retain(|line| line.starts_with("WARN ") || line.starts_with("ERROR "));
    lines
}

#[test]
fn the_proxy_is_asked_for_the_broker_and_then_has_its_connection() {
    for (table, login) in [
        (proxied(""), String::new()),
        (
            with_login(),
            format!("Proxy-Authorization: Basic {LOGIN}\r\n"),
        ),
    ] {
        with_bridge(&table, |rig| {
            let request = answer(rig, OK).expect("a request");
            let expected =
                format!("CONNECT broker:1883 HTTP/1.1\r\nHost: broker:1883\r\n{login}\r\n");
            assert_eq!(request, expected);
            rig.settle();
            rig.publish("tag/cloud/p/in", "1,2");
            assert_eq!(rig.delivered(0), ["1,2,1"]);
        });
    }
}

#[test]
fn what_comes_right_behind_the_answer_is_the_brokers() {
    // It has its CONNACK ready before it is asked: nothing forbids that to a proxy that reads ahead.
    let whole = format!("{OK}\x20\x02\0\0");
    for split in 0..=whole.len() {
        with_bridge(&proxied(""), |rig| {
            answer(rig, &whole[..split]).expect("a request");
            rig.poll();
            let line = rig.brokers[0].line.clone();
            line.server_write(1, &whole.as_bytes()[split..]);
            // The broker's own CONNACK would be the second one.
            for _ in 0..5 {
                rig.poll();
                let _ = line.events();
            }
            assert!(
                rig.bridge.brokers()[0].session().is_online(),
                "split at {split}"
            );
            assert_eq!(line.attempts().len(), 1, "split at {split}");
        });
    }
}

#[test]
fn a_network_of_single_bytes_is_no_hindrance() {
    with_bridge(&with_login(), |rig| {
        rig.brokers[0].line.set_piece(1);
        let request = answer(rig, OK).expect("a request");
        assert!(request.ends_with("==\r\n\r\n"), "{request}");
        rig.settle();
        rig.publish("tag/cloud/p/in", "1,2");
        assert_eq!(rig.delivered(0), ["1,2,1"]);
    });
    with_bridge(&with_login(), |rig| {
        let line = rig.brokers[0].line.clone();
        line.set_window(1);
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            rig.poll();
            for event in line.events() {
                if let Event::Bytes(_, bytes) = event {
                    request.extend(bytes.iter().map(|byte| char::from(*byte)));
                }
            }
        }
        assert_eq!(request.matches("CONNECT").count(), 1);
        line.set_window(usize::MAX);
        line.server_write(1, OK.as_bytes());
        rig.settle();
        assert!(rig.bridge.brokers()[0].session().is_online());
    });
}

#[test]
fn each_refusal_is_told_in_words_with_the_proxys_own_behind() {
    let place = "cloud: broker:1883 through proxy proxy:3128";
    // With a login or not, what the proxy says, and the line without its place.
    for (has_login, says, expected) in [
        (
            false,
            "HTTP/1.1 407 Log in\r\n",
            "ERROR : the proxy wants proxy_username and proxy_password: \"HTTP/1.1 407 Log in\"; next try in 32 s",
        ),
        (
            true,
            "HTTP/1.1 407 Log in\r\n",
            "ERROR : the proxy refuses proxy_username and proxy_password: \"HTTP/1.1 407 Log in\"; next try in 32 s",
        ),
        (
            true,
            "HTTP/1.0 401 Unauthorized\r\n",
            "ERROR : the proxy refuses proxy_username and proxy_password: \"HTTP/1.0 401 Unauthorized\"; next try in 32 s",
        ),
        (
            false,
            "HTTP/1.0 403 Filtered\r\n",
            "ERROR : the proxy forbids this host or port: \"HTTP/1.0 403 Filtered\"; next try in 32 s",
        ),
        (
            false,
            "HTTP/1.1 502 Bad\r\n",
            "WARN : the proxy does not reach the broker: \"HTTP/1.1 502 Bad\"; next try at once",
        ),
        (
            false,
            "HTTP/1.1 503 Bad\r\n",
            "WARN : the proxy does not reach the broker: \"HTTP/1.1 503 Bad\"; next try at once",
        ),
        (
            false,
            "HTTP/1.1 504 Late\r\n",
            "WARN : the broker does not answer the proxy: \"HTTP/1.1 504 Late\"; next try at once",
        ),
        (
            false,
            "HTTP/1.1 500 Unable\r\n",
            "WARN : the proxy refuses: \"HTTP/1.1 500 Unable\"; next try at once",
        ),
        (
            false,
            "SSH-2.0-\x1b[31m\r\n",
            "WARN : the proxy speaks no HTTP: \"SSH-2.0-\\x1b[31m\"; next try at once",
        ),
        // It has not come to its end, and does not have to.
        (
            false,
            "\x15\x03\x01",
            "WARN : the proxy speaks no HTTP: \"\\x15\\x03\\x01\"; next try at once",
        ),
        (
            true,
            "HTTP/1.1 407 Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== is wrong\r\n",
            "ERROR : the proxy refuses proxy_username and proxy_password: \"HTTP/1.1 407 Basic ***== is wrong\"; next try in 32 s",
        ),
        (
            true,
            "HTTP/1.1 403 not with open sesame\r\n",
            "ERROR : the proxy forbids this host or port: \"HTTP/1.1 403 not with ***\"; next try in 32 s",
        ),
        // Cut within the login, with the line.
        (
            true,
            "open sesame QWxhZGRpbjpvcGVuIHNlc2FtZQ== 0123456789 QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n",
            "WARN : the proxy speaks no HTTP: \"*** ***== 0123456789 ***\"; next try at once",
        ),
    ] {
        logbook::open();
        let table = if has_login { with_login() } else { proxied("") };
        with_bridge(&table, |rig| {
            answer(rig, says).expect("a request");
            rig.poll();
            let expected = expected.replace(" : ", &format!(" {place}: "));
            assert_eq!(warnings(), [expected]);
        });
    }
}

#[test]
fn a_proxy_that_closes_is_silent_or_says_too_much_is_left() {
    logbook::open();
    let place = "WARN cloud: broker:1883 through proxy proxy:3128:";
    for (says, closes) in [("", true), ("HTTP/1.1 200 OK\r\n", true)] {
        with_bridge(&proxied(""), |rig| {
            answer(rig, says).expect("a request");
            if closes {
                rig.brokers[0].line.server_close(1);
            }
            rig.poll();
            let line = says.trim_end();
            let line = if line.is_empty() {
                String::new()
            } else {
                format!(": \"{line}\"")
            };
            let closes = "the proxy closes without an answer";
            assert_eq!(
                warnings(),
                [format!("{place} {closes}{line}; next try at once")]
            );
        });
    }
    for says in ["", "HTTP/1.1 200 OK\r\nA:"] {
        with_bridge(&proxied(""), |rig| {
            answer(rig, says).expect("a request");
            rig.run_until(19_999);
            assert_eq!(rig.brokers[0].line.attempts(), [0]);
            rig.run_until(20_000);
            assert_eq!(rig.brokers[0].line.attempts(), [0, 20_000]);
            let lines = warnings();
            assert!(
                lines[0].contains("the proxy's answer took over 20 s"),
                "{lines:?}"
            );
        });
    }
    with_bridge(&proxied(""), |rig| {
        let endless = "HTTP/1.1 200 OK\r\n".to_string() + &"A: b\r\n".repeat(2000);
        answer(rig, &endless).expect("a request");
        rig.poll();
        let lines = warnings();
        assert!(
            lines[0].contains("the proxy's answer is too long"),
            "{lines:?}"
        );
    });
}

#[test]
fn trouble_on_the_way_to_the_proxy_is_the_proxys() {
    logbook::open();
    let place = "cloud: broker:1883 through proxy proxy:3128: the proxy:";
    for (door, names, words) in [
        (Door::Refused, Names::Known, "connection refused"),
        (Door::Open, Names::Unknown, "the name is unknown"),
    ] {
        with_bridge(&proxied(""), |rig| {
            rig.brokers[0].line.set_door(door);
            rig.brokers[0].line.set_names(names);
            rig.poll();
            let expected = format!("WARN {place} {words}; next try at once");
            assert_eq!(warnings(), [expected]);
        });
    }
}

#[test]
fn a_proxy_that_fails_is_tried_after_the_usual_delays_and_does_not_change_the_protocol_version() {
    for (says, expected) in [
        ("HTTP/1.1 503 No\r\n", &[0, 0, 1000, 3000, 7000][..]),
        ("HTTP/1.1 407 No\r\n", &[0]),
    ] {
        with_bridge(&proxied(""), |rig| {
            while rig.now() < 10_000 {
                while answer(rig, says).is_some() {}
                rig.oversleep(1);
            }
            let attempts: Vec<_> = rig.brokers[0].line.attempts();
            let near = attempts.iter().map(|at| at / 100 * 100);
            assert_eq!(near.collect::<Vec<_>>(), expected, "{says}");
            // From now on it lets us through; 3.1 would be another CONNECT.
            while answer(rig, OK).is_none() {
                rig.oversleep(100);
            }
            rig.settle();
            assert_eq!(rig.brokers[0].server.connects.len(), 1);
            assert_eq!(rig.brokers[0].server.connects[0].level, 4);
        });
    }
}

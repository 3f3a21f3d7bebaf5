//! What is said to a server, and what do its answers mean?

use mqtt_client_core::config::{Redis, Secret};
use mqtt_client_core::net::protocol::{ClosedBy, Protocol as _};
use mqtt_client_core::redis::session::{Close, MIN_INPUT, Session};
use mqtt_client_core::time::Instant;

use super::{Client, Memory, at, confirmation, left, meaning_of, message};

#[test]
fn authentication_and_database_come_before_the_subscription() {
    let secret = Some(Secret::new("s3 cret"));
    for (username, password, database, said) in [
        (None, None, 0, "SUBSCRIBE a; SUBSCRIBE b"),
        (None, secret, 0, "AUTH s3 cret; SUBSCRIBE a; SUBSCRIBE b"),
        (
            Some("gw"),
            secret,
            0,
            "AUTH gw s3 cret; SUBSCRIBE a; SUBSCRIBE b",
        ),
        (None, None, 15, "SELECT 15; SUBSCRIBE a; SUBSCRIBE b"),
        (
            Some("gw"),
            secret,
            2_147_483_647,
            "AUTH gw s3 cret; SELECT 2147483647; SUBSCRIBE a; SUBSCRIBE b",
        ),
    ] {
        let redis = Redis {
            username,
            password,
            database,
            ..Redis::default()
        };
        let mut memory = Memory::new();
        let mut client = Client::new(&redis, &mut memory, &["a", "", "b"]);
        for time in [0, 5000] {
            assert_eq!(client.session.opened(at(time)), Ok(()));
            assert_eq!(client.says(), said);
            client.session.closed(&ClosedBy::Network, at(0));
        }
    }
}

#[test]
fn the_subscription_stands_when_every_channel_is_confirmed() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::new(&redis, &mut memory, &["a", "b"]);
    assert_eq!(client.session.opened(at(0)), Ok(()));
    assert_eq!(client.says(), "SUBSCRIBE a; SUBSCRIBE b");
    assert_eq!(client.hears(1, &confirmation("a")), Ok(vec![]));
    assert_eq!(client.says(), "");
    assert!(!client.session.is_subscribed());
    // Messages may come between confirmations.
    assert_eq!(
        client.hears(1, &message("a", "1,2")),
        Ok(vec!["a 1,2".to_string()])
    );
    assert_eq!(client.hears(2, &confirmation("b")), Ok(vec![]));
    assert_eq!(client.says(), "");
    assert!(client.session.is_subscribed());
}

#[test]
fn a_confirmation_is_of_the_next_channel_that_was_asked_for_or_the_connection_ends() {
    let all = ["a", "b", "c"].map(confirmation);
    for (replies, other) in [
        (vec!["b"], Some("b")),
        (vec!["a", "a"], Some("a")),
        (vec!["a", "c"], Some("c")),
        (vec!["a", "b", "c", "c"], Some("c")),
        (vec!["a", "b", "c", "d"], Some("d")),
        (vec![""], Some("")),
        (vec!["ab"], Some("ab")),
        (vec!["a", "b", "c"], None),
    ] {
        let stream = replies
            .iter()
            .copied()
            .map(confirmation)
            .collect::<Vec<_>>();
        let heard = meaning_of(&[&stream.concat()]);
        match other {
            None => assert_eq!(heard, Ok(vec![]), "{replies:?}"),
            Some(other) => assert_eq!(
                heard.expect_err("another channel").to_string(),
                format!(
                    "the server confirms a subscription to {other}, which is not what was asked for next"
                ),
                "{replies:?}"
            ),
        }
    }
    assert_eq!(
        meaning_of(&[&all.concat(), &left("a")]),
        Err(Close::Unasked)
    );
}

#[test]
fn without_a_channel_the_subscription_stands_at_once() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::subscribed(&redis, &mut memory, &[]);
    assert_eq!(client.says(), "");
}

#[test]
fn many_channels_are_subscribed_to_as_many_at_a_time_as_the_buffer_holds() {
    let names: Vec<String> = (0..500)
        .map(|number| format!("tag/device/signal{number}/in"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for len in [
        Session::commands_len(&Redis::default()),
        400,
        1024,
        64 * 1024,
    ] {
        let redis = Redis::default();
        let mut memory = Memory {
            input: vec![0; MIN_INPUT],
            commands: vec![0; len],
        };
        let mut client = Client::new(&redis, &mut memory, &names);
        assert_eq!(client.session.opened(at(0)), Ok(()));
        let said = client.talks(1, &[]).expect("the connection goes on");
        let wanted = names.iter().map(|name| format!("SUBSCRIBE {name}"));
        assert!(said.iter().cloned().eq(wanted), "{len} bytes: {said:?}");
        assert!(client.session.is_subscribed());
    }
}

#[test]
fn a_buffer_too_small_for_a_command_is_reported() {
    let redis = Redis {
        password: Some(Secret::new("0123456789")),
        ..Redis::default()
    };
    let auth = "*2\r\n$4\r\nAUTH\r\n$10\r\n0123456789\r\n".len();
    for (len, channel, fits) in [
        (auth - 1, "a", false),
        (auth, "a", true),
        (auth + 40, "a", true),
        (
            auth + 40,
            "a channel whose name is longer than the buffer has room for",
            false,
        ),
    ] {
        let mut memory = Memory {
            input: vec![0; MIN_INPUT],
            commands: vec![0; len],
        };
        let mut client = Client::new(&redis, &mut memory, &[channel]);
        let said = client.session.opened(at(0)).and_then(|()| client.drain());
        match fits {
            true => assert_eq!(said, Ok(format!("AUTH 0123456789; SUBSCRIBE {channel}"))),
            false => assert_eq!(
                said,
                Err(Close::CommandsTooSmall),
                "{len} bytes for {channel}"
            ),
        }
        assert!(Close::CommandsTooSmall.is_permanent());
    }
}

#[test]
fn a_silent_server_is_asked_and_then_given_up() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::subscribed(&redis, &mut memory, &["a"]);
    for answer in [
        &b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"[..],
        b"+PONG\r\n",
        &message("a", "1,2"),
        b"*",
    ] {
        let start = client.session.deadline().as_millis();
        assert_eq!(client.session.expire(at(start - 1)), Ok(()));
        assert_eq!(client.says(), "");
        assert_eq!(client.session.expire(at(start)), Ok(()));
        assert_eq!(client.says(), "PING");
        assert_eq!(client.session.deadline(), at(start + 15_000));
        assert!(client.hears(start + 14_999, answer).is_ok());
        assert_eq!(
            client.session.deadline(),
            at(start + 14_999 + 15_000),
            "whatever arrives is an answer"
        );
    }
    let start = client.session.deadline().as_millis();
    assert_eq!(client.session.expire(at(start)), Ok(()));
    assert_eq!(
        client.session.expire(at(start + 15_000)),
        Err(Close::Silent(30_000))
    );
    client.session.closed(&ClosedBy::Network, at(0));
    assert_eq!(client.session.deadline(), Instant::NEVER);
}

#[test]
fn a_server_that_does_not_read_is_given_up_too() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::new(&redis, &mut memory, &["a"]);
    assert_eq!(client.session.opened(at(0)), Ok(()));
    // The network takes nothing of SUBSCRIBE.
    assert!(
        client
            .session
            .output(at(0))
            .is_ok_and(|bytes| !bytes.is_empty())
    );
    assert_eq!(client.session.expire(at(15_000)), Ok(()));
    assert_eq!(
        client.session.expire(at(30_000)),
        Err(Close::Silent(30_000))
    );
}

//! What if the server answers with an error, and to what?

use mqtt_client_core::config::{Redis, Secret};
use mqtt_client_core::net::protocol::{ClosedBy, Protocol as _};
use mqtt_client_core::redis::session::{Close, MIN_INPUT};
use mqtt_client_core::redis::unanswered::MOST;

use super::{
    Client, Memory, NOPERM, PONG, at, confirmation, error, left, meaning_of, message, reply,
};

#[test]
fn an_error_reply_closes_in_the_servers_own_words() {
    for (words, permanent) in [
        (
            "WRONGPASS invalid username-password pair or user is disabled.",
            true,
        ),
        ("NOAUTH Authentication required.", true),
        ("ERR DB index is out of range", true),
        ("ERR unknown command", true),
        ("DENIED Redis is running in protected mode", true),
        ("LOADING Redis is loading the dataset in memory", false),
        ("BUSY Redis is busy running a script", false),
        ("MASTERDOWN Link with MASTER is down", false),
        ("ERR max number of clients reached", false),
        ("", true),
    ] {
        let redis = Redis::default();
        let mut memory = Memory::new();
        let mut client = Client::new(&redis, &mut memory, &["a"]);
        assert_eq!(client.session.opened(at(0)), Ok(()));
        client.says();
        let close = client
            .hears(1, format!("-{words}\r\n").as_bytes())
            .expect_err(words);
        let shown = &words[..words.len().min(96)];
        assert_eq!(close.to_string(), format!("the server says: {shown}"));
        assert_eq!(close.is_permanent(), permanent, "{words}");
    }
}

#[test]
fn what_an_error_reply_repeats_is_left_out() {
    for (words, shown) in [
        (
            "ERR unknown command 'AUTH', with args beginning with: 'secret' ",
            "ERR unknown command 'AUTH'",
        ),
        (
            "ERR unknown command `AUTH`, with args beginning with: `gw`, `secret`, ",
            "ERR unknown command `AUTH`",
        ),
        (", with args", ""),
        ("ERR, with arg", "ERR, with arg"),
    ] {
        let close = meaning_of(&[format!("-{words}\r\n").as_bytes()]).expect_err(words);
        assert_eq!(close.to_string(), format!("the server says: {shown}"));
        let long = format!("-{words}{}\r\n", "x".repeat(MIN_INPUT));
        let close = meaning_of(&[long.as_bytes()]).expect_err(words);
        assert!(!close.to_string().contains("secret"), "{close}");
    }
}

#[test]
fn an_oversized_error_reply_closes_like_any_other() {
    let words = "x".repeat(MIN_INPUT);
    let close = meaning_of(&[format!("-ERR {words}\r\n").as_bytes()]).expect_err("an error");
    assert_eq!(
        close.to_string(),
        format!("the server says: ERR {}", &words[..92])
    );
}

#[test]
fn an_error_in_answer_to_ping_is_a_sign_of_life_and_the_subscription_stays() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::subscribed(&redis, &mut memory, &["a"]);
    let long = format!("MISCONF {}", "x".repeat(3 * MIN_INPUT));
    for words in [
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "NOPERM this user has no permissions to run the 'ping' command",
        "BUSY Redis is busy running a script.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "LOADING Redis is loading the dataset in memory",
        "NOAUTH Authentication required.",
        "",
        &long,
    ] {
        let start = client.session.deadline().as_millis();
        assert_eq!(client.session.expire(at(start)), Ok(()));
        assert_eq!(client.says(), "PING");
        let stream = [error(words), message("a", "1,2")].concat();
        assert_eq!(
            client.hears(start + 1, &stream),
            Ok(vec!["a 1,2".to_string()]),
            "{words}"
        );
        assert!(client.session.is_subscribed());
        assert_eq!(client.session.deadline(), at(start + 15_001));
    }
    // An error that answers nothing is the server's reason to throw us out.
    let close = client
        .hears(1, &error("ERR Protocol error"))
        .expect_err("no PING");
    assert_eq!(close.to_string(), "the server says: ERR Protocol error");
}

#[test]
fn each_error_is_of_the_command_that_it_answers() {
    let commands = "AUTH secret; SELECT 3; SUBSCRIBE a; SUBSCRIBE b; PING";
    let count = commands.split("; ").count();
    for refused in 0..count {
        let redis = Redis {
            password: Some(Secret::new("secret")),
            database: 3,
            ..Redis::default()
        };
        let mut memory = Memory::new();
        let mut client = Client::new(&redis, &mut memory, &["a", "b"]);
        assert_eq!(client.session.opened(at(0)), Ok(()));
        assert_eq!(
            client.says(),
            commands.strip_suffix("; PING").expect("PING")
        );
        assert_eq!(client.session.expire(at(15_000)), Ok(()));
        assert_eq!(client.says(), "PING");
        let replies = commands.split("; ").enumerate();
        let replies: Vec<u8> = replies
            .flat_map(|(number, command)| match number == refused {
                true => error("NOPERM no"),
                false => reply(command, &[]),
            })
            .collect();
        let result = client
            .hears(15_001, &replies)
            .map(|_| client.session.is_subscribed());
        match refused {
            0 | 1 => {
                let close = result.expect_err("AUTH or SELECT is refused");
                assert_eq!(close.to_string(), "the server says: NOPERM no");
            }
            _ => {
                assert_eq!(result, Ok(false));
                assert_eq!(client.says(), "");
                assert!(client.session.is_subscribed());
            }
        }
    }
}

#[test]
fn a_reply_is_to_the_command_that_is_next_or_the_connection_ends() {
    let status = b"+OK\r\n".to_vec();
    for (replies, close) in [
        (vec![left("a")], Close::Unasked),
        (vec![PONG.to_vec()], Close::Unasked),
        (vec![status.clone()], Close::Unasked),
        (vec![confirmation("a"), PONG.to_vec()], Close::Unasked),
        (
            [["a", "b", "c"].map(confirmation).to_vec(), vec![status]].concat(),
            Close::Unasked,
        ),
        (
            [
                ["a", "b", "c"].map(confirmation).to_vec(),
                vec![PONG.into(), PONG.into()],
            ]
            .concat(),
            Close::Unasked,
        ),
    ] {
        assert_eq!(meaning_of(&[&replies.concat()]), Err(close));
    }
}

#[test]
fn refused_channels_stop_no_others_whichever_they_are() {
    let all = ["a", "b", "c", "d", "e"];
    for refused in 0..1_u32 << all.len() {
        let refused: Vec<&str> = (0..all.len())
            .filter(|number| refused & 1 << number != 0)
            .map(|number| all[number])
            .collect();
        let redis = Redis::default();
        let mut memory = Memory::new();
        let mut client = Client::new(&redis, &mut memory, &all);
        for connection in 0..2 {
            assert_eq!(client.session.opened(at(connection)), Ok(()));
            let said = client.talks(connection, &refused);
            if refused.len() == all.len() {
                let close = said.expect_err("nothing is left to be served");
                assert!(close.is_permanent());
                assert_eq!(
                    close.to_string(),
                    format!("no channel may be subscribed to; the server says: {NOPERM}")
                );
            } else {
                let wanted = all.map(|channel| format!("SUBSCRIBE {channel}"));
                assert_eq!(said, Ok(wanted.to_vec()), "without {refused:?}");
                assert!(client.session.is_subscribed());
            }
            client.session.closed(&ClosedBy::Network, at(0));
        }
    }
}

#[test]
fn a_thousand_channels_of_which_some_are_refused_take_few_round_trips() {
    let names: Vec<String> = (0..1000)
        .map(|number| format!("tag/device/signal{number}/in"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let refused: Vec<&str> = names.iter().copied().skip(1).step_by(3).collect();
    let redis = Redis::default();
    let mut memory = Memory {
        input: vec![0; MIN_INPUT],
        commands: vec![0; 4096],
    };
    let mut client = Client::new(&redis, &mut memory, &names);
    assert_eq!(client.session.opened(at(0)), Ok(()));
    let mut round_trips = 0;
    loop {
        let said = client.says();
        if said.is_empty() {
            break;
        }
        let replies: Vec<u8> = said
            .split("; ")
            .flat_map(|command| reply(command, &refused))
            .collect();
        assert_eq!(client.hears(1, &replies), Ok(vec![]));
        round_trips += 1;
    }
    assert!(client.session.is_subscribed());
    assert_eq!(round_trips, 1000_u32.div_ceil(MOST));
}

#[test]
fn an_answer_to_an_earlier_set_of_channels_is_none_to_the_present_one() {
    let redis = Redis::default();
    for reply_to_a in [confirmation("a"), error(NOPERM)] {
        let mut memory = Memory::new();
        let mut client = Client::new(&redis, &mut memory, &["a"]);
        assert_eq!(client.session.opened(at(0)), Ok(()));
        assert_eq!(client.says(), "SUBSCRIBE a");
        let state = client.session.suspend().expect("all is written");
        let mut client = Client::resume(&redis, &mut memory, state, &["b", "c"], &["a"]);
        assert_eq!(client.says(), "UNSUBSCRIBE a; SUBSCRIBE b; SUBSCRIBE c");
        let replies = [reply_to_a, left("a"), error(NOPERM), confirmation("c")].concat();
        assert_eq!(client.hears(1, &replies), Ok(vec![]));
        assert_eq!(client.says(), "");
        assert!(client.session.is_subscribed());
    }
}

#[test]
fn a_server_that_refuses_unsubscribe_is_not_asked_for_it_again_over_this_connection() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let client = Client::subscribed(&redis, &mut memory, &["a"]);
    let state = client.session.suspend().expect("all is written");
    let mut client = Client::resume(&redis, &mut memory, state, &["b"], &["a"]);
    assert_eq!(client.says(), "UNSUBSCRIBE a; SUBSCRIBE b");
    let replies = [error("NOPERM no"), confirmation("b")].concat();
    assert_eq!(client.hears(1, &replies), Ok(vec![]));
    assert_eq!(client.says(), "");
    assert!(client.session.is_subscribed());
    client.session.unsubscribe(b"a");
    assert_eq!(client.says(), "");
    client.session.closed(&ClosedBy::Network, at(0));
    assert_eq!(client.session.opened(at(2)), Ok(()));
    client.session.unsubscribe(b"a");
    assert_eq!(client.says(), "UNSUBSCRIBE a; SUBSCRIBE b");
}

#[cfg(feature = "log")]
mod told {
    //! What does the log say of it, and how often?

    use super::*;
    use crate::logbook;

    /// Warnings since the last call.
    fn warnings() -> Vec<String> {
        let lines = logbook::lines().into_iter();
        lines
            .filter_map(|line| line.strip_prefix("WARN ").map(String::from))
            .collect()
    }

    fn refusal_of(channel: &str) -> String {
        format!("redis: no subscription to {channel}: the server says: {NOPERM}")
    }

    #[test]
    fn refused_channels_are_named_once_for_each_change_the_first_ten_of_them() {
        let names: Vec<String> = (0..100)
            .map(|number| format!("tag/d/s{number}/in"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let redis = Redis::default();
        let mut memory = Memory::new();
        let mut client = Client::new(&redis, &mut memory, &names);
        logbook::open();
        let ten: Vec<String> = names[..10].iter().map(|name| refusal_of(name)).collect();
        let more = |count| format!("redis: no subscription to {count} more channels");
        for (refused, said) in [
            (&names[..90], [&ten[..], &[more(80)]].concat()),
            (&names[..90], vec![]),
            // One may be had now: the next one is named in its place.
            (&names[1..90], vec![refusal_of("tag/d/s10/in"), more(79)]),
            (&names[1..11], vec![]),
            (&names[..0], vec![]),
            (&names[5..6], vec![refusal_of("tag/d/s5/in")]),
            (&names[..], vec![]),
            (&names[5..6], vec![]),
        ] {
            assert_eq!(client.session.opened(at(0)), Ok(()));
            let talk = client.talks(1, refused);
            assert_eq!(talk.is_ok(), refused.len() < names.len());
            let mut warned = warnings();
            if talk.is_err() {
                // Nine others are named; that all are refused is the reason of the close.
                assert_eq!(warned.len(), 9, "{warned:?}");
                warned.clear();
            }
            assert_eq!(warned, said);
            client.session.closed(&ClosedBy::Network, at(0));
        }
    }

    #[test]
    fn after_a_reload_refused_channels_are_named_again() {
        let redis = Redis::default();
        let mut memory = Memory::new();
        let mut client = Client::new(&redis, &mut memory, &["a", "b"]);
        logbook::open();
        assert_eq!(client.session.opened(at(0)), Ok(()));
        assert!(client.talks(0, &["b"]).is_ok());
        assert_eq!(warnings(), [refusal_of("b")]);
        let state = client.session.suspend().expect("all is written");
        let mut client = Client::resume(&redis, &mut memory, state, &["b", "a"], &[]);
        assert!(client.talks(0, &["b"]).is_ok());
        assert_eq!(warnings(), [refusal_of("b")]);
    }

    #[test]
    fn errors_in_answer_to_ping_are_told_once_for_each_change() {
        let redis = Redis::default();
        let mut memory = Memory::new();
        let mut client = Client::subscribed(&redis, &mut memory, &["a"]);
        logbook::open();
        let told = |words: &str| {
            format!(
                "redis: PING is answered with an error, the subscription stays; the server says: {words}"
            )
        };
        for (answer, is_told) in [
            (Some("MISCONF a"), true),
            (Some("MISCONF a"), false),
            (Some("BUSY b"), true),
            (Some("MISCONF a"), true),
            (None, false),
            (Some("MISCONF a"), true),
        ] {
            let start = client.session.deadline();
            assert_eq!(client.session.expire(start), Ok(()));
            assert_eq!(client.says(), "PING");
            let bytes = answer.map_or(PONG.to_vec(), error);
            assert_eq!(client.hears(start.as_millis(), &bytes), Ok(vec![]));
            let words = answer.filter(|_| is_told).map(told);
            assert_eq!(warnings(), Vec::from_iter(words), "{answer:?}");
        }
        // A new connection is none.
        client.session.closed(&ClosedBy::Network, at(0));
        assert_eq!(client.session.opened(at(0)), Ok(()));
        assert!(client.talks(0, &[]).is_ok());
        assert_eq!(client.session.expire(client.session.deadline()), Ok(()));
        assert_eq!(client.says(), "PING");
        assert_eq!(client.hears(15_000, &error("MISCONF a")), Ok(vec![]));
        assert_eq!(warnings(), [""; 0]);
    }

    #[test]
    fn an_error_in_answer_to_unsubscribe_is_told_once() {
        let redis = Redis::default();
        let mut memory = Memory::new();
        let mut client = Client::subscribed(&redis, &mut memory, &["a"]);
        logbook::open();
        for channel in [b"x", b"y"] {
            client.session.unsubscribe(channel);
        }
        assert_eq!(client.says(), "UNSUBSCRIBE x; UNSUBSCRIBE y");
        for words in ["NOPERM no", "BUSY"] {
            assert_eq!(client.hears(1, &error(words)), Ok(vec![]));
        }
        assert_eq!(
            warnings(),
            [
                "redis: UNSUBSCRIBE is answered with an error, the subscription stays; the server says: NOPERM no"
            ]
        );
    }

    #[test]
    fn a_password_that_an_answer_repeats_is_shown_at_no_level_in_whatever_pieces_it_comes() {
        let redis = Redis {
            password: Some(Secret::new("secret")),
            ..Redis::default()
        };
        let reply = error("ERR unknown command 'AUTH', with args beginning with: 'secret' ");
        logbook::open();
        for size in 1..=reply.len() {
            let mut memory = Memory::new();
            let mut client = Client::new(&redis, &mut memory, &["a"]);
            assert_eq!(client.session.opened(at(0)), Ok(()));
            assert_eq!(client.says(), "AUTH secret; SUBSCRIBE a");
            let result = reply
                .chunks(size)
                .try_for_each(|piece| client.hears(1, piece).map(|_| ()));
            let close = result.expect_err("AUTH is refused");
            let lines = logbook::lines().concat() + &close.to_string();
            // In single bytes as well: the trace shows none of them.
            assert!(
                !lines.contains("secret") && !lines.contains("with args"),
                "{lines}"
            );
            assert_eq!(
                lines.matches("the answer to AUTH").count(),
                reply.len().div_ceil(size)
            );
        }
    }
}

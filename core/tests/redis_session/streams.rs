//! What is made of bytes that come in any pieces, are too many, or are none of a server?

use mqtt_client_core::config::Redis;
use mqtt_client_core::net::protocol::{ClosedBy, Protocol as _};
use mqtt_client_core::redis::oversized::MAX_HEAD;
use mqtt_client_core::redis::session::{Close, Incoming, MIN_INPUT};

use super::{Client, Memory, at, confirmation, meaning_of, message};

/// What a good server says after SUBSCRIBE of three channels and PING, with frames among it that no input holds.
fn good_stream() -> Vec<u8> {
    let huge = "9".repeat(700);
    [
        confirmation("a"),
        confirmation("b"),
        message("a", "1,2"),
        message("b", &huge),
        confirmation("c"),
        b"+PONG\r\n".to_vec(),
        message("c", ""),
        message("not/ours", "*3\r\n$7\r\nmessage\r\n"),
        message("b", "3,4,IV"),
    ]
    .concat()
}

fn good_meaning() -> Vec<String> {
    [
        "a 1,2",
        "oversized b",
        "c ",
        r"not/ours *3\r\n$7\r\nmessage\r\n",
        "b 3,4,IV",
    ]
    .map(String::from)
    .to_vec()
}

#[test]
fn a_stream_means_the_same_wherever_it_is_split() {
    let stream = good_stream();
    for split in 0..=stream.len() {
        let (start, end) = stream.split_at(split);
        assert_eq!(
            meaning_of(&[start, end]),
            Ok(good_meaning()),
            "split at {split}"
        );
    }
    for size in 1..=MIN_INPUT {
        let pieces: Vec<&[u8]> = stream.chunks(size).collect();
        assert_eq!(meaning_of(&pieces), Ok(good_meaning()), "pieces of {size}");
    }
}

#[test]
fn no_corrupted_byte_makes_the_session_panic_or_hang() {
    let good = good_stream();
    let (mut closed, mut tolerated) = (0, 0);
    for place in 0..good.len() {
        let flipped = (0..8).map(|bit| good[place] ^ 1 << bit);
        for value in flipped.chain(*b"\r\n$*+-:09") {
            let mut stream = good.clone();
            stream[place] = value;
            // A length that grew swallows what follows: 900 bytes at most, in place of 700.
            for _ in 0..10 {
                stream.extend(message("z", "last"));
            }
            match meaning_of(&[&stream]) {
                Ok(heard) => {
                    assert_eq!(
                        heard.last().map(String::as_str),
                        Some("z last"),
                        "byte {place} is {value:#x}"
                    );
                    tolerated += 1;
                }
                Err(close) => {
                    assert!(!close.to_string().is_empty());
                    closed += 1;
                }
            }
        }
    }
    assert!(
        closed > 1000 && tolerated > 1000,
        "{closed} closed, {tolerated} tolerated"
    );
}

#[test]
fn what_does_not_speak_resp2_is_malformed() {
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n"[..],
        b"*1\r\n$4\r\npong\r\n",
        b"*4\r\n",
        b"*3\r\n$7\r\nmassage\r\n",
        b"*3\r\n$7\r\nmessage\r\n$-1\r\n",
        b"*3\r\n$7\r\nmessage\r\n:1\r\n",
        b"$5\r\nhello\r\n",
        b"*3\r\n$7\r\nmessageXX",
        b">3\r\n$7\r\nmessage\r\n",
        b":1\r\n",
        b"\0",
    ] {
        assert_eq!(
            meaning_of(&[bytes]),
            Err(Close::Malformed),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn oversized_frames_of_every_length_are_passed_over_whole() {
    for len in MIN_INPUT - 60..MIN_INPUT + 60 {
        let stream = [message("a", &"x".repeat(len)), message("b", "1,2")].concat();
        let heard = meaning_of(&[&stream]).expect("well-formed");
        let frame = message("a", &"x".repeat(len)).len();
        match frame > MIN_INPUT {
            true => assert_eq!(heard, ["oversized a", "b 1,2"], "{len}"),
            false => assert_eq!(heard.len(), 2, "{len}"),
        }
    }
}

#[test]
fn inputs_down_to_the_smallest_head_are_read_without_a_panic() {
    for len in 0..MAX_HEAD + 40 {
        let redis = Redis::default();
        let mut memory = Memory {
            input: vec![0; len],
            commands: vec![0; 400],
        };
        let mut client = Client::new(&redis, &mut memory, &["a"]);
        assert_eq!(client.session.opened(at(0)), Ok(()));
        client.says();
        let stream = [message("a", "1,2"), message("a", "3,4")].concat();
        let mut rest = stream.as_slice();
        let mut result = Ok(());
        while result.is_ok() {
            let room = client.session.input();
            let count = room.len().min(rest.len());
            if count == 0 {
                break;
            }
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            client.session.received(count, at(1)).expect("it is taken");
            while result.is_ok() {
                match client.session.next_incoming() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(close) => result = Err(close),
                }
            }
        }
        assert!(
            len <= MAX_HEAD || (result.is_ok() && rest.is_empty()),
            "{len} bytes: {result:?}"
        );
    }
}

#[test]
fn a_message_that_came_whole_before_the_connection_ended_is_not_lost() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::subscribed(&redis, &mut memory, &["a"]);
    let stream = [
        message("a", "1,2"),
        b"+PONG\r\n".to_vec(),
        message("a", "3,4"),
        b"*3\r\n$7\r\nmess".to_vec(),
    ]
    .concat();
    client.session.input()[..stream.len()].copy_from_slice(&stream);
    assert_eq!(client.session.received(stream.len(), at(1)), Ok(()));
    // The network fails while something is written, before anybody has looked.
    client.session.closed(&ClosedBy::Network, at(1));
    let mut payloads = Vec::new();
    while let Ok(Some(Incoming::Message { payload, .. })) = client.session.next_incoming() {
        payloads.push(String::from_utf8_lossy(payload).into_owned());
    }
    assert_eq!(payloads, ["1,2", "3,4"]);
    assert!(matches!(client.session.next_incoming(), Ok(None)));
    assert_eq!(client.session.opened(at(2)), Ok(()));
    assert!(matches!(client.session.next_incoming(), Ok(None)));
}

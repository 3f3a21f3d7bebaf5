//! What a Redis server says to a subscriber.
//!
//! - A frame is read when it is whole and not before; what was malformed stays so whatever follows.
//! - Consumed and rest are the input; a frame's content, written anew, is read as the same frame.
//! - It is the same by the grammar alone: a number may begin with 0, and no way but the grammar knows of it.
//! - Another reader (`redis-protocol`) takes the same bytes for the same frame.
//! - A session hears every message of a stream, one that does not fit its input as such; the same in any pieces; and its deadline
//!   is never in the past twice.
//! - It ends where a reply is not to the command that was to be answered next, or is a refusal of all channels, and nowhere before.

use mqtt_client_core::config::Redis;
use mqtt_client_core::net::protocol::Protocol as _;
use mqtt_client_core::redis::resp::{Frame, Malformed, frame};
use mqtt_client_core::redis::session::{Channels, Close, Incoming, MIN_INPUT, Session, Storage};
use mqtt_client_core::time::Instant;
use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;

use crate::pieces::ways_to_split;

/// More prefixes than these take too long, and show nothing new.
const PREFIXES: usize = 300;

/// Checks one stream.
pub fn check(stream: &[u8]) {
    check_first_frame(stream);
    for pings in [false, true] {
        let [whole, rest @ ..] = ways_to_split(stream).map(|pieces| heard(&pieces, pings));
        for other in rest {
            assert_eq!(other, whole);
        }
        let expected = expected(stream);
        assert!(
            whole.0.starts_with(&expected),
            "heard {:?}, expected {expected:?}",
            whole.0
        );
        if let Some(goes_on) = goes_on(stream, pings) {
            assert_eq!(goes_on, whole.2.is_none(), "{:?}", whole.2);
        }
    }
}

/// Whether a session goes on after a stream of replies to SUBSCRIBE of its two channels, and to PING where it has said so; `None` if the
/// stream has more than whole frames that fit its input.
fn goes_on(stream: &[u8], pings: bool) -> Option<bool> {
    let mut channels = ["tag/a/b/in", "tag/a/c/in"].iter();
    let mut ping = pings;
    let mut confirmed = false;
    let mut rest = stream;
    while !rest.is_empty() {
        let (read, len) = match frame(rest) {
            Ok(Some((read, len))) if len <= MIN_INPUT => (read, len),
            Err(Malformed) if rest.len() <= MIN_INPUT => return Some(false),
            _ => return None,
        };
        rest = &rest[len..];
        if matches!(read, Frame::Message { .. }) {
            continue;
        }
        let right = match (read, channels.next()) {
            (Frame::Subscribed { channel }, Some(next)) => {
                confirmed = true;
                channel == next.as_bytes()
            }
            (Frame::Error(words), Some(_)) => {
                words.starts_with(b"NOPERM") && (confirmed || channels.len() > 0)
            }
            (Frame::Pong | Frame::Error(_), None) => std::mem::take(&mut ping),
            _ => false,
        };
        if !right {
            return Some(false);
        }
    }
    Some(true)
}

/// What a session must hear of the stream at least: its messages, up to the first frame that is anything but a message as a
/// server writes it.
fn expected(stream: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    let mut rest = stream;
    while let Ok(Some((OwnedFrame::Array(words), len))) = decode(rest) {
        let [
            _,
            OwnedFrame::BulkString(channel),
            OwnedFrame::BulkString(payload),
        ] = &words[..]
        else {
            break;
        };
        let message = Frame::Message { channel, payload };
        let (frame, after) = rest.split_at(len);
        if written(&message) != frame {
            break;
        }
        rest = after;
        messages.push(if len <= MIN_INPUT {
            told(&Incoming::Message { channel, payload })
        } else {
            // The channel is known if the input holds the whole of it, its line's end included.
            let head = len - format!("${}\r\n", payload.len()).len() - payload.len() - 2;
            let channel = (head <= MIN_INPUT).then_some(&channel[..]);
            told(&Incoming::Oversized { channel })
        });
    }
    messages
}

fn check_first_frame(stream: &[u8]) {
    let result = frame(stream);
    let end = match result {
        Ok(Some((_, len))) => len,
        Ok(None) | Err(Malformed) => stream.len(),
    };
    assert!(end <= stream.len());
    for cut in 0..end.min(PREFIXES) {
        match (frame(&stream[..cut]), result) {
            (Ok(None), _) | (Err(Malformed), Err(Malformed)) => {}
            (early, late) => panic!("{early:?} of {cut} bytes, {late:?} of {end}"),
        }
    }
    if let Some(rest) = stream.strip_prefix(b"*3\r\n") {
        let by_grammar = [b"*03\r\n", rest].concat();
        let longer = result.map(|read| read.map(|(read, len)| (read, len + 1)));
        assert_eq!(frame(&by_grammar), longer);
    }
    if let Ok(Some((read, len))) = result {
        assert_eq!(frame(&stream[..len]), Ok(Some((read, len))));
        let written = written(&read);
        assert_eq!(frame(&written), Ok(Some((read, written.len()))));
        if matches!(read, Frame::Error(line) if str::from_utf8(line).is_err()) {
            // redis-protocol reads errors as text only.
            return;
        }
        let (oracle, consumed) = decode(&stream[..len])
            .unwrap_or_else(|error| panic!("{read:?} is none to redis-protocol: {error}"))
            .unwrap_or_else(|| panic!("{read:?} is not whole to redis-protocol"));
        assert_eq!(consumed, len);
        assert!(
            is_same(&read, &oracle),
            "{read:?} is {oracle:?} to redis-protocol"
        );
    }
}

/// The frame as a server would write it.
fn written(frame: &Frame<'_>) -> Vec<u8> {
    let bulk = |text: &[u8]| [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat();
    match frame {
        Frame::Status(line) => [b"+", *line, b"\r\n"].concat(),
        Frame::Error(line) => [b"-", *line, b"\r\n"].concat(),
        Frame::Pong => b"+PONG\r\n".to_vec(),
        Frame::Message { channel, payload } => {
            [b"*3\r\n$7\r\nmessage\r\n", &*bulk(channel), &bulk(payload)].concat()
        }
        Frame::Subscribed { channel } => {
            [b"*3\r\n$9\r\nsubscribe\r\n", &*bulk(channel), b":1\r\n"].concat()
        }
        Frame::Unsubscribed => b"*3\r\n$11\r\nunsubscribe\r\n$1\r\nx\r\n:0\r\n".to_vec(),
    }
}

fn is_same(frame: &Frame<'_>, oracle: &OwnedFrame) -> bool {
    match (frame, oracle) {
        (Frame::Status(line), OwnedFrame::SimpleString(text)) => *line == text.as_slice(),
        (Frame::Error(line), OwnedFrame::Error(text)) => *line == text.as_bytes(),
        (Frame::Pong, OwnedFrame::SimpleString(text)) => text == b"PONG",
        (Frame::Pong, OwnedFrame::Array(words)) => is_bulk(words, 0, b"pong"),
        (Frame::Message { channel, payload }, OwnedFrame::Array(words)) => {
            is_bulk(words, 0, b"message")
                && is_bulk(words, 1, channel)
                && is_bulk(words, 2, payload)
        }
        (Frame::Subscribed { channel }, OwnedFrame::Array(words)) => {
            is_bulk(words, 0, b"subscribe") && is_bulk(words, 1, channel)
        }
        (Frame::Unsubscribed, OwnedFrame::Array(words)) => is_bulk(words, 0, b"unsubscribe"),
        _ => false,
    }
}

fn is_bulk(words: &[OwnedFrame], place: usize, text: &[u8]) -> bool {
    matches!(words.get(place), Some(OwnedFrame::BulkString(word)) if word == text)
}

/// Two channels.
struct Two;

impl Channels for Two {
    fn count(&self) -> usize {
        2
    }

    fn channel(&self, number: usize) -> Option<[&[u8]; 5]> {
        let name: &[u8] = ["tag/a/b/in", "tag/a/c/in"].get(number)?.as_bytes();
        Some([name, b"", b"", b"", b""])
    }
}

/// What a session hears and says, and how that ends. It may have said PING.
fn heard(pieces: &[&[u8]], pings: bool) -> (Vec<String>, Vec<u8>, Option<Close>) {
    let redis = Redis::default();
    let (mut input, mut commands) = ([0; MIN_INPUT], [0; 1000]);
    let storage = Storage {
        input: &mut input,
        commands: &mut commands,
    };
    let mut session = Session::new(&redis, Two, storage);
    let mut now = Instant::from_millis(1000);
    assert_eq!(session.opened(now), Ok(()));
    let (mut messages, mut said) = (Vec::new(), Vec::new());
    say(&mut session, &mut said);
    if pings {
        now = session.deadline();
        assert_eq!(session.expire(now), Ok(()));
        say(&mut session, &mut said);
    }
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let room = session.input();
            let count = room.len().min(rest.len());
            assert!(count > 0, "no room, though all was handled");
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            assert_eq!(session.received(count, now), Ok(()));
            loop {
                match session.next_incoming() {
                    Ok(None) => break,
                    Ok(Some(incoming)) => messages.push(told(&incoming)),
                    Err(close) => return (messages, said, Some(close)),
                }
            }
            assert!(session.deadline() > now);
        }
    }
    say(&mut session, &mut said);
    let deadline = session.deadline();
    if session.expire(deadline).is_ok() {
        assert!(session.deadline() > deadline);
    } else {
        assert!(
            pings && pieces.concat().is_empty(),
            "something was received"
        );
    }
    say(&mut session, &mut said);
    (messages, said, None)
}

fn told(incoming: &Incoming<'_>) -> String {
    match incoming {
        Incoming::Message { channel, payload } => {
            format!("{} {}", channel.escape_ascii(), payload.escape_ascii())
        }
        Incoming::Oversized { channel } => {
            format!(
                "oversized {:?}",
                channel.map(|channel| channel.escape_ascii().to_string())
            )
        }
    }
}

fn say(session: &mut Session<'_, Two>, said: &mut Vec<u8>) {
    let now = Instant::default();
    loop {
        let bytes = session.output(now).expect("room for the commands");
        if bytes.is_empty() {
            break;
        }
        said.extend_from_slice(bytes);
        let count = bytes.len();
        session.sent(count, now);
    }
}

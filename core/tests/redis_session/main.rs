//! What does the session say to Redis, and what does it make of the answers?
//!
//! | module | question |
//! |---|---|
//! | `talking` | what is said to a server, and what do its answers mean? |
//! | `streams` | what is made of bytes that come in any pieces, are too many, or are none of a server? |
//! | `refusals` | what if the server answers with an error, and to what? |
//! | `changing` | what if the channels change? |

mod changing;
#[cfg(feature = "log")]
#[path = "../common/logbook.rs"]
mod logbook;
mod refusals;
mod streams;
mod talking;

use mqtt_client_core::config::Redis;
use mqtt_client_core::net::protocol::Protocol as _;
use mqtt_client_core::redis::session::{
    Channels, Close, Incoming, MIN_INPUT, Session, State, Storage,
};
use mqtt_client_core::time::Instant;

/// Channels by name; an empty one is a number that is not in use.
struct Names(Vec<String>);

impl Names {
    fn of(names: &[&str]) -> Self {
        Names(names.iter().map(ToString::to_string).collect())
    }
}

impl Channels for Names {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn channel(&self, number: usize) -> Option<[&[u8]; 5]> {
        let name = self.0.get(number).filter(|name| !name.is_empty())?;
        Some([name.as_bytes(), b"", b"", b"", b""])
    }
}

/// The memory of a session.
struct Memory {
    input: Vec<u8>,
    commands: Vec<u8>,
}

impl Memory {
    fn new() -> Self {
        Memory {
            input: vec![0; MIN_INPUT],
            commands: vec![0; 1024],
        }
    }

    fn storage(&mut self) -> Storage<'_> {
        Storage {
            input: &mut self.input,
            commands: &mut self.commands,
        }
    }
}

struct Client<'a> {
    session: Session<'a, Names>,
}

impl<'a> Client<'a> {
    fn new(redis: &'a Redis<'a>, memory: &'a mut Memory, channels: &[&str]) -> Self {
        Client {
            session: Session::new(redis, Names::of(channels), memory.storage()),
        }
    }

    fn resume(
        redis: &'a Redis<'a>,
        memory: &'a mut Memory,
        state: State,
        channels: &[&str],
        left: &'a [&'a str],
    ) -> Self {
        Client {
            session: Session::resume(redis, Names::of(channels), memory.storage(), state, left),
        }
    }

    /// A connection whose channels are all confirmed.
    fn subscribed(redis: &'a Redis<'a>, memory: &'a mut Memory, channels: &[&str]) -> Self {
        let mut client = Self::new(redis, memory, channels);
        assert_eq!(client.session.opened(at(0)), Ok(()));
        client.talks(0, &[]).expect("the connection goes on");
        assert!(client.session.is_subscribed());
        client
    }

    /// Talks with a server that refuses these channels, until neither says anything; the commands.
    fn talks(&mut self, millis: u64, refused: &[&str]) -> Result<Vec<String>, Close> {
        let mut all = Vec::new();
        loop {
            let said = self.drain()?;
            if said.is_empty() {
                return Ok(all);
            }
            for command in said.split("; ") {
                all.push(command.to_string());
                assert_eq!(self.hears(millis, &reply(command, refused))?, [""; 0]);
            }
        }
    }

    /// Lets the network take all there is; the commands, with a semicolon in between.
    fn says(&mut self) -> String {
        self.drain().expect("the connection goes on")
    }

    fn drain(&mut self) -> Result<String, Close> {
        let mut said = Vec::new();
        loop {
            let bytes = self.session.output(at(0))?;
            if bytes.is_empty() {
                return Ok(commands(&said));
            }
            let count = bytes.len().min(7);
            said.extend_from_slice(&bytes[..count]);
            self.session.sent(count, at(0));
        }
    }

    /// What the bytes bring: `channel payload`, or `oversized channel`.
    fn hears(&mut self, millis: u64, mut bytes: &[u8]) -> Result<Vec<String>, Close> {
        let mut heard = Vec::new();
        while !bytes.is_empty() {
            let room = self.session.input();
            let count = room.len().min(bytes.len());
            assert!(count > 0, "the input is full, and nothing is made of it");
            room[..count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            self.session.received(count, at(millis))?;
            while let Some(incoming) = self.session.next_incoming()? {
                heard.push(match incoming {
                    Incoming::Message { channel, payload } => {
                        format!("{} {}", text(channel), text(payload))
                    }
                    Incoming::Oversized { channel } => {
                        format!("oversized {}", channel.map_or("?".into(), text))
                    }
                });
            }
        }
        Ok(heard)
    }
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn message(channel: &str, payload: &str) -> Vec<u8> {
    format!(
        "*3\r\n{}{}{}",
        bulk("message"),
        bulk(channel),
        bulk(payload)
    )
    .into_bytes()
}

fn confirmation(channel: &str) -> Vec<u8> {
    format!("*3\r\n{}{}:1\r\n", bulk("subscribe"), bulk(channel)).into_bytes()
}

fn left(channel: &str) -> Vec<u8> {
    format!("*3\r\n{}{}:1\r\n", bulk("unsubscribe"), bulk(channel)).into_bytes()
}

/// What a server says of a channel that its ACL withholds.
const NOPERM: &str =
    "NOPERM this user has no permissions to access one of the channels used as arguments";

fn error(words: &str) -> Vec<u8> {
    format!("-{words}\r\n").into_bytes()
}

const PONG: &[u8] = b"*2\r\n$4\r\npong\r\n$0\r\n\r\n";

/// The reply of a server that refuses these channels.
fn reply(command: &str, refused: &[&str]) -> Vec<u8> {
    match command.split_once(' ') {
        Some(("SUBSCRIBE", channel)) if refused.contains(&channel) => error(NOPERM),
        Some(("SUBSCRIBE", channel)) => confirmation(channel),
        Some(("UNSUBSCRIBE", channel)) => left(channel),
        None if command == "PING" => PONG.to_vec(),
        _ => b"+OK\r\n".to_vec(),
    }
}

/// Reads RESP2 arrays of bulk strings, strictly; each as a line of words.
fn commands(bytes: &[u8]) -> String {
    let mut lines = std::str::from_utf8(bytes).expect("text").split("\r\n");
    let mut told = Vec::new();
    while let Some(head) = lines.next().filter(|head| !head.is_empty()) {
        let count: usize = head
            .strip_prefix('*')
            .expect("an array")
            .parse()
            .expect("a count");
        let words = (0..count).map(|_| {
            let head = lines.next().expect("a head");
            let word = lines.next().expect("a word");
            assert_eq!(head, format!("${}", word.len()));
            word
        });
        told.push(words.collect::<Vec<_>>().join(" "));
    }
    told.join("; ")
}

/// What pieces of a stream mean to a session that has asked for three channels, and then for a sign of life.
fn meaning_of(pieces: &[&[u8]]) -> Result<Vec<String>, Close> {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::new(&redis, &mut memory, &["a", "b", "c"]);
    assert_eq!(client.session.opened(at(0)), Ok(()));
    client.says();
    assert_eq!(client.session.expire(at(15_000)), Ok(()));
    assert_eq!(client.says(), "PING");
    let mut heard = Vec::new();
    for piece in pieces {
        heard.extend(client.hears(15_001, piece)?);
    }
    Ok(heard)
}

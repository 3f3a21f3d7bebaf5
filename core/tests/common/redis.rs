//! A model Redis: subscriptions, AUTH and PING of one client.

use std::collections::BTreeSet;

pub struct Redis {
    /// AUTH must say this before anything else.
    pub password: Option<String>,
    /// Whether it says anything; if not, its replies wait.
    pub answers: bool,
    /// What it says to PING, if that is an error.
    pub ping_error: Option<&'static str>,
    /// Channels that its ACL withholds.
    pub refused: BTreeSet<String>,
    /// Whether it has said so to this client.
    pub has_refused: bool,
    /// All commands, of all connections.
    pub heard: Vec<String>,
    pub channels: BTreeSet<String>,
    let_in: bool,
    input: Vec<u8>,
    unsaid: String,
}

/// What it says to a SUBSCRIBE that names a channel of [`Redis::refused`].
pub const NOPERM: &str =
    "NOPERM this user has no permissions to access one of the channels used as arguments";

impl Redis {
    pub fn new() -> Self {
        Redis {
            password: None,
            answers: true,
            ping_error: None,
            refused: BTreeSet::new(),
            has_refused: false,
            heard: Vec::new(),
            channels: BTreeSet::new(),
            let_in: false,
            input: Vec::new(),
            unsaid: String::new(),
        }
    }

    pub fn connection_ended(&mut self) {
        self.channels.clear();
        self.input.clear();
        self.unsaid.clear();
        self.has_refused = false;
        self.let_in = false;
    }

    /// Takes bytes from the client; the answer.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.input.extend_from_slice(bytes);
        while let Some(words) = take_command(&mut self.input) {
            self.heard.push(words.join(" "));
            let answer = self.answer(&words);
            self.unsaid += &answer;
        }
        if self.answers {
            std::mem::take(&mut self.unsaid).into_bytes()
        } else {
            Vec::new()
        }
    }

    fn answer(&mut self, words: &[String]) -> String {
        self.let_in |= self.password.is_none();
        match words
            .split_first()
            .map(|(name, rest)| (name.as_str(), rest))
        {
            Some(("AUTH", [.., password])) => {
                self.let_in = Some(password) == self.password.as_ref();
                let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
                if self.let_in { "+OK\r\n" } else { wrong }.to_string()
            }
            _ if !self.let_in => "-NOAUTH Authentication required.\r\n".to_string(),
            // The whole command, whatever else it names.
            Some(("SUBSCRIBE", channels))
                if channels.iter().any(|name| self.refused.contains(name)) =>
            {
                self.has_refused = true;
                format!("-{NOPERM}\r\n")
            }
            Some(("SUBSCRIBE", channels)) => {
                self.channels.extend(channels.iter().cloned());
                self.confirmations("subscribe", channels)
            }
            Some(("UNSUBSCRIBE", channels)) => {
                self.channels.retain(|channel| !channels.contains(channel));
                self.confirmations("unsubscribe", channels)
            }
            Some(("SELECT", _)) => "+OK\r\n".to_string(),
            Some(("PING", _)) => match self.ping_error {
                Some(error) => format!("-{error}\r\n"),
                None if self.channels.is_empty() => "+PONG\r\n".to_string(),
                None => "*2\r\n$4\r\npong\r\n$0\r\n\r\n".to_string(),
            },
            _ => panic!("a publishing bridge says {words:?}"),
        }
    }

    fn confirmations(&self, kind: &str, channels: &[String]) -> String {
        let one = |channel: &String| {
            format!(
                "*3\r\n{}{}:{}\r\n",
                bulk(kind),
                bulk(channel),
                self.channels.len()
            )
        };
        channels.iter().map(one).collect()
    }
}

/// What a subscriber of the channel hears.
pub fn message(channel: &str, payload: &str) -> Vec<u8> {
    format!(
        "*3\r\n{}{}{}",
        bulk("message"),
        bulk(channel),
        bulk(payload)
    )
    .into_bytes()
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// Takes an array of bulk strings off the bytes, if it is whole.
fn take_command(bytes: &mut Vec<u8>) -> Option<Vec<String>> {
    let mut rest = bytes.as_slice();
    let count = take_head(&mut rest, b'*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let len = take_head(&mut rest, b'$')?;
        let (word, after) = rest.split_at_checked(len + 2)?;
        // A channel may have any name, if only to be unsubscribed from.
        words.push(String::from_utf8_lossy(&word[..len]).into_owned());
        assert_eq!(&word[len..], b"\r\n");
        rest = after;
    }
    let left = rest.len();
    bytes.drain(..bytes.len() - left);
    Some(words)
}

fn take_head(rest: &mut &[u8], kind: u8) -> Option<usize> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let (head, after) = rest.split_at(end);
    assert_eq!(head.first(), Some(&kind), "{}", head.escape_ascii());
    *rest = &after[2..];
    Some(
        std::str::from_utf8(&head[1..])
            .expect("text")
            .parse()
            .expect("a number"),
    )
}

//! What does a proxy answer? A status line and header lines (RFC 9112, 4), read byte by byte, since the byte behind the last of them is the peer's.
//!
//! Not by `nom`, nor by the crate `httparse`, which fuzzing has beside it as a second reader: they need the whole head in memory, more than a board has for
//! each broker, where three digits and the empty line are all that counts.

use core::fmt::{self, Display};

/// Bytes of an answer, at most, those that announce it (status 1xx) included.
pub const MAX_ANSWER: u16 = 8192;

/// Bytes of the status line that are kept: it may be shown.
const KEPT: usize = 64;

/// What is heard so far.
#[derive(Default)]
pub struct Answer {
    /// Bytes of all of it.
    count: u16,
    status_line: heapless::Vec<u8, KEPT>,
    /// Once the status line has ended.
    status: Option<u16>,
    /// The line has a byte.
    in_line: bool,
}

/// Why a proxy did not connect us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It says so.
    Status(u16),
    /// The same, for want of a login or because of it.
    Login {
        given: bool,
    },
    NoHttp,
    TooLong,
    Closed,
}

impl Answer {
    /// The next byte; whether it is the last one, and the proxy is connected to the peer.
    ///
    /// # Errors
    /// The proxy does not connect us.
    pub fn take(&mut self, byte: u8) -> Result<bool, Refusal> {
        self.count += 1;
        if self.count > MAX_ANSWER {
            return Err(Refusal::TooLong);
        }
        match (byte, self.status) {
            // A CR belongs to the end of a line, which old programs leave it out of (RFC 9112, 2.2).
            (b'\r', _) => {}
            (b'\n', None) => self.status = self.judge()?,
            (b'\n', Some(status)) if !self.in_line => {
                // 1xx only announces another answer.
                self.status = None;
                self.status_line.clear();
                return Ok(status >= 200);
            }
            (b'\n', Some(_)) => self.in_line = false,
            (_, None) => {
                // Of what is too long for it no more is shown.
                if self.status_line.push(byte).is_err() {
                    self.paused()?;
                }
            }
            (_, Some(_)) => self.in_line = true,
        }
        Ok(false)
    }

    /// Nothing follows for now.
    ///
    /// # Errors
    /// Nothing more has to be waited for: what came is no HTTP.
    pub fn paused(&self) -> Result<(), Refusal> {
        let begun = self.status_line.iter().zip(b"HTTP/1.");
        match begun.clone().all(|(byte, expected)| byte == expected) {
            true => Ok(()),
            false => Err(Refusal::NoHttp),
        }
    }

    /// The status, if the proxy connects us, or announces another answer.
    fn judge(&self) -> Result<Option<u16>, Refusal> {
        let status = match self.status_line.as_slice() {
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', rest @ ..] => status(rest),
            _ => None,
        };
        match status {
            None => Err(Refusal::NoHttp),
            // 101 would be a change of protocol that nobody has asked for.
            Some(100 | 102..=299) => Ok(status),
            Some(status) => Err(Refusal::Status(status)),
        }
    }

    /// The proxy's own words: the status line, or its beginning.
    #[must_use]
    pub fn status_line(&self) -> &[u8] {
        &self.status_line
    }
}

/// Three digits, and a space or the end (RFC 9112, 4).
fn status(text: &[u8]) -> Option<u16> {
    let (digits, rest) = text.split_at_checked(3)?;
    let number = digits.iter().try_fold(0, |number, digit| {
        let is_digit = digit.is_ascii_digit();
        is_digit.then_some(number * 10 + u16::from(digit & 0x0f))
    });
    number.filter(|_| matches!(rest, [] | [b' ', ..]))
}

impl Refusal {
    /// Whether only a change of the configuration, here or at the proxy, will help.
    #[must_use]
    pub fn is_permanent(self) -> bool {
        matches!(self, Refusal::Status(403) | Refusal::Login { .. })
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Login { given: false } => "the proxy wants proxy_username and proxy_password",
            Refusal::Login { given: true } => "the proxy refuses proxy_username and proxy_password",
            Refusal::Status(403) => "the proxy forbids this host or port",
            Refusal::Status(502 | 503) => "the proxy does not reach the broker",
            Refusal::Status(504) => "the broker does not answer the proxy",
            Refusal::Status(_) => "the proxy refuses",
            Refusal::NoHttp => "the proxy speaks no HTTP",
            Refusal::TooLong => "the proxy's answer is too long",
            Refusal::Closed => "the proxy closes without an answer",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::{String, ToString};

    /// How far an answer was heard: how many bytes behind it are the peer's, or why not; and the status line.
    fn hear(bytes: &[u8]) -> (Result<usize, Refusal>, String) {
        let mut answer = Answer::default();
        let mut behind = bytes.iter();
        let mut heard = Ok(false);
        while heard == Ok(false) {
            heard = match behind.next() {
                Some(byte) => answer.take(*byte),
                None => Err(Refusal::Closed),
            };
        }
        let line = String::from_utf8_lossy(answer.status_line());
        (heard.map(|_| behind.len()), line.into())
    }

    #[test]
    fn a_tunnel_begins_right_behind_the_header_of_a_2xx_answer() {
        for head in [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.0 200 OK\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n",
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1 200 \r\n\r\n",
            "HTTP/1.1 299 Whatever\r\n\r\n",
            // Line ends of old programs.
            "HTTP/1.1 200 OK\n\n",
            "HTTP/1.1 200 OK\nA: b\r\n\n",
            // A body that there is not (RFC 9110, 9.3.6).
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            // Answers that announce another.
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ] {
            for behind in ["", "\x20\x02\0\0", "HTTP/1.1 403 no\r\n\r\n", "\r\n\r\n"] {
                let whole = format!("{head}{behind}");
                let (heard, _) = hear(whole.as_bytes());
                assert_eq!(heard, Ok(behind.len()), "{whole:?}");
            }
            for cut in 0..head.len() {
                let (heard, _) = hear(&head.as_bytes()[..cut]);
                assert_eq!(heard, Err(Refusal::Closed), "{head:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn any_other_status_is_a_refusal_and_what_is_no_http_is_named() {
        use Refusal::{NoHttp, Status};
        for (answer, refusal) in [
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\n",
                Status(407),
            ),
            ("HTTP/1.0 403 Filtered\r\n", Status(403)),
            ("HTTP/1.1 503\n", Status(503)),
            ("HTTP/1.1 101 Switching\r\n", Status(101)),
            ("HTTP/1.1 301 Moved\r\n", Status(301)),
            ("HTTP/1.1 000 \r\n", Status(0)),
            ("HTTP/1.1 999 \r\n", Status(999)),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 504 No\r\n",
                Status(504),
            ),
            ("SSH-2.0-OpenSSH_9.2\r\n", NoHttp),
            ("\n", NoHttp),
            ("\r\n", NoHttp),
            ("HTTP/1.1 20\r\n", NoHttp),
            ("HTTP/1.1 2000 OK\r\n", NoHttp),
            ("HTTP/1.1 2x0 OK\r\n", NoHttp),
            ("HTTP/2 200\r\n", NoHttp),
            ("http/1.1 200 OK\r\n", NoHttp),
            ("HTTP/1.1 100 Continue\r\n\r\n\r\n", NoHttp),
        ] {
            let (heard, line) = hear(answer.as_bytes());
            assert_eq!(heard, Err(refusal), "{answer:?}");
            assert_eq!(Some(&*line), answer.lines().last(), "{answer:?}");
        }
    }

    #[test]
    fn an_answer_is_bounded_and_so_is_what_is_kept_of_it() {
        let header = "A: b\r\n".repeat(2000);
        for bytes in [
            format!("HTTP/1.1 200 OK\r\n{header}\r\n"),
            "HTTP/1.1 100 \r\n\r\n".repeat(1000),
            "HTTP/1.1 200 ".to_string() + &"x".repeat(9000),
            "\r".repeat(9000),
        ] {
            assert_eq!(hear(bytes.as_bytes()).0, Err(Refusal::TooLong));
        }
        // No more than is kept is waited for where it is no HTTP.
        let (heard, line) = hear("x".repeat(KEPT + 1).as_bytes());
        assert_eq!((heard, line), (Err(Refusal::NoHttp), "x".repeat(KEPT)));
        // As long as may be, and one byte longer.
        for (more, expected) in [(0, Ok(4)), (1, Err(Refusal::TooLong))] {
            let head = "HTTP/1.1 200 ".to_string() + &"x".repeat(8192 - 17 + more);
            assert_eq!(hear(format!("{head}\r\n\r\nmore").as_bytes()).0, expected);
        }
    }

    #[test]
    fn what_is_no_http_is_told_once_it_pauses_and_http_is_waited_for() {
        for (bytes, paused) in [
            ("", Ok(())),
            ("HTT", Ok(())),
            ("HTTP/1.1 200", Ok(())),
            ("HTTP/1.1 200 OK\r\nA", Ok(())),
            ("HTTX", Err(Refusal::NoHttp)),
            ("\x15\x03\x01", Err(Refusal::NoHttp)),
        ] {
            let mut answer = Answer::default();
            for byte in bytes.bytes() {
                assert_eq!(answer.take(byte), Ok(false));
            }
            assert_eq!(answer.paused(), paused, "{bytes:?}");
        }
    }
}

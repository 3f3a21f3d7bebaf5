//! What is a proxy asked? `CONNECT host:port`, and told who asks.

use core::fmt::{self, Write};

use crate::secret::Login;

/// A request to be connected. None of its parts holds a line's end: a host has none, and the login goes out in base64.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Where to: an address or a domain name.
    pub host: &'a str,
    pub port: u16,
    pub login: Option<Login<'a>>,
}

impl Request<'_> {
    /// Its bytes behind the first `from`, as many as there is room for.
    pub fn piece<'b>(&self, from: usize, room: &'b mut [u8]) -> &'b [u8] {
        let mut window = Window {
            skipped: from,
            room,
            len: 0,
        };
        // The window takes all, and keeps what it shows.
        let _ = self.write(&mut window);
        let Window { room, len, .. } = window;
        room.get(..len).unwrap_or_default()
    }

    fn write(&self, to: &mut impl Write) -> fmt::Result {
        let Request { host, port, login } = self;
        // RFC 3986, 3.2.2.
        let (open, close) = match host.bytes().any(|byte| byte == b':') {
            true => ("[", "]"),
            false => ("", ""),
        };
        write!(
            to,
            "CONNECT {open}{host}{close}:{port} HTTP/1.1\r\nHost: {open}{host}{close}:{port}\r\n"
        )?;
        if let Some(login) = login {
            to.write_str("Proxy-Authorization: Basic ")?;
            let mut count = 0;
            while let Some(digit) = login.base64(count).or(filler(count)) {
                to.write_char(char::from(digit))?;
                count += 1;
            }
            to.write_str("\r\n")?;
        }
        to.write_str("\r\n")
    }
}

/// Base64 comes in groups of four.
fn filler(count: usize) -> Option<u8> {
    (!count.is_multiple_of(4)).then_some(b'=')
}

/// A part of a text.
struct Window<'b> {
    /// Bytes that are still in front of it.
    skipped: usize,
    room: &'b mut [u8],
    len: usize,
}

impl Write for Window<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.skipped > 0 {
                self.skipped -= 1;
            } else if let Some(place) = self.room.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use std::string::String;
    use std::vec::Vec;

    fn login() -> Login<'static> {
        Login {
            username: "Aladdin",
            password: Secret::new("open sesame"),
        }
    }

    fn whole(request: &Request<'_>) -> String {
        let mut text = String::new();
        request.write(&mut text).expect("memory");
        text
    }

    #[test]
    fn the_peer_is_named_and_the_login_follows_if_there_is_one() {
        let cases = [
            (
                ("broker.example.com", 8883, None),
                "CONNECT broker.example.com:8883 HTTP/1.1\r\nHost: broker.example.com:8883\r\n\r\n",
            ),
            (
                ("2001:db8::1", 1, Some(login())),
                "CONNECT [2001:db8::1]:1 HTTP/1.1\r\nHost: [2001:db8::1]:1\r\n\
                 Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n",
            ),
        ];
        for ((host, port, login), expected) in cases {
            assert_eq!(whole(&Request { host, port, login }), expected);
        }
    }

    #[test]
    fn pieces_of_any_size_are_the_whole() {
        let login = Login {
            username: "\r\n\r\nGET / HTTP/1.1",
            password: Secret::new("\r\n: k\u{fc}hl"),
        };
        for login in [None, Some(login)] {
            let request = Request {
                host: "broker.example.com",
                port: 1883,
                login,
            };
            let whole = whole(&request);
            let lines = whole.split("\r\n").filter(|line| !line.is_empty());
            assert_eq!(lines.count(), 2 + usize::from(login.is_some()));
            assert!(whole.is_ascii(), "{whole}");
            for size in 1..=whole.len() + 1 {
                let (mut room, mut all) = (std::vec![0; size], Vec::new());
                loop {
                    let piece = request.piece(all.len(), &mut room);
                    if piece.is_empty() {
                        break;
                    }
                    all.extend_from_slice(piece);
                }
                assert_eq!(String::from_utf8(all).expect("ASCII"), whole, "{size}");
            }
            assert_eq!(request.piece(usize::MAX, &mut [0; 8]), b"");
            assert_eq!(request.piece(0, &mut []), b"");
        }
    }
}

//! How does a user name with its password go to an HTTP proxy? In base64, which anybody can read (RFC 7617, the Basic scheme): so that form is as
//! secret as the password.

use super::{LONG, Secret};

/// Who we are, to a proxy. The user name has no colon, which would begin the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login<'a> {
    pub username: &'a str,
    pub password: Secret<'a>,
}

/// RFC 4648, 4.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Login<'_> {
    /// `username:password` in base64, without the `=` that fills it up: the digit at this place.
    pub(crate) fn base64(&self, place: usize) -> Option<u8> {
        let bit = place * 6;
        let first = self.byte(bit / 8)?;
        let both = u16::from(first) << 8 | u16::from(self.byte(bit / 8 + 1).unwrap_or(0));
        let digit = both >> (10 - bit % 8) & 63;
        DIGITS.get(usize::from(digit)).copied()
    }

    fn byte(&self, place: usize) -> Option<u8> {
        let (username, password) = (self.username.as_bytes(), self.password.expose().as_bytes());
        match place.checked_sub(username.len()) {
            None => username.get(place).copied(),
            Some(0) => Some(b':'),
            Some(behind) => password.get(behind - 1).copied(),
        }
    }

    /// Bytes of the base64 with which this text begins, or 0. Where the text ends within it, its beginning is one.
    pub(super) fn length_in_front_of(&self, text: &[u8]) -> usize {
        let mut length = 0;
        while let Some(digit) = self.base64(length) {
            match text.get(length) {
                Some(byte) if *byte == digit => length += 1,
                None if length >= LONG => break,
                _ => return 0,
            }
        }
        length
    }
}

#[cfg(test)]
mod tests {
    use super::super::Secrets;
    use super::*;
    use std::string::String;

    fn login<'a>(username: &'a str, password: &'a str) -> Login<'a> {
        let password = Secret::new(password);
        Login { username, password }
    }

    fn digits(login: &Login<'_>) -> std::vec::Vec<u8> {
        (0..).map_while(|place| login.base64(place)).collect()
    }

    #[test]
    fn the_examples_of_the_standard_are_encoded_as_there() {
        for (username, password, expected) in [
            // RFC 7617, 2 and 2.1.
            ("Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ"),
            ("test", "123\u{a3}", "dGVzdDoxMjPCow"),
            ("", "", "Og"),
            ("u", "p", "dTpw"),
            ("us", "p", "dXM6cA"),
            ("us", "pw", "dXM6cHc"),
            // Both digits that are no letters or figures.
            ("\u{3ff}", "\u{3bf}\u{3ff}", "z786zr/Pvw"),
        ] {
            let digits = digits(&login(username, password));
            assert_eq!(String::from_utf8(digits).expect("ASCII"), expected);
        }
    }

    #[test]
    fn every_byte_comes_back_out_of_the_base64() {
        let all: String = (1..0x800_u32).filter_map(char::from_u32).collect();
        for cut in 0..4 {
            let password = &all[cut..];
            let login = login("u", password);
            let (mut bits, mut count, mut bytes) = (0_u32, 0, std::vec![]);
            for digit in digits(&login) {
                let value = DIGITS.iter().position(|known| *known == digit);
                bits = bits << 6 | value.expect("a digit") as u32;
                count += 6;
                if count >= 8 {
                    count -= 8;
                    bytes.push((bits >> count) as u8);
                }
            }
            assert_eq!(bytes, [b"u:", password.as_bytes()].concat());
        }
    }

    #[test]
    fn the_password_is_masked_as_it_is_and_as_it_is_sent() {
        let secrets = Secrets::NONE.and(login("Aladdin", "open sesame"));
        for (text, shown) in [
            ("407 no open sesame here", "407 no *** here"),
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic ***=="),
            ("[QWxhZGRpbjpvcGVuIHNlc2FtZQ]", "[***]"),
            // Cut off, and too short to be certain.
            ("Basic QWxhZGRpbjpvcGVu", "Basic ***"),
            ("Basic QWxhZGR", "Basic QWxhZGR"),
            ("Aladdin", "Aladdin"),
        ] {
            let masked = secrets.masked(text.as_bytes());
            let masked = masked.flatten().copied().collect();
            assert_eq!(String::from_utf8(masked).expect("ASCII"), shown);
        }
    }
}

//! Secrets: which texts of the configuration does nobody read, and how are they masked in what peers and errors say?
//!
//! A peer may repeat what it was told, in words of its own. So whatever came from outside is shown by way of the [`Secrets`] of the
//! connection that it came over, which the configuration names (`config/secrets.rs`): a new secret is one line there.

#[cfg(feature = "proxy")]
mod login;

use core::fmt::{self, Debug, Formatter};

#[cfg(feature = "proxy")]
pub use login::Login;

/// What stands in the place of a secret.
pub(crate) const MASK: &str = "***";

/// Shorter secrets are masked as words of their own only: a `1234` would blot the digits of every timestamp.
pub(crate) const LONG: usize = 8;

/// A password. It shows in no output: its `Debug` prints stars, and it has no `Display`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<'a>(&'a str);

impl<'a> Secret<'a> {
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Secret(text)
    }

    /// The password itself, for the bytes that carry it and for nothing else.
    #[must_use]
    pub const fn expose(self) -> &'a str {
        self.0
    }
}

impl Debug for Secret<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// The texts that are to be masked; an empty one is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secrets<'a> {
    texts: [&'a str; 3],
    /// Of the login of which the last text is the password: both are masked in the form in which they are sent.
    #[cfg(feature = "proxy")]
    username: &'a str,
}

impl<'a> Secrets<'a> {
    pub const NONE: Secrets<'static> = Secrets::of(["", ""]);

    /// These texts.
    #[must_use]
    pub const fn of(texts: [&'a str; 2]) -> Self {
        let [one, other] = texts;
        Secrets {
            texts: [one, other, ""],
            #[cfg(feature = "proxy")]
            username: "",
        }
    }

    /// This text only.
    #[must_use]
    pub fn one(text: &'a str) -> Self {
        Secrets::of([text, ""])
    }

    /// And what a proxy is told.
    #[cfg(feature = "proxy")]
    #[must_use]
    pub fn and(self, login: Login<'a>) -> Self {
        let [one, other, _] = self.texts;
        Secrets {
            texts: [one, other, login.password.expose()],
            username: login.username,
        }
    }

    #[cfg(feature = "proxy")]
    fn login(&self) -> Option<Login<'a>> {
        let (username, [.., password]) = (self.username, self.texts);
        let password = Some(password).filter(|password| !password.is_empty());
        password.map(|password| Login {
            username,
            password: Secret::new(password),
        })
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.iter().all(|secret| secret.is_empty())
    }

    /// The text in pieces: single bytes, and [`MASK`] for each secret.
    pub(crate) fn masked<'t>(self, text: &'t [u8]) -> impl Iterator<Item = &'t [u8]> + use<'a, 't> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let byte = text.get(at..=at)?;
            let secret = self.length_at(text, at);
            at += secret.max(1);
            Some(if secret > 0 { MASK.as_bytes() } else { byte })
        })
    }

    /// Bytes of the secret that begins here, or 0. The beginning of one at the text's end, which may be cut off there, is one.
    fn length_at(&self, text: &[u8], at: usize) -> usize {
        let (before, rest) = text.split_at_checked(at).unwrap_or_default();
        let begins = |secret: &str| {
            let secret = secret.as_bytes();
            match rest.strip_prefix(secret) {
                Some(_) if secret.is_empty() => 0,
                Some(after) if secret.len() >= LONG || is_word(before, after) => secret.len(),
                None if rest.len() >= LONG && secret.starts_with(rest) => rest.len(),
                _ => 0,
            }
        };
        let length = self.texts.map(begins).into_iter().max().unwrap_or(0);
        #[cfg(feature = "proxy")]
        if let Some(login) = self.login() {
            return length.max(login.length_in_front_of(rest));
        }
        length
    }
}

fn is_word(before: &[u8], after: &[u8]) -> bool {
    let continues = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !continues(before.last()) && !continues(after.first())
}

/// Whether the user name beside this password is the secret: platforms with tokens know no password, or an empty one.
pub(crate) fn is_token(password: Option<&str>) -> bool {
    password.is_none_or(str::is_empty)
}

/// A value of the table without a user name and password in front of a host: `***@host`.
pub(crate) fn without_user(value: &str) -> (&'static str, &str) {
    match value.bytes().rposition(|byte| byte == b'@') {
        Some(at) => (MASK, value.get(at..).unwrap_or_default()),
        None => ("", value),
    }
}

/// Whether this may be the path of a file: no address with a scheme, which may hold a password, nor the text of a key (PEM, or the
/// base64 of it alone).
pub(crate) fn may_be_a_path(text: &str) -> bool {
    let is_base64 = || {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        text.len() >= 48 && !text.starts_with('/') && text.bytes().all(letter)
    };
    // Not by `str::contains`, whose search for a text costs 2 KB.
    let holds = |mark: &str| {
        let mut windows = text.as_bytes().windows(mark.len());
        windows.any(|window| window == mark.as_bytes())
    };
    !holds("-----") && !holds("://") && !is_base64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn masked(secret: &str, text: &str) -> String {
        let pieces = Secrets::one(secret).masked(text.as_bytes());
        String::from_utf8(pieces.flatten().copied().collect()).expect("UTF-8")
    }

    #[test]
    fn a_secret_is_masked_wherever_it_stands_and_a_short_one_as_a_word() {
        for (secret, text, shown) in [
            (
                "hunter2hunter2",
                "invalid password \"hunter2hunter2\"",
                "invalid password \"***\"",
            ),
            ("hunter2hunter2", "xhunter2hunter2y", "x***y"),
            ("hunter2hunter2", "hunter2hunter2hunter2hunter2", "******"),
            ("hunter2hunter2", "Hunter2hunter2", "Hunter2hunter2"),
            // Cut off, and too short to be certain.
            ("hunter2hunter2", "password hunter2hunt", "password ***"),
            ("hunter2hunter2", "password hunter2", "password hunter2"),
            ("1234", "-ERR 1234: no", "-ERR ***: no"),
            ("1234", "1,1708000123412,", "1,1708000123412,"),
            ("1234", "1234", "***"),
            ("", "anything", "anything"),
        ] {
            assert_eq!(masked(secret, text), shown, "{secret}");
        }
    }

    #[test]
    fn the_text_of_a_key_and_an_address_are_no_paths() {
        for (text, is_path) in [
            ("/etc/mqtt-client/tls/client.key", true),
            ("client.key", true),
            (
                "a/relative/path/of/more/than/48/letters/with/a/client.key",
                true,
            ),
            ("-----BEGIN PRIVATE KEY-----MC4CAQAwBQYDK2VwBCIEIJ1h", false),
            (
                "MC4CAQAwBQYDK2VwBCIEIDHq6Zm9vJk0aB+cPp/sXxOv0Yv6Yk7sBkWmX1rTqQfF",
                false,
            ),
            ("redis://:hunter2@127.0.0.1:6379", false),
        ] {
            assert_eq!(may_be_a_path(text), is_path, "{text}");
        }
    }
}

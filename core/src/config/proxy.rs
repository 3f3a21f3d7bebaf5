//! Which proxy does a device's connection go through, and who are we to it?

use super::check::Fields;
use super::schema::Key;
use crate::net::proxy::Proxy;

/// The proxy, if one is named; `None` after reporting what is wrong with it.
pub(super) fn proxy<'a>(fields: &mut Fields<'_, 'a, '_>) -> Option<Proxy<'a>> {
    let place = fields.text(Key::Proxy);
    let username = fields.text(Key::ProxyUsername);
    let password = fields.text(Key::ProxyPassword);
    if fields.row.is_given(Key::ProxyPassword) {
        fields.require(Key::ProxyUsername);
    }
    if fields.row.is_given(Key::ProxyUsername) {
        fields.require(Key::ProxyPassword);
    }
    #[cfg(feature = "proxy")]
    return given::proxy(fields, place, username.zip(password));
    #[cfg(not(feature = "proxy"))]
    {
        // An enabled device may not name one.
        let _ = (place, username, password);
        None
    }
}

#[cfg(feature = "proxy")]
mod given {
    use crate::config::Secret;
    use crate::config::check::{Fields, host_flaw};
    use crate::config::finding::{Problem, Shown, Type};
    use crate::config::schema::Key;
    use crate::net::proxy::Proxy;
    use crate::secret::Login;

    pub fn proxy<'a>(
        fields: &mut Fields<'_, 'a, '_>,
        place: Option<&'a str>,
        login: Option<(&'a str, &'a str)>,
    ) -> Option<Proxy<'a>> {
        let login = login.map(|(username, password)| Login {
            username,
            password: Secret::new(password),
        });
        if let Some(Login { username, password }) = login {
            // RFC 7617, 2.
            for byte in username.bytes() {
                if byte == b':' || byte.is_ascii_control() {
                    fields.error(Key::ProxyUsername, Problem::Colon);
                    break;
                }
            }
            if password
                .expose()
                .bytes()
                .any(|byte| byte.is_ascii_control())
            {
                fields.error(Key::ProxyPassword, Problem::ControlCharacter);
            }
            if !fields.row.is_given(Key::Proxy) {
                let because = "no proxy";
                for key in [Key::ProxyUsername, Key::ProxyPassword] {
                    fields.warn(key, Problem::Ignored { because });
                }
            }
        }
        let place = place?;
        let Some((host, port)) = host_and_port(place) else {
            fields.error(Key::Proxy, Problem::NotAProxy);
            return None;
        };
        match host_flaw(host, Shown::Hidden(Type::String)) {
            None => return Some(Proxy::new(host, port, login)),
            Some(Problem::NotAHost(_)) => fields.error(Key::Proxy, Problem::NotAProxy),
            Some(flaw) => fields.error(Key::Proxy, flaw),
        }
        None
    }

    /// `host:port`; an IPv6 address, which has colons itself, stands in brackets.
    fn host_and_port(text: &str) -> Option<(&str, u16)> {
        let colon = text.bytes().rposition(|byte| byte == b':')?;
        let (host, port) = text.split_at_checked(colon)?;
        let port = port.bytes().skip(1).try_fold(0, |number: u32, byte| {
            let digit = u32::from(byte.wrapping_sub(b'0'));
            (digit <= 9).then_some((number * 10 + digit).min(u32::MAX / 16))
        })?;
        let port = u16::try_from(port).ok().filter(|port| *port > 0)?;
        let open = host.strip_prefix('[');
        let address = open.and_then(|rest| rest.strip_suffix(']'));
        let host = address.unwrap_or(host);
        let has_colon = host.bytes().any(|byte| byte == b':');
        (!host.is_empty() && has_colon == address.is_some()).then_some((host, port))
    }
}

//! Which texts of the mapping table are masked in all that a peer says?

use super::{Auth, Device, Redis, Secret};
use crate::secret::{Secrets, is_token};

impl<'a> Redis<'a> {
    /// What is masked in all that this server says.
    #[must_use]
    pub fn secrets(&self) -> Secrets<'a> {
        Secrets::one(self.password.map_or("", Secret::expose))
    }
}

impl<'a> Device<'a> {
    /// What is masked in all that this broker says, and a proxy before it.
    #[must_use]
    pub fn secrets(&self) -> Secrets<'a> {
        let credentials = match self.auth {
            Auth::None => None,
            Auth::Password(credentials) => Some(credentials),
            Auth::Tls(tls) => tls.credentials,
        };
        let secrets = credentials.map_or(Secrets::NONE, |credentials| {
            let password = credentials.password.map(Secret::expose);
            let is_token = is_token(password);
            Secrets::of([
                password.unwrap_or_default(),
                if is_token { credentials.username } else { "" },
            ])
        });
        #[cfg(feature = "proxy")]
        if let Some(login) = self.proxy.and_then(|proxy| proxy.login()) {
            return secrets.and(login);
        }
        secrets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Authorities, Credentials, Tls};

    #[test]
    fn a_user_name_is_a_secret_where_there_is_no_password() {
        for (password, secrets) in [
            (Some("the password"), ["the password", ""]),
            (Some(""), ["", "the user"]),
            (None, ["", "the user"]),
        ] {
            let credentials = Credentials {
                username: "the user",
                password: password.map(Secret::new),
            };
            let tls = Tls {
                ca_certificate: Authorities::System,
                client: None,
                verify_hostname: true,
                alpn: None,
                credentials: Some(credentials),
            };
            for auth in [Auth::Password(credentials), Auth::Tls(tls)] {
                let device = Device {
                    auth,
                    ..Device::EMPTY
                };
                assert_eq!(device.secrets(), Secrets::of(secrets));
            }
        }
    }
}

//! The profile of each provider, from its documentation: `core/src/config/provider/table.rs` names the pages.
//!
//! Where a page has a bound and does not say what happens beyond it, the profile takes the harshest: the connection is closed.

use crate::profile::{Login, Payload, Profile, Qos2, Retained, Tls, Topics, WrongTopic};

/// What a provider has on record of the one client that it lets in.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name that the client reaches it by.
    pub host: String,
    pub client_id: String,
    pub username: String,
    pub password: String,
}

/// On the port that asks for a certificate and for nothing else: 8883.
#[must_use]
pub fn aws_iot_core(account: &Account) -> Profile {
    Profile {
        tls: tls(account, true),
        longest_client_id: 128,
        longest_keep_alive: 1200,
        qos_2: Qos2::NeverAcknowledge,
        topics: Topics::Slashes(7),
        rate: Some(100),
        ..Profile::open()
    }
}

/// On port 443, where the protocol's name tells MQTT from HTTP.
#[must_use]
pub fn aws_iot_core_443(account: &Account) -> Profile {
    let profile = aws_iot_core(account);
    Profile {
        tls: profile.tls.map(|tls| Tls {
            protocols: vec!["x-amzn-mqtt-ca"],
            ..tls
        }),
        ..profile
    }
}

/// A device that has a certificate (X.509).
#[must_use]
pub fn azure_iot_hub(account: &Account) -> Profile {
    let Account {
        host, client_id, ..
    } = account;
    Profile {
        tls: tls(account, true),
        login: Login::Username(format!("{host}/{client_id}/?api-version=2021-04-12")),
        client_id: Some(client_id.clone()),
        longest_keep_alive: 1177,
        qos_2: Qos2::Close,
        retained: Retained::HandOn,
        topics: Topics::Under(vec![format!("devices/{client_id}/messages/events/")]),
        ..Profile::open()
    }
}

/// A client that has a certificate, in a namespace without MQTT Retain.
#[must_use]
pub fn azure_event_grid(account: &Account) -> Profile {
    Profile {
        tls: tls(account, true),
        login: Login::Username(account.username.clone()),
        longest_keep_alive: 1160,
        qos_2: Qos2::Close,
        retained: Retained::Close,
        ..Profile::open()
    }
}

#[must_use]
pub fn hivemq_cloud(account: &Account) -> Profile {
    Profile {
        tls: tls(account, false),
        login: password(account),
        ..Profile::open()
    }
}

/// Serverless.
#[must_use]
pub fn emqx_cloud(account: &Account) -> Profile {
    Profile {
        tls: tls(account, false),
        login: password(account),
        longest_client_id: 1024,
        rate: Some(10),
        ..Profile::open()
    }
}

/// A device that has an access token, on the port with TLS.
#[must_use]
pub fn thingsboard(account: &Account) -> Profile {
    let starts = ["v1/devices/me/", "v1/gateway/", "v2/"];
    Profile {
        tls: tls(account, false),
        login: Login::Username(account.username.clone()),
        qos_2: Qos2::Puback,
        topics: Topics::Under(starts.map(String::from).to_vec()),
        wrong_topic: WrongTopic::Discard,
        payload: Payload::Json,
        ..Profile::open()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as the field wants it")]
fn tls(account: &Account, certificate: bool) -> Option<Tls> {
    Some(Tls {
        name: Some(account.host.clone()),
        protocols: Vec::new(),
        certificate,
    })
}

fn password(account: &Account) -> Login {
    Login::Password(account.username.clone(), account.password.clone())
}

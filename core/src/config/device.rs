//! What are the rules of a row of the Devices tab? (Manual chapter 22, "MQTT parameters for Devices tab".)

use super::abilities::Abilities;
use super::advice;
use super::check::Fields;
use super::finding::Problem;
use super::json::{SyntaxError, Value};
use super::proxy::proxy;
use super::schema::{Key, MQTT_5};
#[cfg(feature = "spool")]
use super::spool;
#[cfg(feature = "status")]
use super::status;
use super::{
    Auth, Authorities, ClientFiles, Credentials, Device, Payload, Secret, Tls, Version, Will,
};
use crate::delivery::QoS;

/// At QoS 2, the default of `max_inflight`, and the most that is not warned of. Mosquitto as it is shipped (`max_inflight_messages`) throws away
/// what exceeds so many incoming messages of QoS 2, and answers PUBREC all the same.
const MOSQUITTO_WINDOW: u16 = 20;

/// Bytes of a client identifier in MQTT 3.1, at most (MQTT 3.1, 3.1 CONNECT, Client Identifier).
const MAX_CLIENT_ID_3_1: usize = 23;

/// Whether a row with this `protocol` is one of ours, in any letter case. The others are their handlers' business.
#[must_use]
pub fn is_mqtt(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case("mqtt")
}

/// The settings of a row whose protocol is MQTT, and whether it is enabled; where one is wrong, its default, after reporting it.
///
/// `alias` is the row's `device_alias`, empty if it was missing.
pub(super) fn device<'a>(
    fields: &mut Fields<'_, 'a, '_>,
    alias: &'a str,
) -> Result<(Device<'a>, bool), SyntaxError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !alias.bytes().all(allowed) {
        let value = fields.shown(Key::DeviceAlias);
        fields.error(Key::DeviceAlias, Problem::NotAnAlias(value));
    }
    let name = fields.text(Key::Name);
    let host = fields.text(Key::Ip);
    let enable = fields.boolean(Key::Enable);
    let port = fields.integer(Key::Port);
    let threshold = fields.boolean(Key::EnableThreshold);
    let qos = fields.qos(Key::MqttQos);
    #[cfg_attr(
        not(any(feature = "spool", feature = "mqtt5", feature = "status")),
        expect(unused_mut)
    )]
    let mut device = Device {
        row: fields.number,
        name: name.unwrap_or_default(),
        alias,
        host: host.unwrap_or_default(),
        port,
        threshold,
        qos,
        retain: fields.boolean(Key::MqttRetain),
        auth: auth(fields),
        will: will(fields),
        client_id: fields.text(Key::ClientId),
        version: version(fields),
        keep_alive: fields.integer(Key::KeepAlive),
        buffer_size: fields
            .given_integer(Key::BufferSize)
            .and_then(|bytes| bytes.try_into().ok()),
        max_inflight: max_inflight(fields, qos),
        proxy: proxy(fields),
        max_rate: fields.integer(Key::MaxRate),
        payload: payload(fields),
        ..Device::EMPTY
    };
    // A build does not read what it does not use.
    #[cfg(feature = "spool")]
    spool::device(fields, &mut device);
    #[cfg(feature = "mqtt5")]
    mqtt5(fields, &mut device);
    #[cfg(feature = "status")]
    status::device(fields, &mut device);
    let bytes = device.client_id.map_or(0, str::len);
    if device.version == Version::V3_1 && bytes > MAX_CLIENT_ID_3_1 {
        let problem = Problem::TooLong {
            bytes,
            limit: MAX_CLIENT_ID_3_1,
            because: Some("mqtt_version=3.1"),
        };
        fields.error(Key::ClientId, problem);
    }
    if enable {
        built_in(fields, &device);
        advice::device(fields, &device);
        #[cfg(feature = "spool")]
        spool::without_spool(fields, &device);
    }
    fields.keys()?;
    Ok((device, enable))
}

/// A device that is not enabled may ask for what this build does not have.
fn built_in(fields: &mut Fields<'_, '_, '_>, device: &Device<'_>) {
    let Abilities { tls, mqtt5, .. } = fields.check.abilities;
    if matches!(device.auth, Auth::Tls(_)) && !tls {
        fields.error(Key::Auth, Problem::NotBuiltIn("TLS"));
    }
    if device.version == Version::V5 && !mqtt5 {
        fields.error(Key::MqttVersion, Problem::NotBuiltIn("MQTT 5"));
    }
    match device.proxy {
        // It finds the broker.
        Some(proxy) => fields.within_reach(Key::Proxy, proxy.host()),
        None => fields.within_reach(Key::Ip, device.host),
    }
    if cfg!(not(feature = "proxy")) && fields.row.is_given(Key::Proxy) {
        fields.error(Key::Proxy, Problem::NotBuiltIn("proxies"));
    }
    if cfg!(not(feature = "json")) && fields.text(Key::Payload) == Some("json") {
        fields.error(Key::Payload, Problem::NotBuiltIn("JSON"));
    }
    if cfg!(not(feature = "status")) && fields.row.is_given(Key::StatusTopic) {
        fields.error(Key::StatusTopic, Problem::NotBuiltIn("a status"));
    }
    // It means nothing without a topic.
    if cfg!(all(feature = "status", not(feature = "health")))
        && is_above_0(fields, Key::StatusInterval)
    {
        fields.error(Key::StatusInterval, Problem::NotBuiltIn("health"));
    }
    if cfg!(not(feature = "spool")) && is_above_0(fields, Key::SpoolSize) {
        fields.error(Key::SpoolSize, Problem::NotBuiltIn("a spool"));
    }
}

fn is_above_0(fields: &mut Fields<'_, '_, '_>, key: Key) -> bool {
    fields.given_integer(key).is_some_and(|number| number > 0)
}

const CREDENTIAL_KEYS: [Key; 2] = [Key::Username, Key::Password];
pub(super) const CERTIFICATE_KEYS: [Key; 3] =
    [Key::CaCertificate, Key::ClientCertificate, Key::ClientKey];

/// The value of `ca_certificate` that is no path.
const SYSTEM: &str = "system";

/// Bytes of a protocol's name, at most: its length takes one byte (RFC 7301, 3.1).
const MAX_ALPN: usize = 255;

fn auth<'a>(fields: &mut Fields<'_, 'a, '_>) -> Auth<'a> {
    let kind = fields.text(Key::Auth);
    let username = fields.text(Key::Username);
    let password = password(fields);
    let credentials = username.map(|username| Credentials { username, password });
    let tls = tls(fields, credentials);

    match kind {
        Some("none") => {
            ignored(fields, &CREDENTIAL_KEYS, "auth=none");
            ignored(fields, &CERTIFICATE_KEYS, "auth=none");
            without_tls(fields, &tls, "auth=none");
            Auth::None
        }
        Some("password") => {
            fields.require(Key::Username);
            if password.is_none() {
                fields.require(Key::Password);
            }
            in_the_clear(fields);
            without_tls(fields, &tls, "auth=password");
            let complete = credentials.filter(|own| own.password.is_some());
            complete.map_or(Auth::None, Auth::Password)
        }
        Some("token") => {
            fields.require(Key::Username);
            ignored(fields, &[Key::Password], "auth=token");
            in_the_clear(fields);
            without_tls(fields, &tls, "auth=token");
            let token = |username| Credentials {
                username,
                password: None,
            };
            username.map_or(Auth::None, |username| Auth::Password(token(username)))
        }
        Some("tls") => {
            if cfg!(feature = "tls") {
                secured(fields, &tls);
            }
            Auth::Tls(tls)
        }
        _ => Auth::None,
    }
}

/// What a program without TLS has of its settings.
const UNREAD: Tls<'static> = Tls {
    ca_certificate: Authorities::File(""),
    client: Some(ClientFiles {
        certificate: "",
        key: "",
    }),
    verify_hostname: true,
    alpn: None,
    credentials: None,
};

/// The settings of TLS, each by itself.
fn tls<'a>(fields: &mut Fields<'_, 'a, '_>, credentials: Option<Credentials<'a>>) -> Tls<'a> {
    if !cfg!(feature = "tls") {
        return Tls {
            credentials,
            ..UNREAD
        };
    }
    let ca = fields.text(Key::CaCertificate).unwrap_or_default();
    let client = ClientFiles {
        certificate: fields.text(Key::ClientCertificate).unwrap_or_default(),
        key: fields.text(Key::ClientKey).unwrap_or_default(),
    };
    Tls {
        ca_certificate: match ca {
            SYSTEM => Authorities::System,
            path => Authorities::File(path),
        },
        client: fields.boolean(Key::TlsClientAuth).then_some(client),
        verify_hostname: fields.boolean(Key::TlsVerifyHostname),
        alpn: fields.text(Key::TlsAlpn),
        credentials,
    }
}

const HOST_NOT_VERIFIED: Problem<'static> = Problem::Tls(
    "the broker's name is not checked: any server with a certificate of this CA is trusted",
);
const ANYBODY: Problem<'static> = Problem::Tls(
    "must be 1 with ca_certificate=system: any public certificate would pass for the broker's",
);

/// The rules between them.
fn secured(fields: &mut Fields<'_, '_, '_>, tls: &Tls<'_>) {
    fields.require(Key::CaCertificate);
    for key in [Key::ClientCertificate, Key::ClientKey] {
        if tls.client.is_some() {
            fields.require(key);
        } else if fields.row.is_given(key) {
            fields.error(key, Problem::Tls("must be left out with tls_client_auth=0"));
        }
    }
    if fields.row.is_given(Key::Password) {
        // [MQTT-3.1.2-22]
        fields.require_because(Key::Username, Some("password"));
    }
    if !tls.verify_hostname {
        let key = Key::TlsVerifyHostname;
        match tls.ca_certificate {
            Authorities::File(_) => fields.warn(key, HOST_NOT_VERIFIED),
            Authorities::System => fields.error(key, ANYBODY),
        }
    }
    let bytes = tls.alpn.map_or(0, str::len);
    if bytes > MAX_ALPN {
        let (limit, because) = (MAX_ALPN, None);
        let problem = Problem::TooLong {
            bytes,
            limit,
            because,
        };
        fields.error(Key::TlsAlpn, problem);
    }
}

/// Warns of certificates where there is no TLS.
fn in_the_clear(fields: &mut Fields<'_, '_, '_>) {
    if CERTIFICATE_KEYS.iter().any(|&key| fields.row.is_given(key)) {
        fields.warn(Key::Auth, Problem::InTheClear);
    }
}

/// Warns of other settings that seem to ask for it.
fn without_tls(fields: &mut Fields<'_, '_, '_>, tls: &Tls<'_>, because: &'static str) {
    ignored(fields, &[Key::TlsAlpn], because);
    if tls.client.is_none() {
        fields.warn(Key::TlsClientAuth, Problem::Ignored { because });
    }
}

/// Some brokers want a password of length 0 beside a token as the user name, so that here an empty string is one, unlike elsewhere.
fn password<'a>(fields: &mut Fields<'_, 'a, '_>) -> Option<Secret<'a>> {
    let text = match fields.row.value(Key::Password) {
        Value::String(raw) if raw.text.is_empty() => Some(""),
        _ => fields.text(Key::Password),
    };
    text.map(Secret::new)
}

fn will<'a>(fields: &mut Fields<'_, 'a, '_>) -> Option<Will<'a>> {
    let wanted = fields.boolean(Key::UseLastWill);
    let topic = fields.text(Key::LastWillTopic);
    let message = fields.text(Key::LastWillMessage);
    let qos = fields.qos(Key::LastWillQos);
    let retain = fields.boolean(Key::LastWillRetain);
    if !wanted {
        return None;
    }
    fields.require(Key::LastWillTopic);
    let topic = topic?;
    fields.topic(Key::LastWillTopic, topic);
    Some(Will {
        topic,
        message: message.unwrap_or_default(),
        qos,
        retain,
    })
}

fn version(fields: &mut Fields<'_, '_, '_>) -> Version {
    match fields.text(Key::MqttVersion) {
        Some("3.1") => Version::V3_1,
        Some("3.1.1") => Version::V3_1_1,
        Some(MQTT_5) => Version::V5,
        _ => Version::Auto,
    }
}

/// What only MQTT 5 has. A build without it does not read what it does not use: 500 bytes of a board's flash.
#[cfg(feature = "mqtt5")]
fn mqtt5(fields: &mut Fields<'_, '_, '_>, device: &mut Device<'_>) {
    device.session_expiry = fields.integer(Key::SessionExpiry);
    device.message_expiry = fields.integer(Key::MessageExpiry);
    device.topic_alias = fields.boolean(Key::TopicAlias);
    if device.version != Version::V5 {
        let keys = [Key::SessionExpiry, Key::MessageExpiry, Key::TopicAlias];
        ignored(fields, &keys, "mqtt_version other than 5");
    } else if device.qos == QoS::AtMostOnce {
        ignored(fields, &[Key::SessionExpiry], "mqtt_qos=0");
    }
}

fn payload(fields: &mut Fields<'_, '_, '_>) -> Payload {
    match cfg!(feature = "json").then(|| fields.text(Key::Payload)) {
        Some(Some("json")) => Payload::Json,
        _ => Payload::Csv,
    }
}

fn max_inflight(fields: &mut Fields<'_, '_, '_>, qos: QoS) -> u16 {
    let is_qos_2 = qos == QoS::ExactlyOnce;
    let given = fields.given_integer(Key::MaxInflight);
    let window = match given.and_then(|window| window.try_into().ok()) {
        Some(window) => window,
        None if is_qos_2 => MOSQUITTO_WINDOW,
        None => Device::EMPTY.max_inflight,
    };
    if is_qos_2 && window > MOSQUITTO_WINDOW {
        let value = fields.shown(Key::MaxInflight);
        fields.warn(Key::MaxInflight, Problem::WideWindow(value));
    }
    window
}

fn ignored(fields: &mut Fields<'_, '_, '_>, keys: &[Key], because: &'static str) {
    for &key in keys {
        if fields.row.is_given(key) {
            fields.warn(key, Problem::Ignored { because });
        }
    }
}

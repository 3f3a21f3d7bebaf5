//! The mapping table: what the Devices and Signals tabs of the workbook say (manual chapter 22, tables
//! "MQTT parameters for Devices tab" and "for Signals tab").
//!
//! This file has the types of a valid configuration. [`parse`] makes one from the JSON file and reports every
//! [`Finding`] on the way; [`measure`] tells how much memory that takes. Nothing is allocated:
//!
//! ```
//! use mqtt_client_core::config::{Abilities, Device, Signal, Storage, measure, parse};
//!
//! let file = br#"{
//!     "devices": [{"name": "Cloud", "device_alias": "cloud", "enable": 1, "protocol": "MQTT",
//!                  "ip": "broker.example.com", "auth": "none", "mqtt_qos": 3}],
//!     "signals": []
//! }"#;
//! let sizes = measure(file).expect("JSON");
//! let storage = Storage {
//!     devices: &mut vec![Device::default(); sizes.devices],
//!     signals: &mut vec![Signal::default(); sizes.signals],
//!     index: &mut vec![0; sizes.index],
//!     text: &mut vec![0; sizes.text],
//! };
//! let mut findings = Vec::new();
//! let config = parse(file, storage, Abilities::ALL, &mut |finding| {
//!     findings.push(finding.in_file("table.json").to_string());
//! });
//! assert!(config.is_err());
//! assert_eq!(findings, ["table.json: devices[0].mqtt_qos: 3 is not in 0..2"]);
//! ```
//!
//! Which parameters there are, and what each may hold, stands in `schema`. The way of the text: tokens (`json`), the values of one object by key
//! (`row`), checks of one value (`check`), the rules between those
//! of each table (`redis`, `device`, `signal`), what holds between rows (`unique`), which of them count (`rows`), and what the providers of
//! brokers do not accept (`provider`).

mod abilities;
mod advice;
mod check;
mod device;
mod finding;
pub mod json;
mod parameter;
mod parse;
#[cfg(feature = "providers")]
mod provider;
mod proxy;
mod redis;
mod row;
mod rows;
mod rule;
mod schema;
mod secrets;
mod signal;
#[cfg(feature = "spool")]
mod spool;
#[cfg(feature = "status")]
mod status;
mod survey;
mod text;
mod topic;
mod unique;

pub use abilities::Abilities;
pub use device::is_mqtt;
pub use finding::{Finding, KeyName, Place, Problem, Severity, Shown, Type};
pub use json::{MAX_DEPTH, Syntax};
pub use parameter::{
    Column, Form, Integer, Kind, Note, Parameter, Required, Setting, Table, Words,
};
pub use parse::{Invalid, Storage, parse, rows};
#[cfg(feature = "providers")]
pub use provider::Limit;
pub use rows::Rows;
pub use schema::Key;
pub use survey::{Sizes, measure};
pub use topic::{Flaw, MAX_CHANNEL, MAX_SIGNAL_ALIAS, MAX_TOPIC};

use crate::delivery::QoS;
use crate::net::proxy::Proxy;
pub use crate::secret::Secret;

/// A valid configuration: every rule of the two tables holds.
#[derive(Debug, Clone, Copy)]
pub struct Config<'a> {
    /// Where the local Redis is.
    pub redis: Redis<'a>,
    /// Where samples are kept that wait for long.
    #[cfg(feature = "spool")]
    pub spool: Spool<'a>,
    /// The enabled rows of the Devices tab whose protocol is MQTT, in the file's order.
    pub devices: &'a [Device<'a>],
    /// The enabled signals of those devices, in the file's order.
    pub signals: &'a [Signal<'a>],
}

/// The `redis` block (ours, not the manual's; all of it optional).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redis<'a> {
    pub endpoint: Endpoint<'a>,
    /// Only together with a password.
    pub username: Option<&'a str>,
    pub password: Option<Secret<'a>>,
    /// Number of the database to SELECT, 0 to 2147483647; 0 is the server's default.
    pub database: u32,
}

impl Redis<'_> {
    /// The machine itself: the gateway's protocol handlers share a local Redis.
    const DEFAULT_HOST: &'static str = Table::Redis.default_text(Key::Host);
    const DEFAULT_PORT: u16 = Table::Redis.default(Key::Port) as u16;
}

impl Default for Redis<'_> {
    fn default() -> Self {
        Redis {
            endpoint: Endpoint::Tcp {
                host: Self::DEFAULT_HOST,
                port: Self::DEFAULT_PORT,
            },
            username: None,
            password: None,
            database: 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint<'a> {
    Tcp {
        /// Address or domain name.
        host: &'a str,
        /// 1 to 65535.
        port: u16,
    },
    /// Path of a Unix socket.
    Unix(&'a str),
}

/// The `spool` block.
#[cfg(feature = "spool")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spool<'a> {
    /// There is one if a device has a [`Device::spool_size`].
    pub path: Option<&'a str>,
    /// Seconds, 1 to 3600.
    pub flush_interval: u16,
}

#[cfg(feature = "spool")]
impl Default for Spool<'_> {
    fn default() -> Self {
        Spool {
            path: None,
            flush_interval: Table::Spool.default(Key::FlushInterval) as u16,
        }
    }
}

/// One MQTT broker: a row of the Devices tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device<'a> {
    /// Its row in the Devices tab, counted from 0: findings of a port name it.
    pub row: usize,
    pub name: &'a str,
    /// `device_alias`: letters, digits, `-` and `_`; unique in the file.
    pub alias: &'a str,
    /// `ip`: address or domain name.
    pub host: &'a str,
    /// 1 to 65535.
    pub port: u16,
    /// `enable_threshold`: do not send a value that equals the last one.
    pub threshold: bool,
    pub qos: QoS,
    pub retain: bool,
    pub auth: Auth<'a>,
    pub will: Option<Will<'a>>,
    /// At most 65535 bytes, with [`Version::V3_1`] at most 23. `None` stands for the generated one, see [`Device::alias`].
    pub client_id: Option<&'a str>,
    pub version: Version,
    /// Seconds, 5 to 65535.
    pub keep_alive: u16,
    /// Bytes of RAM for samples that wait for the broker, 1 KiB to 1 GiB; `None`: the port's default.
    pub buffer_size: Option<u32>,
    /// QoS 1 and 2 messages sent and not yet acknowledged, 1 to 65535. Its default at QoS 2 is 20.
    pub max_inflight: u16,
    /// What the connection to the broker goes through.
    pub proxy: Option<Proxy<'a>>,
    /// PUBLISH in any second, at most, 1 to 65535; 0: as many as there are.
    pub max_rate: u16,
    /// How a sample looks in a message.
    pub payload: Payload,
    /// Bytes on storage for samples that wait, 65,536 to 2^40; 0: none.
    #[cfg(feature = "spool")]
    pub spool_size: u64,
    /// Messages of those that have waited sent in any second, at most, 1 to 65535; 0: as many as there are.
    #[cfg(feature = "spool")]
    pub replay_rate: u16,
    /// Whether new samples go beside those of the spool, and not behind them.
    #[cfg(feature = "spool")]
    pub live_first: bool,
    /// Seconds after which a waiting sample is dropped; 0: never.
    #[cfg(feature = "spool")]
    pub max_age: u32,
    /// Where `online` and `offline` go.
    pub status_topic: Option<&'a str>,
    /// Seconds between two messages that say how the device is; 0: none.
    pub status_interval: u32,
    /// Seconds that the broker keeps the session. This and what follows only with [`Version::V5`].
    pub session_expiry: u32,
    /// Seconds that a message is of use, counted from when the sample was accepted; 0: for ever.
    pub message_expiry: u32,
    /// Whether a number stands for a topic that was sent before.
    pub topic_alias: bool,
}

impl Device<'_> {
    /// The defaults of all columns that have one, and empty strings for the others: fills storage until a row takes its place.
    pub const EMPTY: Device<'static> = Device {
        row: 0,
        name: "",
        alias: "",
        host: "",
        port: Table::Devices.default(Key::Port) as u16,
        threshold: Table::Devices.default(Key::EnableThreshold) == 1,
        qos: QoS::AtMostOnce,
        retain: Table::Devices.default(Key::MqttRetain) == 1,
        auth: Auth::None,
        will: None,
        client_id: None,
        version: Version::Auto,
        keep_alive: Table::Devices.default(Key::KeepAlive) as u16,
        buffer_size: None,
        max_inflight: Table::Devices.default(Key::MaxInflight) as u16,
        proxy: None,
        max_rate: Table::Devices.default(Key::MaxRate) as u16,
        payload: Payload::Csv,
        #[cfg(feature = "spool")]
        spool_size: 0,
        #[cfg(feature = "spool")]
        replay_rate: Table::Devices.default(Key::ReplayRate) as u16,
        #[cfg(feature = "spool")]
        live_first: Table::Devices.default(Key::LiveFirst) == 1,
        #[cfg(feature = "spool")]
        max_age: Table::Devices.default(Key::MaxAge) as u32,
        status_topic: None,
        status_interval: Table::Devices.default(Key::StatusInterval) as u32,
        session_expiry: Table::Devices.default(Key::SessionExpiry) as u32,
        message_expiry: Table::Devices.default(Key::MessageExpiry) as u32,
        topic_alias: Table::Devices.default(Key::TopicAlias) == 1,
    };
}

impl Default for Device<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// How a sample looks in a message, see [`payload`](crate::payload).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// `value,timestamp,quality`
    Csv,
    /// `{"v":value,"t":timestamp,"q":quality}`
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth<'a> {
    None,
    /// `password`, or without one `token`.
    Password(Credentials<'a>),
    Tls(Tls<'a>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// At most 65535 bytes, without NUL.
    pub username: &'a str,
    /// At most 65535 bytes, and one of length 0 is a password too. With `auth`=`token` there is none, which MQTT allows.
    pub password: Option<Secret<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tls<'a> {
    pub ca_certificate: Authorities<'a>,
    /// `None`: the broker is shown no certificate.
    pub client: Option<ClientFiles<'a>>,
    /// Whether the broker's certificate must be for the name in [`Device::host`]; always with [`Authorities::System`].
    pub verify_hostname: bool,
    /// The protocol name to offer, of at most 255 bytes.
    pub alpn: Option<&'a str>,
    /// Sent inside TLS, if given.
    pub credentials: Option<Credentials<'a>>,
}

/// Who may have issued a broker's certificate: `ca_certificate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorities<'a> {
    /// Those of a PEM file at this path.
    File(&'a str),
    /// The public ones that the machine has.
    System,
}

/// Paths of PEM files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientFiles<'a> {
    pub certificate: &'a str,
    pub key: &'a str,
}

/// What the broker is told at the end, in [`Device::status_topic`].
pub const OFFLINE: &str = "offline";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Will<'a> {
    /// At most [`MAX_TOPIC`] bytes.
    pub topic: &'a str,
    /// At most 65535 bytes.
    pub message: &'a str,
    pub qos: QoS,
    pub retain: bool,
}

/// `mqtt_version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// 3.1.1, and 3.1 for a broker that refuses it.
    #[default]
    Auto,
    V3_1,
    V3_1_1,
    V5,
}

/// A row of the Signals tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal<'a> {
    pub name: &'a str,
    /// Index into [`Config::devices`].
    pub device: u16,
    /// `signal_alias`: unique in its device.
    pub alias: &'a str,
    /// The engine's business, like the next; accepted and kept.
    pub source_device_alias: &'a str,
    pub source_signal_alias: &'a str,
    /// The Event Log's business; accepted and kept.
    pub log: i32,
    /// At most [`MAX_TOPIC`] bytes. `None`: the Redis channel's own name.
    pub topic: Option<&'a str>,
    /// Each message has the alias in it: with [`Payload::Json`] and a topic that another signal of the device has too.
    pub is_named: bool,
}

impl<'a> Signal<'a> {
    /// The defaults of all columns that have one, and empty strings for the others: fills storage until a row takes its place.
    pub const EMPTY: Signal<'static> = Signal {
        name: "",
        device: 0,
        alias: "",
        source_device_alias: "",
        source_signal_alias: "",
        log: Table::Signals.default(Key::Log) as i32,
        topic: None,
        is_named: false,
    };

    /// The Redis channel that the signal's samples arrive on, `tag/<device_alias>/<signal_alias>/in`, in pieces; at most
    /// [`MAX_CHANNEL`] bytes in all.
    #[must_use]
    pub fn channel_pieces<'p>(&self, device_alias: &'p str) -> [&'p str; 5]
    where
        'a: 'p,
    {
        topic::channel(device_alias, self.alias)
    }

    /// The topic that the signal's messages go to, in pieces; at most [`MAX_TOPIC`] bytes in all.
    #[must_use]
    pub fn topic_pieces<'p>(&self, device_alias: &'p str) -> [&'p str; 5]
    where
        'a: 'p,
    {
        match self.topic {
            Some(topic) => [topic, "", "", "", ""],
            None => self.channel_pieces(device_alias),
        }
    }
}

impl Default for Signal<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

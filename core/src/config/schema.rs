//! Which parameters does the mapping table have? Each stands here once, as data: its key, its rules, and what people are told of it.
//!
//! The order is that of the manual's tables (chapter 22, "MQTT parameters for Devices tab" and "for Signals tab"); what the manual does not
//! have comes after. From this follow the checks and the words of their findings (`check`), the spreadsheet utility's columns, notes and
//! example, and the README's tables. Rules between parameters, and those about the characters of topics and aliases, are code: `redis`, `device`,
//! `signal`.

use super::parameter::{Form, Integer, Kind, Note, Parameter, Setting, Table, Words};
use super::rule::{Rule, count_integers, count_words, integers, part, rules, words};

/// Makes the keys and each table's parameters and notes out of one list. A key that has a meaning in several tables is named in the first.
macro_rules! schema {
    ($($table:ident { $($key:ident $($name:literal)?: $parameter:expr, $note:expr;)* })*) => {
        /// A key that has a meaning in at least one [`Table`]; a column of the workbook.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Key { $($($(#[doc = $name] $key,)?)*)* }

        impl Key {
            /// The key as the file spells it.
            #[must_use]
            pub fn name(self) -> &'static str {
                let bounds = BOUNDS.get(self as usize..).unwrap_or_default();
                let name = match bounds {
                    [start, end, ..] => NAMES.get(usize::from(*start)..usize::from(*end)),
                    _ => None,
                };
                name.unwrap_or_default()
            }
        }

        /// The parameters of all tables.
        const ALL: &[Parameter] = &[$($(Parameter { key: Key::$key, ..$parameter },)*)*];

        /// The keys' names in a row: that takes a board a third of what as many references take.
        const NAMES: &str = concat!($($($($name,)?)*)*);

        /// Where each of them begins, and the last one's end.
        static BOUNDS: [u16; LENGTHS.len() + 1] = {
            let mut bounds = [0; LENGTHS.len() + 1];
            let mut key = 0;
            while key < LENGTHS.len() {
                bounds[key + 1] = bounds[key] + LENGTHS[key] as u16;
                key += 1;
            }
            bounds
        };

        const LENGTHS: &[usize] = &[$($($($name.len(),)?)*)*];

        impl Table {
            /// The parameters that there are here, in the order of the manual's tables. Checks use `rules`, which is smaller.
            #[must_use]
            pub const fn parameters(self) -> &'static [Parameter] {
                match self {
                    $(Table::$table => {
                        const { &[$(Parameter { key: Key::$key, ..$parameter },)*] }
                    })*
                }
            }

            /// Their rules, in the same order.
            pub(super) fn rules(self) -> &'static [Rule] {
                match self {
                    $(Table::$table => {
                        const { part(RULES, Table::$table.before(), Table::$table.parameters().len()) }
                    })*
                }
            }

            /// How many parameters the tables before this one have.
            const fn before(self) -> usize {
                let lengths = [$(Table::$table.parameters().len(),)*];
                let mut before = 0;
                let mut table = 0;
                while table < self as usize {
                    before += lengths[table];
                    table += 1;
                }
                before
            }

            /// What people are told of them, in the same order.
            pub(super) const fn notes(self) -> &'static [Note] {
                match self { $(Table::$table => const { &[$($note,)*] },)* }
            }
        }
    };
}

const fn note(explanation: &'static str) -> Note {
    Note::new(explanation)
}

const fn text(form: Form) -> Parameter {
    Parameter::text(form)
}

const fn boolean(default: bool) -> Parameter {
    Parameter::boolean(default)
}

const fn integer(integer: Integer) -> Parameter {
    Parameter::integer(integer)
}

const RULES: &[Rule] = &rules::<{ ALL.len() }>(ALL);

/// The integers of all tables.
pub(super) static INTEGERS: [Integer; count_integers(ALL)] = integers(ALL);

/// The words of those parameters, in all tables, that have some.
pub(super) static WORDS: [Words; count_words(ALL)] = words(ALL);

const QOS: Integer = Integer {
    min: 0,
    max: 2,
    default: 0,
};

/// The `mqtt_version` that an enabled device may ask for only where the program has the feature `mqtt5`.
pub(super) const MQTT_5: &str = "5";

/// Four bytes of seconds (MQTT 5, 1.5.3).
const MAX_SECONDS: i64 = u32::MAX as i64;

schema! {
    Top {
        Redis "redis": Parameter::table(), note("Where the local Redis is; all of it is optional.");
        Spool "spool": Parameter::table(), note("Where samples are kept that wait for long; all of it is optional.");
        Devices "devices": Parameter::table().required(), note("The rows of the Devices tab.");
        Signals "signals": Parameter::table().required(), note("The rows of the Signals tab.");
    }

    Devices {
        Name "name": text(Form::Any).required(),
            note("User-friendly device name.").example("Cloud");
        DeviceAlias "device_alias": text(Form::Any).required(),
            note("Device alias to be used in the configuration. No two devices have the same.")
                .range("letters, digits, - and _").example("cloud");
        Enable "enable": boolean(false),
            note("Enabling/disabling of a device.").example("1");
        Protocol "protocol": text(Form::Any).required(),
            note("Selection of protocol. Rows of other protocols belong to their own handlers.")
                .range("MQTT").example("MQTT");
        Ip "ip": text(Form::Host).required(),
            note("MQTT broker IP address/domain name selection.").example("broker.example.com");
        Port "port": integer(Integer { min: 1, max: 65_535, default: 1883 }),
            note("MQTT broker port selection. With auth=tls it is usually 8883.").example("8883");
        EnableThreshold "enable_threshold": boolean(true),
            note("Determines if identical values should not be sent multiple times in a row.").example("1");
        MqttQos "mqtt_qos": integer(QOS),
            note("MQTT Quality of Service for messages, as in the standard: 0 at most once, 1 at least once, 2 exactly once.")
                .example("1");
        MqttRetain "mqtt_retain": boolean(false),
            note("Selecting if the MQTT broker should retain the last received messages.").example("0");
        Auth "auth": Parameter::words(Words(&["none", "password", "tls", "token"])).required(),
            note("Selecting how the broker is told who we are, and if TLS should be used.").example("tls");
        Username "username": text(Form::MqttString).required_if(Setting::AuthPasswordOrToken).secret(),
            note("MQTT user name. With auth=tls it is sent if given; with auth=token it is the token, and there is no password.")
                .example("plant-7");
        Password "password": text(Form::MqttBytes).required_if(Setting::AuthPassword).secret(),
            note("MQTT user password. With auth=tls it is sent if given. \"\" (two quotation marks) is a password without characters; an empty cell is none.")
                .example("secret");
        CaCertificate "ca_certificate": text(Form::Path).required_if(Setting::AuthTls),
            note("Certificate authority file for the TLS connection: its path on the gateway, in PEM format. system stands for the public authorities that the gateway has.")
                .example("/etc/mqtt-client/ca.pem");
        ClientCertificate "client_certificate": text(Form::Path).required_if(Setting::ClientAuth),
            note("Client certificate file for the TLS connection: its path on the gateway, in PEM format.")
                .example("/etc/mqtt-client/client.pem");
        ClientKey "client_key": text(Form::Path).required_if(Setting::ClientAuth).secret(),
            note("Private key that corresponds to the client certificate: its file's path on the gateway, in PEM format.")
                .example("/etc/mqtt-client/client.key");
        UseLastWill "use_last_will": boolean(false),
            note("Selecting if MQTT should use the Last Will and Testament functionality.").example("1");
        LastWillTopic "last_will_topic": text(Form::Any).required_if(Setting::UseLastWill),
            note("Topic to which a message is sent if the device abruptly disconnects from the broker.")
                .range("no + and #, no $ in front, at most 256 bytes").example("plant/7/status");
        LastWillMessage "last_will_message": text(Form::MqttBytes),
            note("Message that is sent if the device abruptly disconnects from the broker.").example("offline");
        LastWillQos "last_will_qos": integer(QOS),
            note("MQTT Quality of Service of the last will message, as in the standard.").example("1");
        LastWillRetain "last_will_retain": boolean(false),
            note("Selecting if the MQTT broker should retain the last will message.").example("1");
        ClientId "client_id": text(Form::MqttString),
            note("Name under which the broker knows this client. No two clients of one broker have the same.")
                .default("the device_alias and 8 hexadecimal digits");
        MqttVersion "mqtt_version": Parameter::words(Words(&["auto", "3.1", "3.1.1", MQTT_5])),
            note("Version of MQTT. auto is 3.1.1, and 3.1 for a broker that refuses it. With 5 a broker says which messages it refuses, and why.").default("auto");
        SessionExpiry "session_expiry": integer(Integer { min: 0, max: MAX_SECONDS, default: 86_400 }),
            note("Seconds that the broker keeps the session while there is no connection. With mqtt_version=5 and mqtt_qos 1 or 2.");
        MessageExpiry "message_expiry": integer(Integer { min: 0, max: MAX_SECONDS, default: 0 }),
            note("Seconds after which a message is of no use any more, here or at the broker; they count from when the sample came. 0: none. With mqtt_version=5.");
        TopicAlias "topic_alias": boolean(false),
            note("Whether a number stands for a topic that was sent before, where the broker allows that. With mqtt_version=5.");
        KeepAlive "keep_alive": integer(Integer { min: 5, max: 65_535, default: 60 }),
            note("Seconds after which a silent connection is checked.");
        BufferSize "buffer_size": integer(Integer { min: 1024, max: 1 << 30, default: 1 << 20 }),
            note("Bytes of memory for messages that wait while the broker is away.");
        MaxInflight "max_inflight": integer(Integer { min: 1, max: 65_535, default: 100 }),
            note("Messages with QoS 1 and 2 that are sent and not yet acknowledged, at most. With QoS 2, Mosquitto as it is shipped throws away what exceeds 20.")
                .default("100; 20 with mqtt_qos=2");
        MaxRate "max_rate": integer(Integer { min: 0, max: 65_535, default: 0 }),
            note("Messages that are sent in any second, at most, those that are repeated after a reconnect included, for a broker that throttles. 0: no limit.");
        Payload "payload": Parameter::words(Words(&["csv", "json"])),
            note("How a sample looks in a message: csv is value,timestamp,quality; json is {\"v\":value,\"t\":timestamp,\"q\":quality}, with the signal_alias as \"s\" in front where signals share a topic.")
                .default("csv");
        SpoolSize "spool_size": integer(Integer { min: 0, max: 1 << 40, default: 0 }),
            note("Bytes on storage for samples that wait: they survive a power cut. 0 is none.").range("0, or 65536 to 2^40");
        ReplayRate "replay_rate": integer(Integer { min: 0, max: 65_535, default: 0 }),
            note("Messages of those that have waited that are sent in any second, at most, once the broker is back. 0: no limit.");
        LiveFirst "live_first": boolean(false),
            note("With a spool: whether new samples go at once, beside those that waited in it, and not behind them.");
        MaxAge "max_age": integer(Integer { min: 0, max: i32::MAX as i64, default: 0 }),
            note("Seconds after which a sample that waits is dropped. 0: never.");
        StatusTopic "status_topic": text(Form::Any),
            note("Topic of a retained message that says whether this device is online: online after each connect, offline before each disconnect, and offline as the Last Will where use_last_will is 0. Empty: none.")
                .range("no + and #, no $ in front, at most 256 bytes");
        StatusInterval "status_interval": integer(Integer { min: 0, max: i32::MAX as i64, default: 0 }),
            note("Seconds between two messages on status_topic/health that say how the device is, as a JSON object. 0: none.");
        TlsVerifyHostname "tls_verify_hostname": boolean(true),
            note("Whether the broker's certificate must be for the name in ip.");
        TlsClientAuth "tls_client_auth": boolean(true),
            note("Whether the broker is shown a certificate: 0 for one that asks for none, without client_certificate and client_key.");
        TlsAlpn "tls_alpn": text(Form::Any),
            note("Protocol name that is offered in TLS (ALPN), for brokers that tell by it what is spoken: mqtt, x-amzn-mqtt-ca.")
                .range("at most 255 bytes");
        Proxy "proxy": text(Form::Any),
            note("HTTP proxy that the connection to the broker goes through, by CONNECT. The proxy looks up the broker's name.")
                .range("host:port, an IPv6 address in brackets");
        ProxyUsername "proxy_username": text(Form::Any).required_if(Setting::ProxyPassword).secret(),
            note("User name for the proxy.").range("no colon");
        ProxyPassword "proxy_password": text(Form::Any).required_if(Setting::ProxyUsername).secret(),
            note("Password for the proxy. It goes there unencrypted.");
    }

    Signals {
        SignalName "signal_name": text(Form::Any).required(),
            note("User-friendly signal name.").example("Active power");
        DeviceAlias: text(Form::Any).required(),
            note("Device alias from the Devices tab.").example("cloud");
        SignalAlias "signal_alias": text(Form::Any).required(),
            note("Unique signal name to be used. No two signals of a device have the same.").example("p");
        SourceDeviceAlias "source_device_alias": text(Form::Any).required(),
            note("device_alias of the source device.").example("INV1");
        SourceSignalAlias "source_signal_alias": text(Form::Any).required(),
            note("signal_alias of the source signal.").example("P");
        Enable: boolean(true),
            note("Enabling/disabling of an individual signal.").example("1");
        Log "log": integer(Integer { min: i32::MIN, max: i32::MAX as i64, default: 0 }),
            note("Allow the signal to be logged: 1 to log it, 0 not to.").range("any integer").example("0");
        Topic "topic": text(Form::Any),
            note("Topic name to override the value built by default.")
                .default("tag/device_alias/signal_alias/in").range("no + and #, no $ in front but that of $aws/rules/, at most 256 bytes")
                .example("plant/7/inverter/power");
    }

    Redis {
        Host "host": text(Form::Host),
            note("Address or domain name of Redis.").default("127.0.0.1");
        Port: integer(Integer { min: 1, max: 65_535, default: 6379 }),
            note("Port of Redis.");
        Socket "socket": text(Form::Path),
            note("Path of the Unix socket of Redis, instead of host and port.");
        Username: text(Form::Any).secret(),
            note("User name for Redis.");
        Password: text(Form::Any).required_if(Setting::Username).secret(),
            note("Password for Redis.");
        Database "database": integer(Integer { min: 0, max: i32::MAX as i64, default: 0 }),
            note("Number of the database.");
    }

    Spool {
        Path "path": text(Form::Path),
            note("Folder on an SD card or on a partition of its own, never on the root file system of a gateway. Required if a device has a spool_size, but on a board, whose spool is in its flash.");
        FlushInterval "flush_interval": integer(Integer { min: 1, max: 3600, default: 10 }),
            note("Seconds after which a sample that waits is written.");
    }
}

impl Key {
    pub(super) const FIRST: Key = Key::Redis;
}

impl Table {
    /// The keys of [`Table::parameters`].
    pub fn keys(self) -> impl ExactSizeIterator<Item = Key> {
        self.parameters().iter().map(|parameter| parameter.key)
    }

    /// How many parameters the table has that has the most.
    pub(super) const WIDEST: usize = Table::Devices.parameters().len();

    /// The default of an integer or a boolean, for constants.
    pub(super) const fn default(self, key: Key) -> i64 {
        match self.parameters()[self.position(key)].kind {
            Kind::Integer(integer) => integer.default as i64,
            Kind::Boolean(default) => default as i64,
            Kind::Table | Kind::Text(_) | Kind::Words(_) => panic!("no number"),
        }
    }

    /// The default of a text, for constants.
    pub(super) const fn default_text(self, key: Key) -> &'static str {
        self.notes()[self.position(key)].default
    }

    const fn position(self, key: Key) -> usize {
        let parameters = self.parameters();
        let mut position = 0;
        while parameters[position].key as u8 != key as u8 {
            position += 1;
        }
        position
    }
}

// A row remembers in 64 bits which keys it has met twice.
const _: () = {
    assert!(Table::WIDEST <= 64);
    assert!(Table::Signals.parameters().len() <= Table::WIDEST);
    assert!(Table::Redis.parameters().len() <= Table::WIDEST);
    assert!(Table::Spool.parameters().len() <= Table::WIDEST);
};

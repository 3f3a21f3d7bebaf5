//! What does the manual say of each parameter? (Chapter 22, tables "MQTT parameters for Devices tab" and "for Signals tab";
//! the last ones of the devices and all of Redis are ours.)
//!
//! This is for people to read, and for the template's lists. What holds is in the core; a test compares the two.

use mqtt_client_core::config::{Key, Table};

/// A column.
pub struct Parameter {
    pub key: Key,
    pub kind: Kind,
    /// When it must be there.
    pub required: Required,
    /// The value of a blank cell, in words; empty if it is required.
    pub default: &'static str,
    pub range: Range,
    pub explanation: &'static str,
}

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Boolean,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    Yes,
    No,
    /// With this setting.
    If(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    Any,
    /// In words.
    Words(&'static str),
    /// Both ends are allowed.
    Between(i32, i32),
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// The columns of a tab, in the order of [`Table::keys`].
pub fn of(table: Table) -> &'static [Parameter] {
    match table {
        Table::Devices => DEVICES,
        Table::Signals => SIGNALS,
        Table::Redis => REDIS,
        Table::Top => &[],
    }
}

const BOOLEAN: Range = Range::OneOf(&["0", "1"]);
const QOS: Range = Range::OneOf(&["0", "1", "2"]);
const PORT: Range = Range::Between(1, 65_535);

const fn text(key: Key, required: Required, explanation: &'static str) -> Parameter {
    let default = match required {
        Required::No => "empty",
        Required::Yes | Required::If(_) => "",
    };
    Parameter {
        key,
        kind: Kind::Text,
        required,
        default,
        range: Range::Any,
        explanation,
    }
}

const fn boolean(key: Key, default: &'static str, explanation: &'static str) -> Parameter {
    Parameter {
        key,
        kind: Kind::Boolean,
        required: Required::No,
        default,
        range: BOOLEAN,
        explanation,
    }
}

const fn integer(
    key: Key,
    default: &'static str,
    range: Range,
    explanation: &'static str,
) -> Parameter {
    Parameter {
        key,
        kind: Kind::Integer,
        required: Required::No,
        default,
        range,
        explanation,
    }
}

impl Parameter {
    const fn default(self, default: &'static str) -> Parameter {
        Parameter { default, ..self }
    }

    const fn range(self, range: Range) -> Parameter {
        Parameter { range, ..self }
    }
}

use Required::{If, No, Yes};

const DEVICES: &[Parameter] = &[
    text(Key::Name, Yes, "User-friendly device name."),
    text(
        Key::DeviceAlias,
        Yes,
        "Device alias to be used in the configuration. No two devices have the same.",
    )
    .range(Range::Words("letters, digits, - and _")),
    boolean(Key::Enable, "0", "Enabling/disabling of a device."),
    text(
        Key::Protocol,
        Yes,
        "Selection of protocol. Rows of other protocols belong to their own handlers.",
    )
    .range(Range::Words("MQTT")),
    text(Key::Ip, Yes, "MQTT broker IP address/domain name selection."),
    integer(
        Key::Port,
        "1883",
        PORT,
        "MQTT broker port selection. With auth=tls it is usually 8883.",
    ),
    boolean(
        Key::EnableThreshold,
        "1",
        "Determines if identical values should not be sent multiple times in a row.",
    ),
    integer(
        Key::MqttQos,
        "0",
        QOS,
        "MQTT Quality of Service for messages, as in the standard: 0 at most once, 1 at least once, 2 exactly once.",
    ),
    boolean(
        Key::MqttRetain,
        "0",
        "Selecting if the MQTT broker should retain the last received messages.",
    ),
    text(
        Key::Auth,
        Yes,
        "Selecting how the broker is told who we are, and if TLS should be used.",
    )
    .range(Range::OneOf(&["none", "password", "tls"])),
    text(
        Key::Username,
        If("auth=password"),
        "MQTT user name. With auth=tls it is sent if given.",
    ),
    text(
        Key::Password,
        If("auth=password"),
        "MQTT user password. With auth=tls it is sent if given. \"\" (two quotation marks) is a password without characters; an empty cell is none.",
    ),
    text(
        Key::CaCertificate,
        If("auth=tls"),
        "Certificate authority file for the TLS connection: its path on the gateway, in PEM format.",
    ),
    text(
        Key::ClientCertificate,
        If("auth=tls"),
        "Client certificate file for the TLS connection: its path on the gateway, in PEM format.",
    ),
    text(
        Key::ClientKey,
        If("auth=tls"),
        "Private key that corresponds to the client certificate: its file's path on the gateway, in PEM format.",
    ),
    boolean(
        Key::UseLastWill,
        "0",
        "Selecting if MQTT should use the Last Will and Testament functionality.",
    ),
    text(
        Key::LastWillTopic,
        If("use_last_will=1"),
        "Topic to which a message is sent if the device abruptly disconnects from the broker.",
    )
    .range(Range::Words("no + and #, at most 256 bytes")),
    text(
        Key::LastWillMessage,
        No,
        "Message that is sent if the device abruptly disconnects from the broker.",
    ),
    integer(
        Key::LastWillQos,
        "0",
        QOS,
        "MQTT Quality of Service of the last will message, as in the standard.",
    ),
    boolean(
        Key::LastWillRetain,
        "0",
        "Selecting if the MQTT broker should retain the last will message.",
    ),
    text(
        Key::ClientId,
        No,
        "Name under which the broker knows this client. No two clients of one broker have the same.",
    )
    .default("the device_alias and 8 hexadecimal digits"),
    text(
        Key::MqttVersion,
        No,
        "Version of MQTT. auto is 3.1.1, and 3.1 for a broker that refuses it.",
    )
    .default("auto")
    // The core knows 5 as well, and no daemon is built with it.
    .range(Range::OneOf(&["auto", "3.1", "3.1.1"])),
    integer(
        Key::KeepAlive,
        "60",
        Range::Between(5, 65_535),
        "Seconds after which a silent connection is checked.",
    ),
    integer(
        Key::BufferSize,
        "1048576",
        Range::Between(1024, 1_073_741_824),
        "Bytes of memory for messages that wait while the broker is away.",
    ),
    integer(
        Key::MaxInflight,
        "100; 20 with mqtt_qos=2",
        Range::Between(1, 65_535),
        "Messages with QoS 1 and 2 that are sent and not yet acknowledged, at most. With QoS 2, Mosquitto as it is shipped throws away what exceeds 20.",
    ),
    boolean(
        Key::TlsVerifyHostname,
        "1",
        "Whether the broker's certificate must be for the name in ip.",
    ),
];

const SIGNALS: &[Parameter] = &[
    text(Key::SignalName, Yes, "User-friendly signal name."),
    text(Key::DeviceAlias, Yes, "Device alias from the Devices tab."),
    text(
        Key::SignalAlias,
        Yes,
        "Unique signal name to be used. No two signals of a device have the same.",
    ),
    text(
        Key::SourceDeviceAlias,
        Yes,
        "device_alias of the source device.",
    ),
    text(
        Key::SourceSignalAlias,
        Yes,
        "signal_alias of the source signal.",
    ),
    boolean(
        Key::Enable,
        "1",
        "Enabling/disabling of an individual signal.",
    ),
    integer(
        Key::Log,
        "0",
        Range::Any,
        "Allow the signal to be logged: 1 to log it, 0 not to.",
    ),
    text(
        Key::Topic,
        No,
        "Topic name to override the value built by default.",
    )
    .default("tag/device_alias/signal_alias/in")
    .range(Range::Words("no + and #, no $ in front, at most 256 bytes")),
];

const REDIS: &[Parameter] = &[
    text(Key::Host, No, "Address or domain name of Redis.").default("127.0.0.1"),
    integer(Key::Port, "6379", PORT, "Port of Redis."),
    text(
        Key::Socket,
        No,
        "Path of the Unix socket of Redis, instead of host and port.",
    ),
    text(Key::Username, No, "User name for Redis."),
    text(Key::Password, If("username"), "Password for Redis."),
    integer(
        Key::Database,
        "0",
        Range::Between(0, i32::MAX),
        "Number of the database.",
    ),
];

#[cfg(test)]
mod tests {
    use mqtt_client_core::config::{self, Abilities, Finding, Place, Problem, Storage, Type};

    use super::*;

    const TABLES: [Table; 3] = [Table::Devices, Table::Signals, Table::Redis];

    /// What the core says of the parameter's key when a table's row is `row`, otherwise complete or not.
    fn findings<T>(table: Table, row: &str, see: impl Fn(&Finding<'_>) -> Option<T>) -> Vec<T> {
        let file = match table {
            Table::Devices => format!(r#"{{"devices": [{row}], "signals": []}}"#),
            Table::Signals => format!(r#"{{"devices": [], "signals": [{row}]}}"#),
            _ => format!(r#"{{"redis": {row}, "devices": [], "signals": []}}"#),
        };
        let sizes = config::measure(file.as_bytes()).unwrap();
        let storage = Storage {
            devices: &mut vec![config::Device::EMPTY; sizes.devices],
            signals: &mut vec![config::Signal::EMPTY; sizes.signals],
            index: &mut vec![0; sizes.index],
            text: &mut vec![0; sizes.text],
        };
        let mut seen = Vec::new();
        let _ = config::parse(file.as_bytes(), storage, Abilities::ALL, &mut |finding| {
            seen.extend(see(finding));
        });
        seen
    }

    fn is_of(finding: &Finding<'_>, key: Key) -> bool {
        matches!(finding.place, Place::Cell { key: config::KeyName::Known(found), .. } if found == key)
    }

    #[test]
    fn every_key_of_the_core_is_explained_and_in_its_order() {
        for table in TABLES {
            let keys: Vec<Key> = of(table).iter().map(|parameter| parameter.key).collect();
            assert_eq!(keys, table.keys());
        }
    }

    #[test]
    fn the_kinds_are_those_that_the_core_demands() {
        for table in TABLES {
            for parameter in of(table) {
                let name = parameter.key.name();
                let types = findings(
                    table,
                    &format!(r#"{{"{name}": []}}"#),
                    |finding| match finding.problem {
                        Problem::WrongType { expected, .. } if is_of(finding, parameter.key) => {
                            Some(expected)
                        }
                        _ => None,
                    },
                );
                let expected = match parameter.kind {
                    Kind::Text => Type::String,
                    Kind::Integer => Type::Integer,
                    Kind::Boolean => Type::Boolean,
                };
                assert_eq!(types, [expected], "{name}");
            }
        }
    }

    #[test]
    fn what_is_required_is_what_the_core_misses() {
        // Everything that makes another parameter required.
        let reasons = [
            "{}",
            r#"{"auth": "password"}"#,
            r#"{"auth": "tls"}"#,
            r#"{"use_last_will": 1}"#,
            r#"{"username": "u"}"#,
        ];
        for table in TABLES {
            for parameter in of(table) {
                let missed = |row| {
                    findings(table, row, |finding| match finding.problem {
                        Problem::Missing { because } if is_of(finding, parameter.key) => {
                            Some(because)
                        }
                        _ => None,
                    })
                };
                let all: Vec<_> = reasons.iter().flat_map(|row| missed(row)).collect();
                let name = parameter.key.name();
                match parameter.required {
                    Required::Yes => assert!(all.contains(&None), "{name}"),
                    Required::No => assert_eq!(all, [], "{name}"),
                    Required::If(reason) => assert_eq!(all, [Some(reason)], "{name}"),
                }
            }
        }
    }

    #[test]
    fn the_ranges_are_those_of_the_core() {
        for table in TABLES {
            for parameter in of(table) {
                let name = parameter.key.name();
                let refused = |value: &str| {
                    let row = format!(r#"{{"{name}": {value}}}"#);
                    let all = findings(table, &row, |finding| match finding.problem {
                        Problem::NotInRange { min, max, .. } if is_of(finding, parameter.key) => {
                            Some(format!("{min}..{max}"))
                        }
                        Problem::NotOneOf { allowed, .. } if is_of(finding, parameter.key) => {
                            Some(allowed.to_owned())
                        }
                        _ => None,
                    });
                    all.first().cloned()
                };
                match (parameter.range, parameter.kind) {
                    (Range::Between(min, max), _) => {
                        let expected = Some(format!("{min}..{max}"));
                        assert_eq!(refused("99999999999"), expected, "{name}");
                    }
                    (Range::OneOf(words), Kind::Text) => {
                        let is_version = parameter.key == Key::MqttVersion;
                        let not_offered: &[&str] = if is_version { &["5"] } else { &[] };
                        let words = [words, not_offered].concat();
                        let (last, first) = words.split_last().unwrap();
                        let expected = format!("{} or {last}", first.join(", "));
                        assert_eq!(refused("\"other\""), Some(expected), "{name}");
                    }
                    (Range::OneOf(words), _) => {
                        for word in words {
                            assert_eq!(refused(word), None, "{name} {word}");
                        }
                        assert!(refused("3").is_some(), "{name}");
                    }
                    (Range::Any | Range::Words(_), _) => {
                        assert_eq!(refused("\"other\""), None, "{name}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_default_of_max_inflight_depends_on_the_quality_of_service() {
        let column = DEVICES.iter().find(|column| column.key == Key::MaxInflight);
        assert_eq!(
            column.map(|column| column.default),
            Some("100; 20 with mqtt_qos=2")
        );
        assert_eq!(config::Device::EMPTY.max_inflight, 100);
        // Above its default, the core warns.
        for (window, warnings) in [(20, 0), (21, 1)] {
            let row = format!(r#"{{"mqtt_qos": 2, "max_inflight": {window}}}"#);
            let seen = findings(Table::Devices, &row, |finding| match finding.problem {
                Problem::WideWindow(_) => Some(()),
                _ => None,
            });
            assert_eq!(seen.len(), warnings);
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_core() {
        let device = config::Device::EMPTY;
        let signal = config::Signal::EMPTY;
        let defaults = [
            (Table::Devices, Key::Port, u32::from(device.port)),
            (
                Table::Devices,
                Key::EnableThreshold,
                device.threshold.into(),
            ),
            (Table::Devices, Key::MqttQos, u8::from(device.qos).into()),
            (Table::Devices, Key::MqttRetain, device.retain.into()),
            (Table::Devices, Key::KeepAlive, device.keep_alive.into()),
            (Table::Signals, Key::Log, signal.log as u32),
            (
                Table::Redis,
                Key::Database,
                config::Redis::default().database,
            ),
        ];
        for (table, key, expected) in defaults {
            let parameter = of(table).iter().find(|parameter| parameter.key == key);
            let default = parameter.map(|parameter| parameter.default);
            assert_eq!(default, Some(expected.to_string().as_str()), "{key:?}");
        }
    }
}

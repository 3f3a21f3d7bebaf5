//! Which tables and keys are there? Their names, once, as they stand in the file and in the workbook.

/// A part of the file. [`Table::Devices`] and [`Table::Signals`] are tabs of the workbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// The file's outermost object.
    Top,
    Redis,
    Devices,
    Signals,
}

macro_rules! keys {
    ($($key:ident = $name:literal),* $(,)?) => {
        /// A key that has a meaning in at least one [`Table`]; a column of the workbook.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Key { $($key),* }

        impl Key {
            /// How many keys there are; `key as usize` is below.
            pub(super) const COUNT: usize = [$(Key::$key),*].len();

            /// The key as the file spells it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$key => $name),* }
            }
        }
    };
}

keys! {
    Redis = "redis",
    Devices = "devices",
    Signals = "signals",

    Name = "name",
    DeviceAlias = "device_alias",
    Enable = "enable",
    Protocol = "protocol",
    Ip = "ip",
    Port = "port",
    EnableThreshold = "enable_threshold",
    MqttQos = "mqtt_qos",
    MqttRetain = "mqtt_retain",
    Auth = "auth",
    Username = "username",
    Password = "password",
    CaCertificate = "ca_certificate",
    ClientCertificate = "client_certificate",
    ClientKey = "client_key",
    UseLastWill = "use_last_will",
    LastWillTopic = "last_will_topic",
    LastWillMessage = "last_will_message",
    LastWillQos = "last_will_qos",
    LastWillRetain = "last_will_retain",
    ClientId = "client_id",
    MqttVersion = "mqtt_version",
    KeepAlive = "keep_alive",
    BufferSize = "buffer_size",
    MaxInflight = "max_inflight",
    TlsVerifyHostname = "tls_verify_hostname",

    SignalName = "signal_name",
    SignalAlias = "signal_alias",
    SourceDeviceAlias = "source_device_alias",
    SourceSignalAlias = "source_signal_alias",
    Log = "log",
    Topic = "topic",

    Host = "host",
    Socket = "socket",
    Database = "database",
}

// A row remembers in 64 bits which keys it has met.
const _: () = assert!(Key::COUNT <= 64);

impl Key {
    /// Its value appears in no output, whatever its type.
    pub(super) const fn is_secret(self) -> bool {
        matches!(self, Key::Username | Key::Password | Key::ClientKey)
    }
}

impl Table {
    /// The keys that have a meaning here, in the order of the manual's tables.
    #[must_use]
    pub const fn keys(self) -> &'static [Key] {
        match self {
            Table::Top => &[Key::Redis, Key::Devices, Key::Signals],
            Table::Redis => &[
                Key::Host,
                Key::Port,
                Key::Socket,
                Key::Username,
                Key::Password,
                Key::Database,
            ],
            Table::Devices => &[
                Key::Name,
                Key::DeviceAlias,
                Key::Enable,
                Key::Protocol,
                Key::Ip,
                Key::Port,
                Key::EnableThreshold,
                Key::MqttQos,
                Key::MqttRetain,
                Key::Auth,
                Key::Username,
                Key::Password,
                Key::CaCertificate,
                Key::ClientCertificate,
                Key::ClientKey,
                Key::UseLastWill,
                Key::LastWillTopic,
                Key::LastWillMessage,
                Key::LastWillQos,
                Key::LastWillRetain,
                Key::ClientId,
                Key::MqttVersion,
                Key::KeepAlive,
                Key::BufferSize,
                Key::MaxInflight,
                Key::TlsVerifyHostname,
            ],
            Table::Signals => &[
                Key::SignalName,
                Key::DeviceAlias,
                Key::SignalAlias,
                Key::SourceDeviceAlias,
                Key::SourceSignalAlias,
                Key::Enable,
                Key::Log,
                Key::Topic,
            ],
        }
    }
}

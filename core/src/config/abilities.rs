//! What can the program do that is to use the configuration?

/// What the program that asks is built with. An enabled device that needs more is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// `auth`=`tls`.
    pub tls: bool,
    /// `mqtt_version`=`5`.
    pub mqtt5: bool,
    /// IPv6 addresses.
    pub ipv6: bool,
    /// Servers on the same machine: loopback addresses, Unix sockets, and the Redis that is meant where `redis.host` is not
    /// given.
    pub local_servers: bool,
    /// A file system: without one `spool.path` is not needed, and without effect.
    pub files: bool,
}

impl Abilities {
    /// All of them, as far as they are built in.
    pub const ALL: Abilities = Abilities {
        tls: true,
        mqtt5: cfg!(feature = "mqtt5"),
        ipv6: true,
        local_servers: true,
        files: true,
    };
}

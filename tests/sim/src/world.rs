//! What a life is lived in: configuration, sizes and servers, all drawn from the seed.

use fastrand::Rng;

use crate::broker::{Delivers, Kind, Speaks};
use crate::disk::{self, Disk};

/// Secrets of the configurations: they must not be shown anywhere.
pub const SECRETS: [&str; 4] = [
    "hunter2-redis",
    "hunter2-broker",
    "hunter2-proxy",
    // The last one, as a proxy is told it by `u`.
    "dTpodW50ZXIyLXByb3h5",
];

/// See the module's page.
#[derive(Debug, Clone)]
pub struct World {
    pub devices: Vec<Device>,
    pub redis_password: bool,
    /// Bytes of the buffers towards Redis, beyond the smallest that work.
    pub redis_input: usize,
    pub redis_commands: usize,
    /// Milliseconds that a segment takes on a healthy network, at least and at most.
    pub latency: (u64, u64),
    /// Bounds of what a faulty plan may do, in milliseconds from the start.
    pub storm: u64,
    /// Where the bridge's clock begins: backward jumps need room.
    pub clock: u64,
    /// This device's broker and line are left alone: nothing that befalls the others may reach it.
    pub spared: Option<usize>,
    pub ending: Ending,
    /// The bridge's process may die and begin again.
    pub restarts: bool,
    /// Everything is logged, and looked through for secrets.
    pub verbose: bool,
    /// The bridge's random number.
    pub random: u32,
}

/// How a life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All is well again, everything arrives, and nobody stops.
    Healed,
    /// The same, and then the bridge is stopped.
    HealedAndStopped,
    /// The bridge is stopped while things go wrong.
    StoppedInTheStorm,
}

/// One device with its broker.
#[derive(Debug, Clone)]
pub struct Device {
    pub qos: u8,
    pub retain: bool,
    pub threshold: bool,
    pub version: &'static str,
    pub max_inflight: usize,
    /// 0: no limit.
    pub max_rate: usize,
    pub buffer_size: usize,
    /// Seconds.
    pub keep_alive: u64,
    pub will: bool,
    /// It tells whether it is online, and with its will whether it is not.
    pub status: bool,
    pub password: bool,
    /// Bytes of the session's buffers; those of control beyond the smallest that work.
    pub input: usize,
    pub control: usize,
    pub signals: usize,
    pub long_topics: bool,
    pub kind: Kind,
    pub delivers: Delivers,
    pub speaks: Speaks,
    /// A session that an earlier process left, with these identifiers held.
    pub earlier_session: Option<Vec<u16>>,
    /// There is a proxy before the broker; whether it is told who asks.
    pub proxy: Option<bool>,
    pub spool: Option<Spool>,
    /// It speaks MQTT 5, with a broker that does.
    pub v5: Option<V5>,
    /// Its payloads are JSON objects.
    pub json: bool,
}

/// The spool of a device, and the storage under it.
#[derive(Debug, Clone, Copy)]
pub struct Spool {
    pub kind: disk::Kind,
    /// Bytes, and how many segments there may be.
    pub segment_len: usize,
    pub most_segments: usize,
    /// Blocks that may wait in memory.
    pub blocks: usize,
    /// The flush interval, in milliseconds.
    pub interval: u64,
    /// One answer in so many comes at once, the others after so many milliseconds.
    pub patience: u64,
    pub pace: u64,
    /// Nothing is wrong with the storage but that power is cut.
    pub is_well: bool,
    /// 0: no limit.
    pub replay_rate: usize,
    pub live_first: bool,
    /// Seconds; 0: any age.
    pub max_age: u64,
}

/// What only a device and a broker of MQTT 5 have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct V5 {
    /// The broker's limits; 0: none.
    pub receive_maximum: u16,
    pub maximum_packet_size: u32,
    /// It takes QoS 1 at most.
    pub lacks_qos_2: bool,
    pub retains: bool,
    /// Seconds that it asks for; 0: as the client says.
    pub keep_alive: u64,
    pub alias_maximum: u16,
    pub topic_alias: bool,
    /// Seconds; 0: none.
    pub message_expiry: u64,
}

/// A configuration that a reload brings: what differs from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Edition {
    /// The signals stand in another order.
    pub turned: bool,
    /// The last signal of each device is missing.
    pub without_last: bool,
    /// Seconds that are added to every keep-alive: that takes a new connection.
    pub keep_alive: u64,
}

impl World {
    /// No device has a spool, or tells its broker whether it is online.
    pub fn make_plain(&mut self) {
        for device in &mut self.devices {
            device.spool = None;
            device.status = false;
        }
    }

    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        let count = [1, 1, 2, 3][rng.usize(..4)];
        // Most worlds have none of the brokers that do as they like.
        let has_odd = rng.u8(..5) < 2;
        let mut devices: Vec<Device> = (0..count).map(|_| Device::draw(has_odd, rng)).collect();
        // Out of other numbers, so that what else a seed draws is what it was before there were proxies.
        let mut own = rng.clone();
        let mut own = own.fork();
        for device in &mut devices {
            device.proxy = (own.u8(..5) == 0).then(|| own.bool());
        }
        for device in &mut devices {
            device.draw_v5(&mut own);
        }
        if own.u8(..3) == 0 {
            for device in devices.iter_mut().filter(|device| device.v5.is_none()) {
                device.spool = (own.u8(..4) > 0).then(|| Spool::draw(&mut own));
            }
        }
        for device in &mut devices {
            device.json = own.u8(..4) == 0;
            let is_retained = device.v5.is_none_or(|v5| v5.retains);
            device.status = own.u8(..3) == 0 && !device.will && is_retained;
        }
        let spared = (count > 1 && rng.u8(..3) == 0).then(|| rng.usize(..count));
        let fast = rng.u64(0..20);
        let ending = match rng.u8(..8) {
            0 => Ending::StoppedInTheStorm,
            1..4 => Ending::HealedAndStopped,
            _ => Ending::Healed,
        };
        let mut world = World {
            devices,
            redis_password: rng.bool(),
            redis_input: if rng.bool() { 0 } else { 1024 },
            redis_commands: if rng.bool() { 0 } else { 512 },
            latency: (0, fast),
            storm: rng.u64(20_000..240_000),
            clock: rng.u64(1_000_000..1 << 40),
            spared,
            ending,
            restarts: rng.u8(..8) == 0,
            verbose: rng.u8(..8) == 0,
            random: rng.u32(1..),
        };
        if world.has_spools() {
            // Only a process that begins again shows what was kept.
            world.restarts |= world.spared.is_none();
            if world.ending == Ending::StoppedInTheStorm {
                world.ending = Ending::Healed;
            }
        }
        for device in &mut world.devices {
            // What was dropped is forgotten as the last value, and no second book knows at once what was dropped for want of storage.
            device.threshold &=
                (device.spool).is_none_or(|spool| spool.is_well && spool.max_age == 0);
        }
        world
    }

    #[must_use]
    pub fn has_spools(&self) -> bool {
        self.devices.iter().any(|device| device.spool.is_some())
    }

    /// The mapping table of this edition.
    #[must_use]
    pub fn table(&self, edition: Edition) -> String {
        let mut devices = Vec::new();
        let mut signals = Vec::new();
        for (number, device) in self.devices.iter().enumerate() {
            devices.push(device.row(number, edition));
            let rows = if edition.without_last {
                device.signals - 1
            } else {
                device.signals
            };
            signals.extend((0..rows).map(|signal| device.signal_row(number, signal)));
        }
        if edition.turned {
            signals.reverse();
        }
        let redis = if self.redis_password {
            format!(r#""redis": {{"password": "{}"}}, "#, SECRETS[0])
        } else {
            String::new()
        };
        format!(
            r#"{{{redis}"devices": [{}], "signals": [{}]}}"#,
            devices.join(", "),
            signals.join(", ")
        )
    }
}

impl Spool {
    fn draw(rng: &mut Rng) -> Self {
        let is_well = rng.bool();
        let patience = [1, 1, 2, 4][rng.usize(..4)];
        Spool {
            kind: [disk::Kind::Files, disk::Kind::Flash][rng.usize(..2)],
            segment_len: [8192, 16 * 1024][rng.usize(..2)],
            most_segments: if is_well {
                1000
            } else {
                [2, 3, 1000][rng.usize(..3)]
            },
            blocks: rng.usize(2..5),
            interval: [1000, 2000, 10_000][rng.usize(..3)],
            patience,
            pace: if patience > 1 { rng.u64(0..20) } else { 0 },
            is_well,
            replay_rate: [0, 0, 0, 7, 40, 300][rng.usize(..6)],
            // With storage that goes and comes back, what was written in between is not found again yet.
            live_first: rng.u8(..3) == 0 && is_well,
            max_age: [0, 0, 0, 0, 10, 60][rng.usize(..6)],
        }
    }

    fn keys(&self) -> String {
        let mut keys = String::new();
        if self.replay_rate > 0 {
            keys += &format!(r#", "replay_rate": {}"#, self.replay_rate);
        }
        if self.live_first {
            keys += r#", "live_first": 1"#;
        }
        if self.max_age > 0 {
            keys += &format!(r#", "max_age": {}"#, self.max_age);
        }
        keys
    }

    #[must_use]
    pub fn disk(&self, seed: u64) -> Disk {
        let disk = Disk::new(self.kind, self.segment_len, self.most_segments, seed);
        disk.be_slow(self.patience);
        disk
    }
}

impl Device {
    fn draw(is_odd: bool, rng: &mut Rng) -> Self {
        let kind = if is_odd {
            Kind::draw_odd(rng)
        } else {
            Kind::Plain
        };
        let qos = [0, 1, 1, 2, 2, 2][rng.usize(..6)];
        let version = ["auto", "auto", "3.1", "3.1.1"][rng.usize(..4)];
        let speaks = match (version, rng.u8(..6)) {
            ("auto" | "3.1", 0) => Speaks::Only3_1,
            ("auto" | "3.1", 1) => Speaks::Only3_1AndHangsUp,
            _ => Speaks::Both,
        };
        let held = rng.u16(0..6);
        Device {
            qos,
            retain: rng.bool(),
            threshold: rng.bool(),
            version,
            // Mosquitto would throw away what exceeds 20 messages at QoS 2.
            max_inflight: match (qos, kind) {
                (2, Kind::Mosquitto) => [1, 2, 3, 10, 19, 20][rng.usize(..6)],
                _ => [1, 2, 3, 10, 100, 65_535][rng.usize(..6)],
            },
            max_rate: [0, 0, 0, 0, 0, 0, 5, 30, 105, 3000][rng.usize(..10)],
            buffer_size: [1024, 1500, 3000, 40_000][rng.usize(..4)],
            keep_alive: [5, 7, 20, 60][rng.usize(..4)],
            will: rng.bool(),
            status: false,
            password: rng.bool(),
            input: [8, 9, 64, 256][rng.usize(..4)],
            control: [0, 0, 5, 256][rng.usize(..4)],
            signals: rng.usize(1..5),
            long_topics: rng.u8(..4) == 0,
            kind,
            delivers: if rng.bool() {
                Delivers::OnPublish
            } else {
                Delivers::OnPubrel
            },
            speaks,
            earlier_session: rng.bool().then(|| (1..=held).collect()),
            proxy: None,
            spool: None,
            v5: None,
            json: false,
        }
    }

    /// One in three that can be speaks MQTT 5.
    fn draw_v5(&mut self, rng: &mut Rng) {
        let draws = rng.u8(..3) == 0;
        let lacks_qos_2 = rng.u8(..4) == 0;
        let v5 = V5 {
            receive_maximum: [0, 0, 1, 2, 7, 20][rng.usize(..6)],
            // Over that of every message on a short topic, below that of any on a long one.
            maximum_packet_size: [0, 0, 150][rng.usize(..3)],
            lacks_qos_2,
            retains: rng.u8(..4) > 0,
            keep_alive: [0, 0, 6, 30][rng.usize(..4)],
            alias_maximum: [0, 1, 2, 10, 65_535][rng.usize(..5)],
            topic_alias: rng.bool(),
            message_expiry: [0, 0, 10, 60][rng.usize(..4)],
        };
        let can_be = self.version != "3.1"
            && self.speaks == Speaks::Both
            && matches!(self.kind, Kind::Plain | Kind::Mosquitto | Kind::Forgetful);
        if draws && can_be {
            self.version = "5";
            self.v5 = Some(V5 {
                receive_maximum: match (self.kind, v5.receive_maximum) {
                    // It says so.
                    (Kind::Mosquitto, 0) => 20,
                    (_, maximum) => maximum,
                },
                ..v5
            });
        }
    }

    /// What the broker makes of it.
    #[must_use]
    pub fn as_agreed(&self) -> Self {
        let mut device = self.clone();
        if let Some(v5) = self.v5 {
            device.retain &= v5.retains;
            device.qos = if v5.lacks_qos_2 {
                self.qos.min(1)
            } else {
                self.qos
            };
            if v5.receive_maximum > 0 {
                device.max_inflight = self.max_inflight.min(v5.receive_maximum.into());
            }
        }
        device
    }

    /// How much longer than at any speed it may take until so many messages are sent, in milliseconds.
    #[must_use]
    pub fn takes_longer(&self, messages: usize) -> u64 {
        let replay_rate = self.spool.map_or(0, |spool| spool.replay_rate);
        let rates = [self.max_rate, replay_rate].into_iter();
        let rate = rates.filter(|rate| *rate > 0).min().unwrap_or(0);
        (messages as u64 * 1100)
            .checked_div(rate as u64)
            .unwrap_or(0)
    }

    #[must_use]
    pub fn alias(number: usize) -> String {
        format!("d{number}")
    }

    #[must_use]
    pub fn channel(number: usize, signal: usize) -> String {
        format!("tag/d{number}/s{signal}/in")
    }

    #[must_use]
    pub fn status_topic(number: usize) -> String {
        format!("status/{number}")
    }

    /// The topic of a signal: every second one has its own.
    #[must_use]
    pub fn topic(&self, number: usize, signal: usize) -> String {
        if signal.is_multiple_of(2) {
            return Self::channel(number, signal);
        }
        let length = if self.long_topics { 200 } else { 1 };
        format!("plant/{number}/{}{signal}", "x".repeat(length))
    }

    fn row(&self, number: usize, edition: Edition) -> String {
        let mut keys = format!(
            r#""name": "{alias}", "device_alias": "{alias}", "enable": 1, "protocol": "MQTT", "ip": "broker", "mqtt_qos": {},
               "mqtt_retain": {}, "enable_threshold": {}, "mqtt_version": "{}", "buffer_size": {}, "keep_alive": {}"#,
            self.qos,
            u8::from(self.retain),
            u8::from(self.threshold),
            self.version,
            self.buffer_size,
            self.keep_alive + edition.keep_alive,
            alias = Self::alias(number),
        );
        // What is the default is left out.
        if self.max_inflight != if self.qos == 2 { 20 } else { 100 } {
            keys += &format!(r#", "max_inflight": {}"#, self.max_inflight);
        }
        if self.max_rate > 0 {
            keys += &format!(r#", "max_rate": {}"#, self.max_rate);
        }
        keys += &self.spool.map_or(String::new(), |spool| spool.keys());
        if self.json {
            keys += r#", "payload": "json""#;
        }
        if let Some(v5) = self.v5 {
            keys += &format!(
                r#", "topic_alias": {}, "message_expiry": {}"#,
                u8::from(v5.topic_alias),
                v5.message_expiry
            );
        }
        if self.will {
            keys += r#", "use_last_will": 1, "last_will_topic": "will", "last_will_message": "gone", "last_will_qos": 1"#;
        }
        if self.status {
            keys += &format!(r#", "status_topic": "{}""#, Self::status_topic(number));
        }
        if let Some(has_login) = self.proxy {
            keys += r#", "proxy": "proxy:3128""#;
            if has_login {
                keys += &format!(
                    r#", "proxy_username": "u", "proxy_password": "{}""#,
                    SECRETS[2]
                );
            }
        }
        keys += &if self.password {
            format!(
                r#", "auth": "password", "username": "u", "password": "{}""#,
                SECRETS[1]
            )
        } else {
            String::from(r#", "auth": "none""#)
        };
        format!("{{{keys}}}")
    }

    fn signal_row(&self, number: usize, signal: usize) -> String {
        let topic = if signal.is_multiple_of(2) {
            String::new()
        } else {
            format!(r#", "topic": "{}""#, self.topic(number, signal))
        };
        format!(
            r#"{{"signal_name": "s", "device_alias": "d{number}", "signal_alias": "s{signal}", "source_device_alias": "s", "source_signal_alias": "s"{topic}}}"#
        )
    }
}

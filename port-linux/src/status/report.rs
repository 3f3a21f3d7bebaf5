//! What does the daemon say? One JSON object for all devices, each with the health object that programs know from elsewhere: `docs/status.md`
//! says what each field means.

use std::borrow::Cow;

use mqtt_client_core::bridge::{Bridge, Broker};
use mqtt_client_core::config::{Config, Endpoint};
use mqtt_client_core::health::{Health, Redis, Session};
use mqtt_client_core::log::Legible;
use mqtt_client_core::time::{Instant, SECOND};
use serde::Serialize;

use crate::net::Stack;

/// Room for a device: each of its texts with every character escaped, its health, and the names and numbers.
const DEVICE_LEN: usize = 6 * (64 + 320 + 512) + 2048;

#[derive(Debug, Default, Serialize)]
pub struct Report<'a> {
    pub version: Cow<'a, str>,
    pub pid: u32,
    /// Milliseconds since the start of the process.
    pub uptime: u64,
    pub redis: RedisReport<'a>,
    pub devices: Vec<DeviceReport<'a>>,
}

#[derive(Debug, Default, Serialize)]
pub struct RedisReport<'a> {
    pub state: Redis,
    /// Host and port, or the path of a socket.
    pub server: Cow<'a, str>,
    pub last_error: Option<LastError<'a>>,
}

#[derive(Debug, Default, Serialize)]
pub struct DeviceReport<'a> {
    pub device: Cow<'a, str>,
    pub state: State,
    /// For how many seconds.
    pub since: u64,
    /// Host and port.
    pub broker: Cow<'a, str>,
    pub mqtt: Cow<'a, str>,
    pub qos: u8,
    pub queue: Fill,
    pub spool: Option<Fill>,
    pub last_error: Option<LastError<'a>>,
    pub health: Health<'a>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Online,
    #[default]
    Offline,
}

/// In bytes.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Fill {
    pub used: u64,
    pub size: u64,
}

#[derive(Debug, Default, Serialize)]
pub struct LastError<'a> {
    pub text: Cow<'a, str>,
    /// Seconds ago.
    pub ago: u64,
}

/// What `bridge` is doing, as one line of JSON.
pub fn write(now: Instant, config: &Config<'_>, bridge: &Bridge<'_, '_, Stack>) -> Vec<u8> {
    let report = Report::of(now, config, bridge);
    let mut text = vec![0; (report.devices.len() + 1) * DEVICE_LEN];
    // It fits; nobody waits for half of one.
    let len = serde_json_core::to_slice(&report, &mut text).unwrap_or_default();
    text.truncate(len);
    text.push(b'\n');
    text
}

impl<'a> Report<'a> {
    fn of(now: Instant, config: &Config<'_>, bridge: &'a Bridge<'_, '_, Stack>) -> Self {
        let server = match config.redis.endpoint {
            Endpoint::Tcp { host, port } => format!("{}:{port}", Legible(host)),
            Endpoint::Unix(path) => Legible(path).to_string(),
        };
        let devices = bridge.brokers().iter();
        Report {
            version: VERSION.into(),
            pid: std::process::id(),
            uptime: now.as_millis(),
            redis: RedisReport {
                state: bridge.feed().health(),
                server: server.into(),
                last_error: LastError::of(now, bridge.feed().last_failure()),
            },
            devices: devices
                .map(|broker| DeviceReport::of(now, bridge, broker))
                .collect(),
        }
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

impl<'a> DeviceReport<'a> {
    fn of<'c>(now: Instant, bridge: &Bridge<'_, 'c, Stack>, broker: &'a Broker<'c, Stack>) -> Self {
        let (device, session) = (broker.device(), broker.session());
        let (used, size) = session.outbox().fill();
        #[cfg(feature = "spool")]
        let spool = broker.spool().map(|spool| Fill {
            used: spool.used(),
            size: device.spool_size,
        });
        #[cfg(not(feature = "spool"))]
        let spool = None;
        DeviceReport {
            device: device.alias.into(),
            state: match session.standing() {
                Session::Offline => State::Offline,
                Session::New | Session::Resumed | Session::Unknown => State::Online,
            },
            since: now.since(session.since()) / SECOND,
            broker: format!("{}:{}", Legible(device.host), device.port).into(),
            mqtt: session.level().to_string().into(),
            qos: u8::from(device.qos),
            queue: Fill {
                used: used as u64,
                size: size as u64,
            },
            spool,
            last_error: LastError::of(now, broker.last_failure()),
            health: bridge.health(broker, VERSION, now),
        }
    }
}

impl<'a> LastError<'a> {
    fn of(now: Instant, failure: Option<(Instant, &'a str)>) -> Option<Self> {
        let (at, text) = failure?;
        Some(LastError {
            text: text.into(),
            ago: now.since(at) / SECOND,
        })
    }
}

//! Does a device ask for what its cloud provider does not accept? The provider is known by the host's name; its limits stand in `table`.
//!
//! They are the providers' to change, so what exceeds one is a warning and no error. Rows that work stand in `docs/brokers.md`.

mod table;

use core::fmt::{self, Display, Formatter};

use super::finding::{Finding, KeyName, Place, Problem, Severity};
use super::parameter::Table;
use super::rows::Rows;
use super::schema::Key;
use super::{Auth, Credentials, Device, Will};
use crate::bytes::holds;
use crate::delivery::QoS;
use table::PROVIDERS;

/// A provider that is known by the names of its hosts.
struct Provider {
    name: &'static str,
    hosts: &'static [Host],
    limits: &'static [Limit],
}

/// The names of a provider's hosts, in any letter case.
struct Host {
    /// The end, with the dot in front.
    end: &'static str,
    /// What stands somewhere before it, or nothing.
    label: &'static str,
}

/// One thing that a provider does not accept.
#[derive(Debug, PartialEq, Eq)]
pub struct Limit {
    rule: Rule,
    /// Behind the provider's name.
    words: &'static str,
    /// Where the provider says so.
    page: &'static str,
}

/// What exceeds a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Without TLS.
    Plain,
    /// Another port than these.
    PortOtherThan(&'static [u16]),
    Qos2,
    Retain,
    /// More seconds than these.
    KeepAliveOver(u16),
    InFlightOver(u16),
    /// More messages a second than these, or as many as there are.
    RateOver(u16),
    /// More bytes than these.
    ClientIdOver(usize),
    ClientIdMissing,
    UsernameMissing,
    /// Neither a user name nor a certificate.
    Unidentified,
    /// This port without a protocol name (ALPN).
    AlpnMissingAt(u16),
    /// Another user name than `<host>/<client_id>/...`.
    UsernameOfIotHub,
    /// More `/` than these, not counting `$aws/rules/<rule>/`.
    SlashesOver(usize),
    /// A topic that begins with none of these.
    TopicWithout(&'static [&'static str]),
    /// Another topic than `devices/<client_id>/messages/events/...`.
    TopicOfIotHub,
    /// Messages that are no JSON: all of ours.
    Csv,
}

impl Rows<'_> {
    /// Warns of what the enabled devices and their enabled signals have that their providers do not accept.
    pub fn check_providers(&self, report: &mut dyn FnMut(&Finding<'_>)) {
        for (device, enabled) in self.devices() {
            if let Some(provider) = Provider::of(device.host).filter(|_| enabled) {
                provider.check_device(device, report);
            }
        }
        for (number, (signal, enabled)) in self.signals().enumerate() {
            if let Some((device, true)) = self.device(signal.device)
                && let Some(provider) = Provider::of(device.host)
                && let Some(row) = self.signal_row(number)
                && enabled
            {
                let topic = signal.topic_pieces(device.alias);
                provider.check_topic(Table::Signals, row, Key::Topic, device, &topic, report);
            }
        }
    }
}

impl Provider {
    fn of(host: &str) -> Option<&'static Provider> {
        // A name may end in the dot of the root.
        let host = host.strip_suffix('.').unwrap_or(host);
        PROVIDERS
            .iter()
            .find(|provider| provider.hosts.iter().any(|known| known.names(host)))
    }

    fn check_device(&self, device: &Device<'_>, report: &mut dyn FnMut(&Finding<'_>)) {
        for limit in self.limits {
            for key in limit.exceeded_by(device).into_iter().flatten() {
                self.report(limit, Table::Devices, device.row, key, report);
            }
        }
        if let Some(Will { topic, .. }) = device.will {
            let (table, key) = (Table::Devices, Key::LastWillTopic);
            self.check_topic(table, device.row, key, device, &[topic], report);
        }
    }

    fn check_topic(
        &self,
        table: Table,
        row: usize,
        key: Key,
        device: &Device<'_>,
        topic: &[&str],
        report: &mut dyn FnMut(&Finding<'_>),
    ) {
        for limit in self.limits {
            if limit.exceeded_by_topic(device, topic) {
                self.report(limit, table, row, key, report);
            }
        }
    }

    #[cold]
    fn report(
        &self,
        limit: &'static Limit,
        table: Table,
        row: usize,
        key: Key,
        report: &mut dyn FnMut(&Finding<'_>),
    ) {
        let provider = self.name;
        report(&Finding {
            severity: Severity::Warning,
            place: Place::Cell {
                table,
                row,
                key: KeyName::Known(key),
            },
            problem: Problem::Provider { provider, limit },
        });
    }
}

impl Host {
    fn names(&self, host: &str) -> bool {
        let Some((start, end)) = host
            .len()
            .checked_sub(self.end.len())
            .and_then(|at| host.split_at_checked(at))
        else {
            return false;
        };
        let (start, label) = (start.as_bytes(), self.label.as_bytes());
        end.eq_ignore_ascii_case(self.end) && holds(start, label, <[u8]>::eq_ignore_ascii_case)
    }
}

impl Limit {
    /// The settings of the device, its Last Will among them, that exceed the limit; topics apart.
    fn exceeded_by(&self, device: &Device<'_>) -> [Option<Key>; 2] {
        let will = device.will;
        let when = |exceeds: bool, key: Key| exceeds.then_some(key);
        match self.rule {
            Rule::Plain => [when(!matches!(device.auth, Auth::Tls(_)), Key::Auth), None],
            Rule::PortOtherThan(ports) => [when(!ports.contains(&device.port), Key::Port), None],
            Rule::Qos2 => [
                when(device.qos == QoS::ExactlyOnce, Key::MqttQos),
                when(
                    will.is_some_and(|will| will.qos == QoS::ExactlyOnce),
                    Key::LastWillQos,
                ),
            ],
            Rule::Retain => [
                when(device.retain, Key::MqttRetain),
                when(will.is_some_and(|will| will.retain), Key::LastWillRetain),
            ],
            Rule::KeepAliveOver(seconds) => {
                [when(device.keep_alive > seconds, Key::KeepAlive), None]
            }
            Rule::InFlightOver(messages) => {
                let counts = device.qos != QoS::AtMostOnce;
                let exceeds = counts && device.max_inflight > messages;
                [when(exceeds, Key::MaxInflight), None]
            }
            Rule::RateOver(messages) => {
                let exceeds = !(1..=messages).contains(&device.max_rate);
                [when(exceeds, Key::MaxRate), None]
            }
            Rule::ClientIdOver(bytes) => {
                let exceeds = device.client_id.is_some_and(|id| id.len() > bytes);
                [when(exceeds, Key::ClientId), None]
            }
            Rule::ClientIdMissing => [when(device.client_id.is_none(), Key::ClientId), None],
            Rule::UsernameMissing => [when(username(device).is_none(), Key::Username), None],
            Rule::Unidentified => {
                let shows = matches!(device.auth, Auth::Tls(tls) if tls.client.is_some());
                let exceeds = username(device).is_none() && !shows;
                [when(exceeds, Key::Username), None]
            }
            Rule::AlpnMissingAt(port) => {
                let misses = matches!(device.auth, Auth::Tls(tls) if tls.alpn.is_none());
                [when(misses && device.port == port, Key::TlsAlpn), None]
            }
            Rule::UsernameOfIotHub => {
                let is_right =
                    username(device).is_some_and(|name| is_name_at_iot_hub(name, device));
                [when(!is_right, Key::Username), None]
            }
            Rule::Csv => [Some(Key::Ip), None],
            Rule::SlashesOver(_) | Rule::TopicWithout(_) | Rule::TopicOfIotHub => [None, None],
        }
    }

    /// Whether a topic, in pieces, exceeds the limit.
    fn exceeded_by_topic(&self, device: &Device<'_>, topic: &[&str]) -> bool {
        match self.rule {
            Rule::SlashesOver(most) => {
                let slashes = topic.iter().flat_map(|piece| piece.bytes());
                let slashes = slashes.filter(|&byte| byte == b'/').count();
                let uncounted = if begins_with(topic, &["$aws/rules/"]) {
                    3
                } else {
                    0
                };
                slashes > most + uncounted
            }
            Rule::TopicWithout(starts) => !starts.iter().any(|start| begins_with(topic, &[start])),
            Rule::TopicOfIotHub => {
                // A module is `<device>/<module>`, and has other topics.
                let id = device.client_id.unwrap_or_default();
                let slash = id.bytes().position(|byte| byte == b'/');
                let parts = slash.and_then(|at| id.split_at_checked(at));
                let start = match parts {
                    None => ["devices/", id, "", "", "/messages/events/"],
                    Some((id, module)) => ["devices/", id, "/modules", module, "/messages/events/"],
                };
                !begins_with(topic, &start)
            }
            _ => false,
        }
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.words, self.page)
    }
}

fn username<'a>(device: &Device<'a>) -> Option<&'a str> {
    let credentials = match device.auth {
        Auth::None => None,
        Auth::Password(credentials) => Some(credentials),
        Auth::Tls(tls) => tls.credentials,
    };
    credentials.map(|Credentials { username, .. }| username)
}

/// Whether this user name is the device's own at its hub.
fn is_name_at_iot_hub(name: &str, device: &Device<'_>) -> bool {
    let (host, id) = (device.host, device.client_id.unwrap_or_default());
    name.split_at_checked(host.len())
        .is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(host) && begins_with(&[rest], &["/", id, "/"])
        })
}

/// Whether a text, in pieces, begins with another.
fn begins_with(text: &[&str], start: &[&str]) -> bool {
    let mut text = text.iter().flat_map(|piece| piece.bytes());
    let mut start = start.iter().flat_map(|piece| piece.bytes());
    start.all(|byte| text.next() == Some(byte))
}

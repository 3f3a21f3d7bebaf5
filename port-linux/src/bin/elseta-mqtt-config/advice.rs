//! What is allowed, and yet would cost a site visit?

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use mqtt_client_core::config::{Auth, Device, Key, Rows, Table};
use mqtt_client_core::mqtt::QoS;

use crate::report::Remark;
use crate::verdict::Places;
use crate::workbook::Spot;

/// Two signals of one device that the core found to have the same topic: rows of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedTopic {
    pub row: usize,
    pub first: usize,
}

/// The port of MQTT without TLS (IANA's registration of `mqtt`); 8883 is `secure-mqtt`.
const PLAIN_PORT: u16 = 1883;

/// Looks at a table that holds no error.
pub fn give(rows: &Rows<'_>, shared: &[SharedTopic], places: &Places<'_>) -> Vec<Remark> {
    let advice = Advice {
        rows,
        devices: rows.devices().collect(),
        places,
    };
    let mut remarks = Vec::new();
    if advice.enabled().next().is_none() {
        remarks.extend(advice.no_device());
    }
    remarks.extend(advice.plain_port());
    remarks.extend(advice.client_ids());
    remarks.extend(advice.topics(shared));
    remarks
}

struct Advice<'a, 't> {
    rows: &'a Rows<'t>,
    /// [`Rows::devices`].
    devices: Vec<(&'a Device<'t>, bool)>,
    places: &'a Places<'a>,
}

/// A broker as the table names it: host in lower case, and port.
type Broker = (String, u16);

fn broker(device: &Device<'_>) -> Broker {
    (device.host.to_ascii_lowercase(), device.port)
}

impl Advice<'_, '_> {
    fn about_device(&self, device: &Device<'_>, key: Key, text: &str) -> Remark {
        self.places.warning(Table::Devices, device.row, key, text)
    }

    fn no_device(&self) -> Option<Remark> {
        let mut sheets = self.places.sheets.iter();
        let sheet = sheets.position(|sheet| sheet.table == Table::Devices)?;
        let text = match self.devices[..] {
            [] => "holds no device whose protocol is MQTT",
            _ => "holds no MQTT device with enable 1, so nothing will be sent",
        };
        Some(Remark::warning(sheet, Spot::Sheet, "", text))
    }

    fn plain_port(&self) -> Vec<Remark> {
        let devices = self.devices.iter().map(|(device, _)| device);
        let plain = devices
            .filter(|device| device.port == PLAIN_PORT && matches!(device.auth, Auth::Tls(_)));
        let text = "1883 is the port without TLS, and auth is tls; with TLS it is usually 8883";
        plain
            .map(|device| self.about_device(device, Key::Port, text))
            .collect()
    }

    /// Enabled devices.
    fn enabled(&self) -> impl Iterator<Item = &Device<'_>> {
        let devices = self.devices.iter().filter(|(_, enabled)| *enabled);
        devices.map(|(device, _)| *device)
    }

    fn client_ids(&self) -> Vec<Remark> {
        let mut first = HashMap::new();
        let mut remarks = Vec::new();
        for device in self.enabled() {
            let Some(client_id) = device.client_id else {
                continue;
            };
            match first.entry((broker(device), client_id)) {
                Entry::Vacant(entry) => {
                    entry.insert(device.row);
                }
                Entry::Occupied(entry) => {
                    let other = (self.places).shown(Table::Devices, *entry.get(), Key::ClientId);
                    let text = format!(
                        "is that of {other} too, at the same broker, which will throw one out for the other"
                    );
                    remarks.push(self.about_device(device, Key::ClientId, &text));
                }
            }
        }
        remarks
    }

    /// What is published to one topic of one broker from several places; once per topic.
    fn topics(&self, shared: &[SharedTopic]) -> Vec<Remark> {
        let mut first: HashMap<_, (Publisher<'_>, bool)> = HashMap::new();
        let mut remarks = Vec::new();
        let mut about = HashSet::new();
        for publisher in self.publishers() {
            let topic = (broker(publisher.device), publisher.topic.clone());
            let (other, reported) = match first.entry(topic) {
                Entry::Vacant(entry) => {
                    entry.insert((publisher, false));
                    continue;
                }
                Entry::Occupied(entry) => entry.into_mut(),
            };
            let Some(clash) = publisher.clash(other).filter(|_| !*reported) else {
                continue;
            };
            *reported = true;
            if publisher.table == Table::Signals {
                about.insert(publisher.row);
            }
            let place = self.places.shown(other.table, other.row, other.key);
            let text = format!("is also the topic of {place}, {clash}");
            let Publisher {
                table, row, key, ..
            } = publisher;
            remarks.push(self.places.warning(table, row, key, text));
        }
        for &SharedTopic { row, first } in shared {
            if !about.contains(&row) {
                let place = self.places.shown(Table::Signals, first, Key::Topic);
                let text = format!("is also the topic of {place}");
                remarks.push(self.places.warning(Table::Signals, row, Key::Topic, text));
            }
        }
        remarks
    }

    /// All that enabled devices publish: the enabled signals, then the Last Wills.
    fn publishers(&self) -> Vec<Publisher<'_>> {
        let wills = self.enabled().filter_map(|device| {
            let will = device.will?;
            Some(Publisher {
                table: Table::Devices,
                row: device.row,
                key: Key::LastWillTopic,
                device,
                topic: will.topic.to_owned(),
                retained: will.retain,
            })
        });
        let signals = self.rows.signals().enumerate();
        let signals = signals.filter_map(|(row, (signal, enabled))| {
            let &(device, used) = self.devices.get(usize::from(signal.device))?;
            (enabled && used).then(|| Publisher {
                table: Table::Signals,
                row,
                key: Key::Topic,
                device,
                topic: signal.topic_pieces(device.alias).concat(),
                retained: device.retain,
            })
        });
        signals.chain(wills).collect()
    }
}

/// One that publishes to a topic.
struct Publisher<'a> {
    table: Table,
    row: usize,
    key: Key,
    device: &'a Device<'a>,
    topic: String,
    retained: bool,
}

impl Publisher<'_> {
    /// What comes of both publishing to one topic, if that is worth a warning.
    fn clash(&self, other: &Publisher<'_>) -> Option<&'static str> {
        let same_device = self.device.alias == other.device.alias;
        let signals = [self, other].map(|publisher| publisher.table == Table::Signals);
        let qos2 = [self, other].map(|publisher| publisher.device.qos == QoS::ExactlyOnce);
        if !same_device && self.retained && other.retained {
            Some("of another device, and both are retained: the broker keeps whichever comes last")
        } else if signals == [true, true] && qos2.contains(&true) {
            Some(
                "and QoS 2 delivers each message exactly once, but does not tell from which signal",
            )
        } else {
            None
        }
    }
}

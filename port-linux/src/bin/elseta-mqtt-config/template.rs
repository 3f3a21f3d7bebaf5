//! How does a workbook to start from come about? Both tabs with all columns, and an example row of each.

use std::path::Path;

use mqtt_client_core::config::{Key, Table};
use rust_xlsxwriter::{Workbook, XlsxError};

use crate::parameters::{self, Kind};
use crate::tab::Tab;
use crate::{Failure, output};

const DEVICE: &[(Key, &str)] = &[
    (Key::Name, "Cloud"),
    (Key::DeviceAlias, "cloud"),
    (Key::Enable, "1"),
    (Key::Protocol, "MQTT"),
    (Key::Ip, "broker.example.com"),
    (Key::Port, "8883"),
    (Key::EnableThreshold, "1"),
    (Key::MqttQos, "1"),
    (Key::MqttRetain, "0"),
    (Key::Auth, "tls"),
    (Key::Username, "plant-7"),
    (Key::Password, "secret"),
    (Key::CaCertificate, "/etc/mqtt-client/ca.pem"),
    (Key::ClientCertificate, "/etc/mqtt-client/client.pem"),
    (Key::ClientKey, "/etc/mqtt-client/client.key"),
    (Key::UseLastWill, "1"),
    (Key::LastWillTopic, "plant/7/status"),
    (Key::LastWillMessage, "offline"),
    (Key::LastWillQos, "1"),
    (Key::LastWillRetain, "1"),
];

const SIGNAL: &[(Key, &str)] = &[
    (Key::SignalName, "Active power"),
    (Key::DeviceAlias, "cloud"),
    (Key::SignalAlias, "p"),
    (Key::SourceDeviceAlias, "INV1"),
    (Key::SourceSignalAlias, "P"),
    (Key::Enable, "1"),
    (Key::Log, "0"),
    (Key::Topic, "plant/7/inverter/power"),
];

/// Writes the template, but never over a file that is there.
pub fn write(path: &Path) -> Result<(), Failure> {
    let bytes =
        workbook().map_err(|error| Failure::Output(format!("{}: {error}", path.display())))?;
    output::write_new(path, &bytes)
}

fn workbook() -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    for (table, example) in [(Table::Devices, DEVICE), (Table::Signals, SIGNAL)] {
        let mut tab = Tab::new(workbook.add_worksheet(), table)?;
        for (column, parameter) in (0..).zip(parameters::of(table)) {
            tab.parameter(column, parameter)?;
            let found = example.iter().find(|(key, _)| *key == parameter.key);
            let Some((_, value)) = found else {
                continue;
            };
            match (parameter.kind, value.parse()) {
                (Kind::Integer | Kind::Boolean, Ok(number)) => tab.number(1, column, number)?,
                _ => tab.text(1, column, value)?,
            }
        }
    }
    workbook.save_to_buffer()
}

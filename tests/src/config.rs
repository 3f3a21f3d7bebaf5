//! The mapping table of a test, written as the rows of the spreadsheet: a row, then the columns that differ.

use std::path::Path;

use serde_json::{Map, Value, json};

/// A configuration file in the making.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    json: Value,
    last_row: LastRow,
}

/// Where a device's broker is unless a test says otherwise.
const LOOPBACK: &str = "127.0.0.1";

#[derive(Clone, Copy, Debug, PartialEq)]
enum LastRow {
    None,
    Device,
    Signal,
}

/// One enabled device, `cloud`: the usual start.
#[must_use]
pub fn cloud() -> Config {
    Config::new().device("cloud")
}

/// The Redis channel of a signal of the device `cloud`, and its default topic.
#[must_use]
pub fn channel(signal: &str) -> String {
    format!("tag/cloud/{signal}/in")
}

impl Config {
    /// A table without rows.
    #[must_use]
    pub fn new() -> Self {
        Self {
            json: json!({ "devices": [], "signals": [] }),
            last_row: LastRow::None,
        }
    }

    /// A table as a page of the documentation has it.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let json: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let has_rows = |tab: &str| json[tab].as_array().is_some_and(|rows| !rows.is_empty());
        assert!(has_rows("devices"), "no device: {text}");
        let last_row = if has_rows("signals") {
            LastRow::Signal
        } else {
            LastRow::Device
        };
        Self { json, last_row }
    }

    /// What stands in a column of the last device, if it is a text.
    #[must_use]
    pub fn device_text(&self, key: &str) -> Option<&str> {
        let devices = self.json["devices"].as_array()?;
        devices.last()?[key].as_str()
    }

    /// The same of a number.
    #[must_use]
    pub fn device_number(&self, key: &str) -> Option<u64> {
        let devices = self.json["devices"].as_array()?;
        devices.last()?[key].as_u64()
    }

    /// The same of a text of the last signal.
    #[must_use]
    pub fn signal_text(&self, key: &str) -> Option<&str> {
        let signals = self.json["signals"].as_array()?;
        signals.last()?[key].as_str()
    }

    /// Adds an enabled device that needs no authentication. Its port is set with [`at`](Self::at).
    #[must_use]
    pub fn device(mut self, alias: &str) -> Self {
        self.rows("devices").push(json!({
            "name": format!("Broker {alias}"),
            "device_alias": alias,
            "enable": 1,
            "protocol": "MQTT",
            "ip": LOOPBACK,
            "auth": "none",
        }));
        self.last_row = LastRow::Device;
        self
    }

    /// Adds a signal to the last device.
    ///
    /// # Panics
    ///
    /// If there is no device.
    #[must_use]
    pub fn signal(self, alias: &str) -> Self {
        let devices = self.json["devices"].as_array();
        let device = devices.and_then(|rows| rows.last()).expect("a device");
        let device_alias = device["device_alias"].as_str().expect("an alias");
        let row = json!({
            "signal_name": format!("Signal {alias}"),
            "device_alias": device_alias,
            "signal_alias": alias,
            "source_device_alias": "INV1",
            "source_signal_alias": alias.to_uppercase(),
        });
        let mut config = self;
        config.rows("signals").push(row);
        config.last_row = LastRow::Signal;
        config
    }

    /// Sets a column of the row that was added last.
    ///
    /// # Panics
    ///
    /// If there is no row.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.last_row().insert(String::from(key), value.into());
        self
    }

    /// Removes a column of the row that was added last.
    ///
    /// # Panics
    ///
    /// If there is no row, or it has no such column.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        assert!(self.last_row().remove(key).is_some(), "there is no {key}");
        self
    }

    /// Sets a column of the last device, whatever row was added last.
    ///
    /// # Panics
    ///
    /// If there is no device.
    #[must_use]
    pub fn device_key(mut self, key: &str, value: impl Into<Value>) -> Self {
        let device = self.rows("devices").last_mut().expect("a device");
        device[key] = value.into();
        self
    }

    /// Sets the port of the last device.
    #[must_use]
    pub fn at(self, port: u16) -> Self {
        self.device_key("port", port)
    }

    /// Sets a key of the `redis` block.
    #[must_use]
    pub fn redis(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.json["redis"][key] = value.into();
        self
    }

    /// Sets a key beside `redis`, `devices` and `signals`.
    #[must_use]
    pub fn top(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.json[key] = value.into();
        self
    }

    /// Gives a port to Redis and to the devices that have none.
    #[must_use]
    pub fn with_ports(mut self, redis: u16, broker: u16) -> Self {
        if self.json["redis"]["socket"].is_null() && self.json["redis"]["port"].is_null() {
            self.json["redis"]["port"] = json!(redis);
        }
        for device in self.rows("devices") {
            if device["port"].is_null() {
                device["port"] = json!(broker);
            }
        }
        self
    }

    /// Gives Redis and the devices another host, where none was set.
    #[must_use]
    pub fn with_host(mut self, host: &str) -> Self {
        if self.json["redis"]["socket"].is_null() && self.json["redis"]["host"].is_null() {
            self.json["redis"]["host"] = json!(host);
        }
        for device in self.rows("devices") {
            if device["ip"] == LOOPBACK {
                device["ip"] = json!(host);
            }
        }
        self
    }

    /// The channels of enabled signals of enabled MQTT devices: those that the bridge subscribes to.
    #[must_use]
    pub fn channels(&self) -> Vec<String> {
        let is_on = |row: &Value, default: bool| match &row["enable"] {
            Value::Null => default,
            value => *value == json!(1) || *value == json!(true),
        };
        let none = Vec::new();
        let devices = self.json["devices"].as_array().unwrap_or(&none);
        let is_served = |alias: &Value| {
            devices.iter().any(|device| {
                let protocol = device["protocol"].as_str().unwrap_or("");
                device["device_alias"] == *alias
                    && is_on(device, false)
                    && protocol.eq_ignore_ascii_case("MQTT")
            })
        };
        let text = |value: &Value| String::from(value.as_str().unwrap_or(""));
        let signals = self.json["signals"].as_array().unwrap_or(&none);
        let signals = signals.iter();
        signals
            .filter(|signal| is_on(signal, true) && is_served(&signal["device_alias"]))
            .map(|signal| {
                let (device, name) = (text(&signal["device_alias"]), text(&signal["signal_alias"]));
                format!("tag/{device}/{name}/in")
            })
            .collect()
    }

    /// Writes the file.
    ///
    /// # Panics
    ///
    /// If the path cannot be written to.
    pub fn write(&self, path: &Path) {
        std::fs::write(path, self.to_json()).expect("write the configuration");
    }

    /// The file's text.
    ///
    /// # Panics
    ///
    /// Never: the value is JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(&self.json).expect("a value that is JSON")
    }

    fn rows(&mut self, table: &str) -> &mut Vec<Value> {
        self.json[table].as_array_mut().expect("a table is a list")
    }

    fn last_row(&mut self) -> &mut Map<String, Value> {
        let table = match self.last_row {
            LastRow::None => panic!("there is no row yet"),
            LastRow::Device => "devices",
            LastRow::Signal => "signals",
        };
        let row = self.rows(table).last_mut().expect("the last row");
        row.as_object_mut().expect("a row is an object")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_belongs_to_the_row_before_it() {
        let config = cloud().with("mqtt_qos", 2).signal("p").with("topic", "x");
        assert_eq!(config.json["devices"][0]["mqtt_qos"], json!(2));
        assert_eq!(config.json["signals"][0]["topic"], json!("x"));
        assert_eq!(config.json["signals"][0]["device_alias"], json!("cloud"));
    }

    #[test]
    fn only_enabled_signals_of_enabled_mqtt_devices_have_channels() {
        let config = cloud()
            .signal("p")
            .signal("off")
            .with("enable", 0)
            .device("disabled")
            .with("enable", 0)
            .signal("p")
            .device("meter")
            .with("protocol", "Modbus")
            .signal("p")
            .device("other")
            .with("protocol", "mqtt")
            .signal("q");
        assert_eq!(config.channels(), ["tag/cloud/p/in", "tag/other/q/in"]);
    }

    #[test]
    fn ports_are_given_only_where_none_is_set() {
        let config = cloud().device("second").at(7).with_ports(5, 6);
        assert_eq!(config.json["redis"]["port"], json!(5));
        assert_eq!(config.json["devices"][0]["port"], json!(6));
        assert_eq!(config.json["devices"][1]["port"], json!(7));
    }
}

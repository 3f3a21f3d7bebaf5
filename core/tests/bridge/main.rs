//! What does the whole bridge do, from a sample at Redis to a message at a broker? With a virtual clock, over a network in
//! memory.
//!
//! | module | question |
//! |---|---|
//! | `parts` | what does it have to be made of? |
//! | `forwarding` | what arrives at the brokers? |
//! | `proxied` | how does it get through a proxy? (with the feature `log`) |
//! | `reload` | what goes on when the configuration changes? |
//! | `overflow` | what is lost when a buffer is full, and does it add up? |
//! | `reconnecting` | when is the next attempt? |
//! | `spooling` | what is on storage, when, and what comes back? |
//! | `stopping` | what is said at the end? |
//! | `mishaps` | does anything get lost or doubled when everything goes wrong at random? |
//! | `reporting` | what is logged, and how often? (with the feature `log`) |

#[path = "../common/mod.rs"]
mod common;

mod forwarding;
mod mishaps;
mod overflow;
mod parts;
#[cfg(all(feature = "log", feature = "proxy"))]
mod proxied;
mod reconnecting;
mod reload;
mod replay;
#[cfg(feature = "log")]
mod reporting;
mod spooling;
mod stopping;

use common::rig::Rig;

/// What keeps a broker from being reached: its name, and how it comes about.
type Trouble = (&'static str, fn(&mut Rig<'_, '_>));

/// A table of one device, `cloud`, with these keys besides those that it must have, and signals `p` and `q`.
fn one_device(keys: &str) -> String {
    table(
        &[("cloud", on(keys))],
        &[("cloud", "p", ""), ("cloud", "q", "")],
    )
}

/// The keys of an enabled device.
fn on(keys: &str) -> String {
    format!(r#", "enable": 1{keys}"#)
}

/// A table of devices by alias and keys, and of signals by device, alias and keys. Keys are written like `, "mqtt_qos": 1`.
fn table(devices: &[(&str, String)], signals: &[(&str, &str, &str)]) -> String {
    let device = |(alias, keys): &(&str, String)| {
        format!(
            r#"{{"name": "{alias}", "device_alias": "{alias}", "protocol": "MQTT", "ip": "broker", "auth": "none"{keys}}}"#
        )
    };
    let signal = |(device, alias, keys): &(&str, &str, &str)| {
        format!(
            r#"{{"signal_name": "{alias}", "device_alias": "{device}", "signal_alias": "{alias}", "source_device_alias": "s", "source_signal_alias": "s"{keys}}}"#
        )
    };
    let devices: Vec<_> = devices.iter().map(device).collect();
    let signals: Vec<_> = signals.iter().map(signal).collect();
    format!(
        r#"{{"devices": [{}], "signals": [{}]}}"#,
        devices.join(", "),
        signals.join(", ")
    )
}

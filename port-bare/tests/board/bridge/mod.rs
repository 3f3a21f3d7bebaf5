//! Does a board forward from Redis to its brokers, whatever happens to its network?
//!
//! | module | question |
//! |---|---|
//! | `starting` | with what does it start, and with what does it refuse to? |
//! | `forwarding` | what arrives at the brokers? |
//! | `interruptions` | how does it come back? |
//! | `hostile` | what does it not survive? |
//! | `mishaps` | does anything get lost or doubled when everything goes wrong at random? |
//! | `proxied` | how does it get through a proxy? (with the feature `proxy`) |
//! | `spooled` | what outlives a reset? (with the feature `spool`) |
//! | `stopping` | what is said at the end? |
//! | `reporting` | what is logged? (with the feature `log`) |

mod forwarding;
mod hostile;
mod interruptions;
mod mishaps;
#[cfg(feature = "proxy")]
mod proxied;
#[cfg(feature = "log")]
mod reporting;
mod rig;
#[cfg(feature = "spool")]
mod spooled;
mod starting;
mod stopping;

/// A table of one enabled device, `cloud`, with these keys besides those that it must have, and signals `p` and `q`.
fn one_device(keys: &str) -> String {
    table(&[("cloud", 1883, keys)])
}

/// A table of enabled devices by alias, port and keys, with signals `p` and `q` each. Keys are written like `, "mqtt_qos": 1`; `ip` is
/// a name.
fn table(devices: &[(&str, u16, &str)]) -> String {
    let device = |(alias, port, keys): &(&str, u16, &str)| {
        format!(
            r#"{{"name": "{alias}", "device_alias": "{alias}", "enable": 1, "protocol": "MQTT", "ip": "broker.example", "port": {port}, "auth": "none"{keys}}}"#
        )
    };
    let signal = |alias: &str, signal: &str| {
        format!(
            r#"{{"signal_name": "{signal}", "device_alias": "{alias}", "signal_alias": "{signal}", "source_device_alias": "s", "source_signal_alias": "s"}}"#
        )
    };
    let signals: Vec<_> = devices
        .iter()
        .flat_map(|(alias, ..)| [signal(alias, "p"), signal(alias, "q")])
        .collect();
    let devices: Vec<_> = devices.iter().map(device).collect();
    format!(
        r#"{{"redis": {{"host": "10.0.0.1"}}, "devices": [{}], "signals": [{}]}}"#,
        devices.join(", "),
        signals.join(", ")
    )
}

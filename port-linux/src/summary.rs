//! What `--check` says about a valid configuration.

use std::io::{self, Write};

use mqtt_client_core::config::{Device, Endpoint, Rows, Version};
use mqtt_client_core::log::Legible;
use mqtt_client_core::mqtt::QoS;

/// Prints the devices and their signals with the topics that they go to, those that are not enabled too.
pub fn print(rows: &Rows<'_>) {
    // A closed standard output changes nothing about the result.
    let _ = write(rows, &mut io::stdout().lock());
}

fn write(rows: &Rows<'_>, output: &mut impl Write) -> io::Result<()> {
    match rows.redis.endpoint {
        Endpoint::Tcp { host, port } => writeln!(
            output,
            "redis {host}:{port} database {}",
            rows.redis.database
        )?,
        Endpoint::Unix(path) => {
            let path = Legible(path);
            writeln!(output, "redis {path} database {}", rows.redis.database)?
        }
    }
    let enabled = rows.devices().filter(|(_, enabled)| *enabled).count();
    writeln!(
        output,
        "{} MQTT devices, {enabled} enabled; {} signals",
        rows.devices().len(),
        rows.signals().len()
    )?;
    for (number, (device, enabled)) in (0..).zip(rows.devices()) {
        write_device(device, enabled, output)?;
        #[cfg(feature = "spool")]
        write_spool(rows, number, device, output)?;
        let signals = rows.signals();
        for (signal, enabled) in signals.filter(|(signal, _)| signal.device == number) {
            let channel = signal.channel_pieces(device.alias).concat();
            let topic = signal.topic_pieces(device.alias).concat();
            let state = if enabled { "" } else { " (disabled)" };
            let (channel, topic) = (Legible(&channel), Legible(&topic));
            writeln!(output, "  {channel} -> {topic}{state}")?;
        }
    }
    Ok(())
}

fn write_device(device: &Device<'_>, enabled: bool, output: &mut impl Write) -> io::Result<()> {
    write!(
        output,
        "device {} \"{}\" {}:{}",
        Legible(device.alias),
        Legible(device.name),
        device.host,
        device.port
    )?;
    if let Some(proxy) = device.proxy {
        write!(output, " through proxy {}:{}", proxy.host(), proxy.port())?;
    }
    write!(output, " QoS {}", u8::from(device.qos))?;
    if device.retain {
        write!(output, " retain")?;
    }
    if device.version == Version::V5 {
        write_mqtt5(device, output)?;
    }
    if let Some(will) = device.will {
        write!(output, " will {}", Legible(will.topic))?;
    }
    writeln!(output, "{}", if enabled { "" } else { " (disabled)" })
}

/// What a device does that only MQTT 5 can.
fn write_mqtt5(device: &Device<'_>, output: &mut impl Write) -> io::Result<()> {
    write!(output, " MQTT 5")?;
    if device.qos != QoS::AtMostOnce {
        write!(output, " session_expiry {} s", device.session_expiry)?;
    }
    if device.message_expiry > 0 {
        write!(output, " message_expiry {} s", device.message_expiry)?;
    }
    if device.topic_alias {
        write!(output, " topic_alias")?;
    }
    Ok(())
}

/// How long the spool of the device of this number lasts.
#[cfg(feature = "spool")]
fn write_spool(
    rows: &Rows<'_>,
    number: u16,
    device: &Device<'_>,
    output: &mut impl Write,
) -> io::Result<()> {
    let Some(path) = rows.spool.path.filter(|_| device.spool_size > 0) else {
        return Ok(());
    };
    let load = crate::spool::Load::of(rows, number, device);
    writeln!(
        output,
        "  spool {} bytes in {}/{}: some {} at 1 sample a second, {} at 10, {} at 100",
        device.spool_size,
        Legible(path),
        Legible(device.alias),
        load.lasts(1),
        load.lasts(10),
        load.lasts(100)
    )
}

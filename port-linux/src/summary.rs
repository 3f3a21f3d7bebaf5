//! What `--check` says about a valid configuration.

use std::io::{self, Write};

use mqtt_client_core::config::{Config, Device, Endpoint};
use mqtt_client_core::log::Legible;

/// Prints the devices and their signals with the topics that they go to.
pub fn print(config: &Config<'_>) {
    // A closed standard output changes nothing about the result.
    let _ = write(config, &mut io::stdout().lock());
}

fn write(config: &Config<'_>, output: &mut impl Write) -> io::Result<()> {
    match config.redis.endpoint {
        Endpoint::Tcp { host, port } => writeln!(
            output,
            "redis {host}:{port} database {}",
            config.redis.database
        )?,
        Endpoint::Unix(path) => {
            let path = Legible(path);
            writeln!(output, "redis {path} database {}", config.redis.database)?
        }
    }
    let enabled = config.devices.iter().filter(|device| device.enable).count();
    writeln!(
        output,
        "{} MQTT devices, {enabled} enabled; {} signals",
        config.devices.len(),
        config.signals.len()
    )?;
    for (number, device) in (0..).zip(config.devices) {
        write_device(device, output)?;
        for signal in config
            .signals
            .iter()
            .filter(|signal| signal.device == number)
        {
            let channel = signal.channel_pieces(device.alias).concat();
            let topic = signal.topic_pieces(device.alias).concat();
            let state = if signal.enable { "" } else { " (disabled)" };
            let (channel, topic) = (Legible(&channel), Legible(&topic));
            writeln!(output, "  {channel} -> {topic}{state}")?;
        }
    }
    Ok(())
}

fn write_device(device: &Device<'_>, output: &mut impl Write) -> io::Result<()> {
    write!(
        output,
        "device {} \"{}\" {}:{} QoS {}",
        Legible(device.alias),
        Legible(device.name),
        device.host,
        device.port,
        u8::from(device.qos)
    )?;
    if device.retain {
        write!(output, " retain")?;
    }
    if let Some(will) = device.will {
        write!(output, " will {}", Legible(will.topic))?;
    }
    writeln!(output, "{}", if device.enable { "" } else { " (disabled)" })
}

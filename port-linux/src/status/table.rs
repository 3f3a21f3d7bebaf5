//! How does it look to a person?

use std::fmt::{self, Display, Write};

use mqtt_client_core::health::{Redis, Session};

use super::report::{DeviceReport, Fill, LastError, Report, State};

/// The table, with rates since `before`, if that is of the same process.
pub fn of(report: &Report<'_>, before: Option<&Report<'_>>) -> String {
    let before = before.filter(|before| before.pid == report.pid && before.uptime < report.uptime);
    let mut text = String::new();
    // A string takes all.
    let _ = write_report(report, before, &mut text);
    text
}

fn write_report(
    report: &Report<'_>,
    before: Option<&Report<'_>>,
    text: &mut String,
) -> fmt::Result {
    let up = Period(report.uptime / 1000);
    let (version, pid) = (&report.version, report.pid);
    writeln!(
        text,
        "mqtt-client {version}, process {pid}, started {up} ago"
    )?;
    let state = match report.redis.state {
        Redis::Up => "up",
        Redis::Down => "down",
    };
    writeln!(text, "redis: {state}")?;
    row(text, "server", format_args!("{}", report.redis.server))?;
    last_error(text, report.redis.last_error.as_ref())?;
    for device in &report.devices {
        let earlier = before.and_then(|before| {
            let earlier = before.devices.iter();
            let earlier = { earlier }.find(|earlier| earlier.device == device.device)?;
            Some((earlier, report.uptime - before.uptime))
        });
        write_device(device, earlier, text)?;
    }
    Ok(())
}

fn write_device(
    device: &DeviceReport<'_>,
    earlier: Option<(&DeviceReport<'_>, u64)>,
    text: &mut String,
) -> fmt::Result {
    let state = match device.state {
        State::Online => "online",
        State::Offline => "offline",
    };
    writeln!(
        text,
        "{}: {state} for {}",
        device.device,
        Period(device.since)
    )?;
    let (broker, mqtt, qos) = (&device.broker, &device.mqtt, device.qos);
    let session = match device.health.session {
        Session::Offline => "",
        Session::New => ", session new",
        Session::Resumed => ", session resumed",
        Session::Unknown => ", session new or resumed",
    };
    row(
        text,
        "broker",
        format_args!("{broker}, MQTT {mqtt}, QoS {qos}{session}"),
    )?;
    let health = &device.health;
    let old = earlier
        .map(|(earlier, _)| &earlier.health)
        .unwrap_or(health);
    let millis = earlier.map_or(0, |(_, millis)| millis);
    for (name, now, before) in [
        ("received", health.received, old.received),
        ("rejected", health.rejected, old.rejected),
        ("suppressed", health.suppressed, old.suppressed),
        ("sent", health.sent, old.sent),
        ("acknowledged", health.acknowledged, old.acknowledged),
        ("refused", health.refused, old.refused),
        ("dropped", health.dropped, old.dropped),
        ("reconnects", health.reconnects, old.reconnects),
    ] {
        let more = now.saturating_sub(before);
        row(text, name, format_args!("{now}{}", Rate { more, millis }))?;
    }
    let (queued, queue) = (health.queued, device.queue);
    row(text, "queue", format_args!("{queued} samples, {queue}"))?;
    if let Some(spool) = device.spool {
        let spooled = health.spooled;
        row(text, "spool", format_args!("{spooled} samples, {spool}"))?;
    }
    if let Some(oldest) = health.oldest.filter(|_| health.queued + health.spooled > 0) {
        row(text, "oldest", format_args!("{} old", Period(oldest)))?;
    }
    last_error(text, device.last_error.as_ref())
}

fn row(text: &mut String, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(text, "  {name:<13}{value}")
}

fn last_error(text: &mut String, error: Option<&LastError<'_>>) -> fmt::Result {
    match error {
        Some(error) => {
            let ago = Period(error.ago);
            row(
                text,
                "last error",
                format_args!("{ago} ago: {}", error.text),
            )
        }
        None => Ok(()),
    }
}

/// So many more in so many milliseconds; nothing if there were none.
struct Rate {
    more: u64,
    millis: u64,
}

impl Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.more.saturating_mul(10_000).checked_div(self.millis);
        match tenths {
            None | Some(0) => Ok(()),
            Some(tenths) => write!(f, " ({}.{}/s)", tenths / 10, tenths % 10),
        }
    }
}

/// Seconds, in the two greatest units.
struct Period(u64);

impl Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0;
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        match seconds {
            0..60 => write!(f, "{seconds} s"),
            60..3600 => write!(f, "{minutes} min {} s", seconds % 60),
            3600..86_400 => write!(f, "{hours} h {} min", minutes % 60),
            _ => write!(f, "{days} d {} h", hours % 24),
        }
    }
}

impl Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.used.saturating_mul(100).checked_div(self.size);
        let (used, size) = (self.used.div_ceil(1024), self.size / 1024);
        write!(f, "{used} of {size} KiB ({} %)", percent.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use mqtt_client_core::counters::Counters;
    use mqtt_client_core::health::Health;

    use super::super::report::RedisReport;
    use super::*;

    fn report(uptime: u64, sent: u64) -> Report<'static> {
        let counters = Counters {
            received: 2 * sent,
            sent,
            queued: 3,
            ..Counters::default()
        };
        Report {
            version: "0.1.0".into(),
            pid: 7,
            uptime,
            redis: RedisReport {
                state: Redis::Up,
                server: "127.0.0.1:6379".into(),
                last_error: None,
            },
            devices: vec![DeviceReport {
                device: "cloud".into(),
                state: State::Online,
                since: 3_725,
                broker: "broker.example.com:8883".into(),
                mqtt: "3.1.1".into(),
                qos: 1,
                queue: Fill {
                    used: 513,
                    size: 1024 * 1024,
                },
                spool: None,
                last_error: Some(LastError {
                    text: "closed by the peer".into(),
                    ago: 90_000,
                }),
                health: Health::new("0.1.0", 0, &counters, Redis::Up, Session::Resumed),
            }],
        }
    }

    #[test]
    fn rates_are_those_between_two_looks_at_one_process() {
        let table = of(&report(4_000, 120), Some(&report(2_000, 99)));
        let expected = "\
mqtt-client 0.1.0, process 7, started 4 s ago
redis: up
  server       127.0.0.1:6379
cloud: online for 1 h 2 min
  broker       broker.example.com:8883, MQTT 3.1.1, QoS 1, session resumed
  received     240 (21.0/s)
  rejected     0
  suppressed   0
  sent         120 (10.5/s)
  acknowledged 0
  refused      0
  dropped      0
  reconnects   0
  queue        3 samples, 1 of 1024 KiB (0 %)
  last error   1 d 1 h ago: closed by the peer
";
        assert_eq!(table, expected);
        let another = Report {
            pid: 6,
            ..report(2_000, 99)
        };
        for before in [None, Some(&another), Some(&report(4_000, 99))] {
            assert_eq!(of(&report(4_000, 120), before).matches("/s").count(), 0);
        }
    }

    #[test]
    fn a_spool_is_shown_with_its_fill_and_the_oldest_ones_age_if_any_waits() {
        let mut report = report(4_000, 120);
        let device = &mut report.devices[0];
        device.spool = Some(Fill {
            used: 512 * 1024,
            size: 2 * 1024 * 1024,
        });
        device.health.oldest = Some(61);
        device.health.spooled = 9_000;
        let table = of(&report, None);
        assert!(table.contains("  spool        9000 samples, 512 of 2048 KiB (25 %)\n"));
        assert!(table.contains("  oldest       1 min 1 s old\n"), "{table}");
        report.devices[0].health.spooled = 0;
        report.devices[0].health.queued = 0;
        assert!(!of(&report, None).contains("oldest"));
    }
}

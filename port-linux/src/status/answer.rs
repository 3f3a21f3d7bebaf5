//! How is the daemon's answer read? With the reader of mapping tables, which takes a fifth of the code that a generated one does. Fields that are not
//! known are passed over, so that a later daemon may say more; all that the table shows must be there.

use std::borrow::Cow;

use mqtt_client_core::config::json::{Reader, Token, Value};
use mqtt_client_core::health::{Health, Redis, Session};

use super::report::{DeviceReport, Fill, LastError, RedisReport, Report, State};

impl<'t> Report<'t> {
    /// What the daemon said; `None` if that is no report of this version.
    pub fn read(text: &'t str) -> Option<Self> {
        let mut report = Report::default();
        fields(&mut Reader::new(text, 0), 5, &mut |name, json| {
            match name {
                "version" => report.version = string(json)?,
                "pid" => report.pid = number(json)?.try_into().ok()?,
                "uptime" => report.uptime = number(json)?,
                "redis" => report.redis = RedisReport::read(json)?,
                "devices" => report.devices = devices(json)?,
                _ => return skip(json),
            }
            Some(true)
        })?;
        Some(report)
    }
}

impl<'t> RedisReport<'t> {
    fn read(json: &mut Reader<'t>) -> Option<Self> {
        let mut redis = RedisReport::default();
        fields(json, 3, &mut |name, json| {
            match name {
                "state" => redis.state = up_or_down(json)?,
                "server" => redis.server = string(json)?,
                "last_error" => redis.last_error = last_error(json)?,
                _ => return skip(json),
            }
            Some(true)
        })?;
        Some(redis)
    }
}

fn devices<'t>(json: &mut Reader<'t>) -> Option<Vec<DeviceReport<'t>>> {
    let Value::Array { at, length } = json.value().ok()? else {
        return None;
    };
    let mut elements = json.value_at(at);
    elements.next().ok()?;
    let each = (0..length).map(|_| DeviceReport::read(&mut elements));
    each.collect()
}

impl<'t> DeviceReport<'t> {
    fn read(json: &mut Reader<'t>) -> Option<Self> {
        let mut device = DeviceReport::default();
        fields(json, 10, &mut |name, json| {
            match name {
                "device" => device.device = string(json)?,
                "state" => {
                    device.state = match &*string(json)? {
                        "online" => State::Online,
                        "offline" => State::Offline,
                        _ => return None,
                    }
                }
                "since" => device.since = number(json)?,
                "broker" => device.broker = string(json)?,
                "mqtt" => device.mqtt = string(json)?,
                "qos" => device.qos = number(json)?.try_into().ok()?,
                "queue" => device.queue = fill(json)??,
                "spool" => device.spool = fill(json)?,
                "last_error" => device.last_error = last_error(json)?,
                "health" => device.health = health(json)?,
                _ => return skip(json),
            }
            Some(true)
        })?;
        Some(device)
    }
}

/// Its version is the report's.
fn health<'t>(json: &mut Reader<'t>) -> Option<Health<'t>> {
    let mut health = Health::default();
    fields(json, 13, &mut |name, json| {
        let number = match name {
            "received" => &mut health.received,
            "rejected" => &mut health.rejected,
            "suppressed" => &mut health.suppressed,
            "queued" => &mut health.queued,
            "spooled" => &mut health.spooled,
            "sent" => &mut health.sent,
            "acknowledged" => &mut health.acknowledged,
            "refused" => &mut health.refused,
            "dropped" => &mut health.dropped,
            "reconnects" => &mut health.reconnects,
            "oldest" => {
                health.oldest = match json.value().ok()? {
                    Value::Null => None,
                    value => Some(number_of(value)?),
                };
                return Some(true);
            }
            "redis" => {
                health.redis = up_or_down(json)?;
                return Some(true);
            }
            "session" => {
                health.session = match &*string(json)? {
                    "offline" => Session::Offline,
                    "new" => Session::New,
                    "resumed" => Session::Resumed,
                    "unknown" => Session::Unknown,
                    _ => return None,
                };
                return Some(true);
            }
            _ => return skip(json),
        };
        *number = self::number(json)?;
        Some(true)
    })?;
    Some(health)
}

fn up_or_down(json: &mut Reader<'_>) -> Option<Redis> {
    match &*string(json)? {
        "up" => Some(Redis::Up),
        "down" => Some(Redis::Down),
        _ => None,
    }
}

fn fill(json: &mut Reader<'_>) -> Option<Option<Fill>> {
    let mut fill = Fill::default();
    let is_there = fields_or_null(json, 2, &mut |name, json| {
        match name {
            "used" => fill.used = number(json)?,
            "size" => fill.size = number(json)?,
            _ => return skip(json),
        }
        Some(true)
    })?;
    Some(is_there.then_some(fill))
}

fn last_error<'t>(json: &mut Reader<'t>) -> Option<Option<LastError<'t>>> {
    let mut error = LastError::default();
    let is_there = fields_or_null(json, 2, &mut |name, json| {
        match name {
            "text" => error.text = string(json)?,
            "ago" => error.ago = number(json)?,
            _ => return skip(json),
        }
        Some(true)
    })?;
    Some(is_there.then_some(error))
}

/// Takes the value of the field of this name; whether it knows it.
type Field<'f, 't> = &'f mut dyn FnMut(&str, &mut Reader<'t>) -> Option<bool>;

/// Reads an object of which so many fields are known. No name has an escape.
fn fields<'t>(json: &mut Reader<'t>, needed: usize, field: Field<'_, 't>) -> Option<()> {
    let Token::Open { object: true, .. } = json.next().ok()? else {
        return None;
    };
    let mut known = 0;
    while let Some(name) = json.key_or_close().ok()? {
        known += usize::from(field(name.text, json)?);
    }
    (known == needed).then_some(())
}

/// The same, or `null`; whether it was there.
fn fields_or_null<'t>(json: &mut Reader<'t>, needed: usize, field: Field<'_, 't>) -> Option<bool> {
    match json.value().ok()? {
        Value::Null => Some(false),
        Value::Object { at } => fields(&mut json.value_at(at), needed, field).map(|()| true),
        _ => None,
    }
}

fn skip(json: &mut Reader<'_>) -> Option<bool> {
    json.value().ok().map(|_| false)
}

fn number(json: &mut Reader<'_>) -> Option<u64> {
    number_of(json.value().ok()?)
}

fn number_of(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Number(digits) => digits.parse().ok(),
        _ => None,
    }
}

fn string<'t>(json: &mut Reader<'t>) -> Option<Cow<'t, str>> {
    match json.value().ok()? {
        Value::String(raw) if raw.escaped => Some(raw.characters().collect::<String>().into()),
        Value::String(raw) => Some(raw.text.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mqtt_client_core::counters::Counters;

    use super::*;

    fn report() -> Report<'static> {
        let counters = Counters {
            received: 1,
            rejected: 2,
            suppressed: 3,
            queued: 4,
            sent: u64::MAX,
            acknowledged: 7,
            refused: 8,
            dropped: 9,
            reconnects: 10,
            ..Counters::default()
        };
        let health = Health {
            spooled: 5,
            oldest: Some(11),
            ..Health::new("", 0, &counters, Redis::Up, Session::Resumed)
        };
        let error = || {
            Some(LastError {
                text: "\"\\\n\u{1}\u{e9}".into(),
                ago: 12,
            })
        };
        let fill = Fill { used: 13, size: 14 };
        Report {
            version: "0.1.0".into(),
            pid: 15,
            uptime: 16,
            redis: RedisReport {
                state: Redis::Down,
                server: "/run/r\u{fc}dis".into(),
                last_error: error(),
            },
            devices: vec![
                DeviceReport {
                    device: "cloud \"a\"".into(),
                    state: State::Online,
                    since: 17,
                    broker: "h:1883".into(),
                    mqtt: "3.1.1".into(),
                    qos: 2,
                    queue: fill,
                    spool: Some(fill),
                    last_error: error(),
                    health,
                },
                DeviceReport::default(),
            ],
        }
    }

    fn text(report: &Report<'_>) -> String {
        let mut text = vec![0; 8192];
        let len = serde_json_core::to_slice(report, &mut text).unwrap();
        text.truncate(len);
        String::from_utf8(text).unwrap() + "\n"
    }

    #[test]
    fn what_the_daemon_writes_comes_back_field_by_field() {
        let report = report();
        let text = text(&report);
        let read = Report::read(&text).expect(&text);
        assert_eq!(format!("{read:?}"), format!("{report:?}"));
    }

    #[test]
    fn a_later_daemon_may_say_more_and_none_may_say_less() {
        let text = text(&report());
        let more = text.replace("\"pid\"", "\"more\":[{\"a\":[1]},null],\"pid\"");
        assert!(Report::read(&more).is_some());
        for name in ["pid", "server", "since", "queue", "dropped", "used", "ago"] {
            let less = text.replacen(&format!("\"{name}\":"), "\"renamed\":", 1);
            assert!(Report::read(&less).is_none(), "{name}");
        }
    }

    #[test]
    fn half_an_answer_is_none() {
        let text = text(&report());
        let whole = text.trim_end().len();
        for len in (0..whole).filter(|len| text.is_char_boundary(*len)) {
            assert!(Report::read(&text[..len]).is_none(), "{len}");
        }
    }
}

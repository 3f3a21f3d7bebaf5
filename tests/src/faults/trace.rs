//! What does the daemon itself say that it reads, sends and is told? Its output with `-r -m`, read back.

use std::collections::{HashMap, HashSet};

/// What was said so far.
#[derive(Debug, Default)]
pub struct Trace {
    /// For each device, its connections.
    devices: HashMap<String, Vec<Connection>>,
    /// Devices that a broker has let in.
    let_in: HashSet<String>,
}

/// One connection to a broker.
#[derive(Debug, Default)]
struct Connection {
    /// The packet identifiers in use, and their topic and message.
    sent: HashMap<String, (String, String)>,
    /// What the broker has taken over: PUBACK or PUBREC.
    taken: HashSet<(String, String)>,
}

/// What a line tells that is not kept here.
#[derive(Debug, PartialEq, Eq)]
pub enum News<'l> {
    /// A message was read from Redis.
    Read { channel: &'l str, message: &'l str },
    /// A broker has let this device in again, and says that it has its session, or not; MQTT 3.1 never says so.
    Reconnected {
        device: &'l str,
        session_present: bool,
    },
}

impl Trace {
    /// Takes up a line.
    pub fn line<'l>(&mut self, line: &'l str) -> Option<News<'l>> {
        if let Some(rest) = line.strip_prefix("REDIS < ") {
            let (channel, message) = rest.split_once(' ').unwrap_or((rest, ""));
            return Some(News::Read { channel, message });
        }
        let mut words = line.split(' ');
        let (_mqtt, _way) = (words.next(), words.next());
        let (packet, device) = (words.next()?, words.next()?);
        let connections = self.devices.entry(String::from(device)).or_default();
        let id = words.clone().find_map(|word| word.strip_prefix("id="));
        match packet {
            "CONNECT" => connections.push(Connection::default()),
            "CONNACK" if words.next()? == "accepted" => {
                let is_first = self.let_in.insert(String::from(device));
                let session_present = words.next()? == "session_present=1";
                return (!is_first).then_some(News::Reconnected {
                    device,
                    session_present,
                });
            }
            "PUBLISH" => {
                let connection = connections.last_mut()?;
                let mut last = words.rev();
                let (message, topic) = (last.next()?, last.next()?);
                let what = (String::from(topic), String::from(message));
                connection.sent.insert(String::from(id?), what);
            }
            "PUBACK" | "PUBREC" => {
                let connection = connections.last_mut()?;
                let what = connection.sent.get(id?).cloned();
                connection.taken.extend(what);
            }
            _ => {}
        }
        None
    }

    /// How many connections a device has had.
    #[must_use]
    pub fn connections(&self, device: &str) -> usize {
        self.devices.get(device).map_or(0, Vec::len)
    }

    /// Topics and messages that the broker has taken over in a device's connection of this number, from 0 on.
    pub fn taken(&self, device: &str, number: usize) -> impl Iterator<Item = &(String, String)> {
        let connections = self.devices.get(device);
        let connection = connections.and_then(|connections| connections.get(number));
        connection
            .into_iter()
            .flat_map(|connection| &connection.taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_broker_has_taken_over_is_known_for_each_connection() {
        let mut trace = Trace::default();
        let lines = [
            "MQTT > CONNECT a MQTT 3.1.1 client_id=x clean_session=0 keep_alive=60",
            "MQTT > PUBLISH a q1 id=7 t/1 5,1,1",
            "MQTT < PUBACK a id=7",
            "MQTT > CONNECT a MQTT 3.1.1 client_id=x clean_session=0 keep_alive=60",
            "MQTT > PUBLISH a q1 id=7 dup t/1 6,1,1",
            "MQTT > PUBLISH a q1 id=8 retain t/1 7,1,1",
            "MQTT < PUBACK a id=8",
        ];
        for line in lines {
            assert_eq!(trace.line(line), None);
        }
        let taken = |number| -> Vec<_> {
            let taken = trace.taken("a", number);
            taken.map(|(_, message)| message.as_str()).collect()
        };
        assert_eq!(trace.connections("a"), 2);
        assert_eq!(taken(0), ["5,1,1"]);
        assert_eq!(taken(1), ["7,1,1"]);
        assert_eq!(trace.connections("b"), 0);
    }

    #[test]
    fn a_message_from_redis_is_given_back() {
        let mut trace = Trace::default();
        let read = trace.line("REDIS < tag/a/p/in 5,1, IV");
        let expected = News::Read {
            channel: "tag/a/p/in",
            message: "5,1, IV",
        };
        assert_eq!(read, Some(expected));
    }

    #[test]
    fn a_device_is_let_in_again_from_the_second_time_on() {
        let mut trace = Trace::default();
        let news = [
            "MQTT < CONNACK a accepted session_present=0",
            "MQTT < CONNACK b refused: not authorised",
            "MQTT < CONNACK b accepted session_present=0",
            "MQTT < CONNACK a accepted session_present=0",
            "MQTT < CONNACK a accepted session_present=1",
        ]
        .map(|line| trace.line(line));
        let again = |session_present| {
            Some(News::Reconnected {
                device: "a",
                session_present,
            })
        };
        assert_eq!(news, [None, None, None, again(false), again(true)]);
    }
}

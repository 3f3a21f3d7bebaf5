//! Are packets the bytes that the npm package `mqtt-packet` expects? Its cases stand in `mqtt_packet.txt`.

use std::collections::BTreeMap;

use mqtt_client_core::config::{Secret, Signal, Will};
use mqtt_client_core::mqtt::decode::{Accepted, Incoming, decode};
use mqtt_client_core::mqtt::encode::{
    Connect, DISCONNECT, PINGREQ, PublishHeader, publish, pubrel,
};
use mqtt_client_core::mqtt::v5::encode::Terms;
use mqtt_client_core::mqtt::{Ack, ClientId, Level, QoS};

const TABLE: &str = include_str!("mqtt_packet.txt");

/// One line of the table.
pub(super) struct Case<'t> {
    who: &'t str,
    pub(super) packet: &'t str,
    pub(super) name: &'t str,
    pub(super) bytes: Vec<u8>,
    says: BTreeMap<&'t str, &'t str>,
}

fn cases(who: &str) -> Vec<Case<'static>> {
    cases_of(TABLE, who)
}

/// The lines of a table with `who` in front.
pub(super) fn cases_of(table: &'static str, who: &str) -> Vec<Case<'static>> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let cases = lines.map(|line| {
        let columns: Vec<_> = line.split('|').map(str::trim).collect();
        let [who, packet, name, hex, says] = columns[..] else {
            panic!("not five columns: {line}");
        };
        let digits = hex.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(str::from_utf8(pair).expect("hex"), 16).expect("hex");
        Case {
            who,
            packet,
            name,
            bytes: digits.map(byte).collect(),
            says: says
                .split_whitespace()
                .map(|field| field.split_once('=').expect("a field"))
                .collect(),
        }
    });
    cases.filter(|case| case.who == who).collect()
}

impl Case<'_> {
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.says.get(field).copied()
    }

    pub(super) fn number(&self, field: &str) -> u16 {
        let text = self
            .text(field)
            .unwrap_or_else(|| panic!("{}: no {field}", self.name));
        text.parse()
            .unwrap_or_else(|_| panic!("{}: {field}={text}", self.name))
    }

    pub(super) fn qos(&self, field: &str) -> QoS {
        [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(self.number(field))]
    }

    fn connect(&self) -> Vec<u8> {
        let connect = Connect {
            level: match self.number("level") {
                3 => Level::V3_1,
                4 => Level::V3_1_1,
                other => panic!("{}: level {other}", self.name),
            },
            client_id: ClientId::Given(self.text("client_id").expect("an identifier")),
            clean_session: self.number("clean") == 1,
            keep_alive: self.number("keep_alive"),
            will: self.text("will_topic").map(|topic| Will {
                topic,
                message: self.text("will_message").expect("a message"),
                qos: self.qos("will_qos"),
                retain: self.number("will_retain") == 1,
            }),
            username: self.text("username"),
            password: self.text("password").map(Secret::new),
            terms: Terms {
                session_expiry: 0,
                maximum_packet_size: 0,
                will_delay: 0,
            },
        };
        let mut packet = vec![0; connect.encoded_len()];
        assert_eq!(
            connect.encode(&mut packet),
            Some(packet.len()),
            "{}",
            self.name
        );
        packet
    }

    fn publish(&self) -> Vec<u8> {
        let signal = Signal {
            topic: self.text("topic"),
            ..Signal::EMPTY
        };
        let header = PublishHeader {
            qos: self.qos("qos"),
            retain: self.number("retain") == 1,
            dup: self.number("dup") == 1,
            packet_id: self.number("id"),
            signal: &signal,
            device_alias: "",
            properties: &[],
            has_known_alias: false,
        };
        let payload = self.text("payload").expect("a payload").as_bytes();
        let mut packet = vec![0; 1000];
        let len = publish(&mut packet, header, payload.len(), |out| {
            out.copy_from_slice(payload);
        });
        packet.truncate(len.expect("room"));
        packet
    }
}

#[test]
fn what_we_write_is_what_mqtt_packet_expects() {
    let cases = cases("says");
    assert_eq!(cases.len(), 16);
    for case in cases {
        let written = match case.packet {
            "connect" => case.connect(),
            "publish" => case.publish(),
            "pubrel" => pubrel(case.number("id"), Level::V3_1_1, false).to_vec(),
            "pingreq" => PINGREQ.to_vec(),
            "disconnect" => DISCONNECT.to_vec(),
            other => panic!("{}: {other}", case.name),
        };
        assert_eq!(written, case.bytes, "{}", case.name);
    }
}

#[test]
fn what_mqtt_packet_reads_of_a_broker_we_read_likewise() {
    let cases = cases("hears");
    assert_eq!(cases.len(), 8);
    for case in cases {
        let ack = |ack| Incoming::Ack {
            ack,
            packet_id: case.number("id"),
        };
        let (read, len) = decode(&case.bytes, Level::V3_1_1)
            .unwrap_or_else(|violation| panic!("{}: {violation}", case.name))
            .unwrap_or_else(|| panic!("{}: not whole", case.name));
        assert_eq!(len, case.bytes.len(), "{}", case.name);
        match case.packet {
            "connack" => {
                let Incoming::Connack(answer) = read else {
                    panic!("{}: {read:?}", case.name);
                };
                let expected = Accepted {
                    session_present: case.number("present") == 1,
                };
                match case.number("code") {
                    0 => assert_eq!(answer, Ok(expected), "{}", case.name),
                    code => {
                        let refusal = answer.expect_err("a refusal").to_string();
                        assert!(refusal.ends_with(&format!("(CONNACK {code})")), "{refusal}");
                    }
                }
            }
            "puback" => assert_eq!(read, ack(Ack::Puback), "{}", case.name),
            "pubrec" => assert_eq!(read, ack(Ack::Pubrec), "{}", case.name),
            "pubcomp" => assert_eq!(read, ack(Ack::Pubcomp), "{}", case.name),
            "pingresp" => assert_eq!(read, Incoming::Pingresp, "{}", case.name),
            other => panic!("{}: {other}", case.name),
        }
    }
}

#[test]
fn what_mqtt_packet_refuses_of_a_broker_we_refuse() {
    let cases = cases("refuses");
    assert_eq!(cases.len(), 48);
    for case in cases {
        let read = decode(&case.bytes, Level::V3_1_1);
        assert!(read.is_err(), "{}: {read:?}", case.name);
    }
}

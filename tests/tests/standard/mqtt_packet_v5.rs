//! Are packets of MQTT 5 the bytes that the npm package `mqtt-packet` expects? Its cases stand in `mqtt_packet_v5.txt`.

use mqtt_client_core::config::{Secret, Signal, Will};
use mqtt_client_core::mqtt::encode::{
    Connect, DISCONNECT, PINGREQ, PublishHeader, answer, publish, pubrel,
};
use mqtt_client_core::mqtt::v5::breach::{Breach, Flaw};
use mqtt_client_core::mqtt::v5::decode::{Incoming, decode};
use mqtt_client_core::mqtt::v5::encode::{self, Terms, disconnect};
use mqtt_client_core::mqtt::v5::property::{
    ASSIGNED_CLIENT_IDENTIFIER, Id, MAXIMUM_PACKET_SIZE, MAXIMUM_QOS, MESSAGE_EXPIRY, Properties,
    REASON_STRING, RECEIVE_MAXIMUM, RETAIN_AVAILABLE, SERVER_KEEP_ALIVE, SERVER_REFERENCE,
    SESSION_EXPIRY, TOPIC_ALIAS_MAXIMUM,
};
use mqtt_client_core::mqtt::v5::reason::Reason;
use mqtt_client_core::mqtt::violation::Violation;
use mqtt_client_core::mqtt::{Ack, ClientId, Level};

use super::mqtt_packet::{Case, cases_of};

const TABLE: &str = include_str!("mqtt_packet_v5.txt");

/// Longer than any packet of the table.
const LONGEST: usize = 1000;

/// The properties that the table names.
const NUMBERS: [(&str, Id); 8] = [
    ("session-expiry", SESSION_EXPIRY),
    ("receive-maximum", RECEIVE_MAXIMUM),
    ("maximum-qos", MAXIMUM_QOS),
    ("retain-available", RETAIN_AVAILABLE),
    ("maximum-packet-size", MAXIMUM_PACKET_SIZE),
    ("topic-alias-maximum", TOPIC_ALIAS_MAXIMUM),
    ("server-keep-alive", SERVER_KEEP_ALIVE),
    ("message-expiry", MESSAGE_EXPIRY),
];
const TEXTS: [(&str, Id); 3] = [
    ("assigned-client-identifier", ASSIGNED_CLIENT_IDENTIFIER),
    ("reason-string", REASON_STRING),
    ("server-reference", SERVER_REFERENCE),
];

fn connect(case: &Case<'_>) -> Vec<u8> {
    let connect = Connect {
        level: Level::V5,
        client_id: ClientId::Given(case.text("client_id").expect("an identifier")),
        clean_session: case.number("clean") == 1,
        keep_alive: case.number("keep_alive"),
        will: case.text("will_topic").map(|topic| Will {
            topic,
            message: case.text("will_message").expect("a message"),
            qos: case.qos("will_qos"),
            retain: case.number("will_retain") == 1,
        }),
        username: case.text("username"),
        password: case.text("password").map(Secret::new),
        terms: Terms {
            session_expiry: long(case, "session").expect("seconds"),
            maximum_packet_size: long(case, "longest").expect("bytes"),
            will_delay: long(case, "delay").expect("seconds"),
        },
    };
    let mut packet = vec![0; connect.encoded_len()];
    assert_eq!(connect.encode(&mut packet), Some(packet.len()));
    packet
}

fn published(case: &Case<'_>) -> Vec<u8> {
    let signal = Signal {
        topic: case.text("topic"),
        ..Signal::EMPTY
    };
    let alias = long(case, "alias").map(|alias| u16::try_from(alias).expect("an alias"));
    let list = encode::publish(long(case, "expiry"), alias);
    let header = PublishHeader {
        qos: case.qos("qos"),
        retain: case.number("retain") == 1,
        dup: case.number("dup") == 1,
        packet_id: case.number("id"),
        signal: &signal,
        device_alias: "",
        properties: list.bytes(),
        has_known_alias: case.text("known").is_some(),
    };
    let payload = case.text("payload").expect("a payload").as_bytes();
    let mut packet = vec![0; LONGEST];
    let len = publish(&mut packet, header, payload.len(), |out| {
        out.copy_from_slice(payload);
    });
    packet.truncate(len.expect("room"));
    packet
}

/// A number of up to 32 bits.
fn long(case: &Case<'_>, field: &str) -> Option<u32> {
    let text = case.text(field)?;
    Some(text.parse().expect("a number"))
}

#[test]
fn what_we_write_in_mqtt_5_is_what_mqtt_packet_writes() {
    let cases = cases_of(TABLE, "says");
    assert_eq!(cases.len(), 23);
    for case in cases {
        let id = || case.number("id");
        let written = match case.packet {
            "connect" => connect(&case),
            "publish" => published(&case),
            "pubrel" => pubrel(id(), Level::V5, false).to_vec(),
            "puback" => answer(Ack::Puback, id()).to_vec(),
            "pubrec" => answer(Ack::Pubrec, id()).to_vec(),
            "pubcomp" => answer(Ack::Pubcomp, id()).to_vec(),
            "pingreq" => PINGREQ.to_vec(),
            "disconnect" => match long(&case, "code") {
                None => DISCONNECT.to_vec(),
                Some(code) => disconnect(Reason(code as u8)).to_vec(),
            },
            other => panic!("{}: {other}", case.name),
        };
        assert_eq!(written, case.bytes, "{}", case.name);
    }
}

#[test]
fn what_mqtt_packet_reads_of_a_broker_of_mqtt_5_we_read_likewise() {
    let cases = cases_of(TABLE, "hears");
    assert_eq!(cases.len(), 23);
    for case in cases {
        let (read, len) = decode(&case.bytes, LONGEST)
            .unwrap_or_else(|violation| panic!("{}: {violation}", case.name))
            .unwrap_or_else(|| panic!("{}: not whole", case.name));
        assert_eq!(len, case.bytes.len(), "{}", case.name);
        let (packet, code, properties) = match read {
            Incoming::Connack {
                session_present,
                reason,
                properties,
            } => {
                assert_eq!(u16::from(session_present), case.number("present"));
                ("connack", Some(reason), properties)
            }
            Incoming::Ack {
                ack,
                packet_id,
                reason,
                properties,
            } => {
                assert_eq!(packet_id, case.number("id"), "{}", case.name);
                let packet = match ack {
                    Ack::Puback => "puback",
                    Ack::Pubrec => "pubrec",
                    Ack::Pubcomp => "pubcomp",
                };
                (packet, Some(reason), properties)
            }
            Incoming::Pubrel {
                packet_id,
                reason,
                properties,
            } => {
                assert_eq!(packet_id, case.number("id"), "{}", case.name);
                ("pubrel", Some(reason), properties)
            }
            Incoming::Disconnect { reason, properties } => ("disconnect", Some(reason), properties),
            Incoming::Publish {
                qos,
                retain,
                dup,
                packet_id,
                topic,
                properties,
                payload,
            } => {
                assert_eq!(qos, case.qos("qos"), "{}", case.name);
                assert_eq!(u16::from(retain), case.number("retain"), "{}", case.name);
                assert_eq!(u16::from(dup), case.number("dup"), "{}", case.name);
                assert_eq!(packet_id, Some(case.number("id")), "{}", case.name);
                assert_eq!(Some(topic), case.text("topic").map(str::as_bytes));
                assert_eq!(Some(payload), case.text("payload").map(str::as_bytes));
                ("publish", None, properties)
            }
            Incoming::Pingresp => panic!("{}: PINGRESP", case.name),
        };
        assert_eq!(packet, case.packet, "{}", case.name);
        let code = code.map(|reason| u32::from(reason.0));
        assert_eq!(code, long(&case, "code"), "{}", case.name);
        agree(&case, &properties);
    }
}

/// The properties are those of the table, as far as it names any.
fn agree(case: &Case<'_>, properties: &Properties<'_>) {
    for (field, id) in NUMBERS {
        let (ours, theirs) = (properties.number(id), long(case, field));
        assert_eq!(ours, theirs, "{}: {field}", case.name);
    }
    for (field, id) in TEXTS {
        let ours = properties.text(id);
        assert_eq!(ours, case.text(field).map(str::as_bytes), "{}", case.name);
    }
}

#[test]
fn what_mqtt_packet_refuses_of_a_broker_of_mqtt_5_we_refuse() {
    let cases = cases_of(TABLE, "refuses");
    assert_eq!(cases.len(), 24);
    for case in cases {
        let read = decode(&case.bytes, LONGEST);
        assert!(read.is_err(), "{}: {read:?}", case.name);
    }
}

#[test]
fn what_mqtt_packet_takes_against_the_standard_we_refuse_for_a_named_reason() {
    let cases = cases_of(TABLE, "differs");
    assert_eq!(cases.len(), 7);
    for case in cases {
        let Err(Violation::V5(breach)) = decode(&case.bytes, LONGEST) else {
            panic!("{} is taken", case.name);
        };
        let is_it = match case.text("flaw") {
            Some("malformed") => matches!(breach, Breach::Malformed(_)),
            Some("alias") => breach == Breach::TopicAlias,
            // Values that exist are 0 and 1 (3.2.2.3.4).
            Some("maximum-qos") => matches!(
                breach,
                Breach::Property {
                    id: MAXIMUM_QOS,
                    flaw: Flaw::Value,
                    ..
                }
            ),
            // A server must not send it [MQTT-3.14.2-2].
            Some("session-expiry") => matches!(
                breach,
                Breach::Property {
                    id: SESSION_EXPIRY,
                    flaw: Flaw::NotHere,
                    ..
                }
            ),
            other => panic!("{}: {other:?}", case.name),
        };
        assert!(is_it, "{}: {breach:?}", case.name);
    }
}

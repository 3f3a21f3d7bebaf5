//! Packets of both directions.
//!
//! - CONNECT, read by `mqtt-proto` (3.1 and 3.1.1) and `mqtt-tiny` (3.1.1), says what was written; its length is the one
//!   that was promised, and no smaller buffer is enough.
//! - PUBLISH likewise, whatever the topic; our own reader for `-m` is the inverse.
//! - What we take for a packet of a broker's, `mqtt-proto` takes for the same one; what is consumed, written anew, is the
//!   same packet. What `mqtt-proto` takes for a packet that a broker sends to a publisher, we do not wait for more of.

use arbitrary::Arbitrary;
use mqtt_client_core::config::{MAX_TOPIC, Secret, Signal, Will};
use mqtt_client_core::mqtt::decode::{Accepted, Incoming, decode};
use mqtt_client_core::mqtt::encode::{Connect, PublishHeader, publish, pubrel};
use mqtt_client_core::mqtt::packet::{Packet, Publish};
use mqtt_client_core::mqtt::v5::encode::Terms;
use mqtt_client_core::mqtt::v5::property::Properties;
use mqtt_client_core::mqtt::{Ack, ClientId, Level, MAX_PUBLISH, QoS, Refusal};
use mqtt_client_core::payload;
use mqtt_proto::v3::{self, ConnectReturnCode};
use mqtt_proto::{Protocol, QosPid, TopicName};
use mqtt_tiny::packets::TryFromIterator as _;

/// What is written, and what is read.
#[derive(Arbitrary, Debug)]
pub struct Case<'c> {
    old: bool,
    repeated: bool,
    clean_session: bool,
    keep_alive: u16,
    client_id: Option<&'c str>,
    digits: u32,
    will: Option<(&'c str, &'c str, u8, bool)>,
    username: Option<&'c str>,
    password: Option<&'c str>,
    qos: u8,
    retain: bool,
    packet_id: u16,
    topic: &'c str,
    payload: &'c [u8],
    heard: &'c [u8],
}

/// Longest packet that `mqtt-tiny` reads: of a Remaining Length of several bytes it takes the first for the highest.
const TINY: usize = 2 + 127;

/// Checks one case.
pub fn check(case: &Case<'_>) {
    let level = if case.old { Level::V3_1 } else { Level::V3_1_1 };
    check_connect(case, level);
    check_publish(case);
    check_pubrel(case, level);
    check_heard(case.heard, level);
}

fn check_connect(case: &Case<'_>, level: Level) {
    let client_id = match case.client_id {
        Some(text) => ClientId::Given(text),
        None => ClientId::Generated {
            alias: "cloud-of-clouds-of-clouds",
            digits: case.digits,
        },
    };
    let connect = Connect {
        level,
        client_id,
        clean_session: case.clean_session,
        keep_alive: case.keep_alive,
        will: case.will.map(|(topic, message, will_qos, retain)| Will {
            topic,
            message,
            qos: qos(will_qos),
            retain,
        }),
        username: case.username,
        // Never without a user name [MQTT-3.1.2-22].
        password: case.username.and(case.password).map(Secret::new),
        terms: Terms {
            session_expiry: 0,
            maximum_packet_size: 0,
            will_delay: 0,
        },
    };
    let len = connect.encoded_len();
    let mut buffer = vec![0; len];
    assert_eq!(connect.encode(&mut buffer), Some(len));
    assert_eq!(connect.encode(&mut vec![0; len - 1]), None);
    let other = Connect {
        // Without one the user name may be what is secret, and is not shown.
        password: (connect.password)
            .map(|password| {
                if password.expose().is_empty() {
                    ""
                } else {
                    "another"
                }
            })
            .map(Secret::new),
        ..connect
    };
    assert_eq!(
        Packet::Connect(connect).to_string(),
        Packet::Connect(other).to_string(),
        "no password is shown"
    );

    let mut text = [0; mqtt_client_core::mqtt::MAX_GENERATED];
    let client_id = client_id.text(level, &mut text).to_vec();
    assert!(case.client_id.is_some() || !case.old || client_id.len() <= 23);
    let (connect_will, password) = (
        connect.will,
        connect.password.map(|secret| secret.expose().as_bytes()),
    );
    if connect_will.is_none_or(|will| TopicName::try_from(will.topic).is_ok()) {
        let Ok(Some(v3::Packet::Connect(read))) = v3::Packet::decode(&buffer) else {
            panic!(
                "mqtt-proto reads {:?} of {connect:?}",
                v3::Packet::decode(&buffer)
            );
        };
        let protocol = if case.old {
            Protocol::V310
        } else {
            Protocol::V311
        };
        assert_eq!(
            (
                read.protocol,
                read.clean_session,
                read.keep_alive,
                read.client_id.as_bytes()
            ),
            (
                protocol,
                case.clean_session,
                case.keep_alive,
                &client_id[..]
            )
        );
        assert_eq!(read.username.as_deref(), case.username);
        assert_eq!(read.password.as_deref(), password);
        let will = read.last_will.map(|will| {
            (
                will.topic_name.to_string(),
                will.message.to_vec(),
                will.qos as u8,
                will.retain,
            )
        });
        let expected = connect_will.map(|will| {
            (
                will.topic.to_string(),
                will.message.into(),
                u8::from(will.qos),
                will.retain,
            )
        });
        assert_eq!(will, expected);
    }
    if level == Level::V3_1_1 && len <= TINY {
        let read = mqtt_tiny::Connect::try_from_iter(buffer).expect("CONNECT to mqtt-tiny");
        assert_eq!(
            (
                read.clean_session(),
                read.keep_alive_secs(),
                read.client_id()
            ),
            (case.clean_session, case.keep_alive, &client_id[..])
        );
        assert_eq!(
            (read.username(), read.password()),
            (case.username.map(str::as_bytes), password)
        );
    }
}

fn check_publish(case: &Case<'_>) {
    let qos = qos(case.qos);
    let topic = &case.topic.as_bytes()[..case.topic.floor_char_boundary(MAX_TOPIC)];
    let payload = &case.payload[..case.payload.len().min(payload::MAX_LEN)];
    let signal = Signal {
        topic: Some(&case.topic[..topic.len()]),
        ..Signal::EMPTY
    };
    for dup in [false, true] {
        let header = PublishHeader {
            qos,
            retain: case.retain,
            dup,
            packet_id: case.packet_id.max(1),
            signal: &signal,
            device_alias: "",
            properties: &[],
            has_known_alias: false,
        };
        let packet = encoded(header, payload);
        let publish = Publish {
            qos,
            retain: case.retain,
            dup,
            packet_id: (qos != QoS::AtMostOnce).then_some(case.packet_id.max(1)),
            topic,
            properties: Properties::default(),
            payload,
        };
        assert_eq!(Publish::decode(&packet, Level::V3_1_1), Some(publish));
        if packet.len() <= TINY {
            let tiny = mqtt_tiny::Publish::try_from_iter(packet.iter().copied())
                .expect("PUBLISH to mqtt-tiny");
            assert_eq!(
                (
                    tiny.qos(),
                    tiny.dup(),
                    tiny.retain(),
                    tiny.packet_id(),
                    tiny.topic(),
                    tiny.payload()
                ),
                (
                    u8::from(qos),
                    dup,
                    case.retain,
                    publish.packet_id,
                    topic,
                    payload
                )
            );
        }
        if TopicName::try_from(str::from_utf8(topic).expect("text")).is_err() {
            continue;
        }
        let Ok(Some(v3::Packet::Publish(proto))) = v3::Packet::decode(&packet) else {
            panic!("mqtt-proto reads {:?}", v3::Packet::decode(&packet));
        };
        let (read_qos, id) = qos_and_id(proto.qos_pid);
        assert_eq!(
            (
                read_qos,
                proto.dup,
                proto.retain,
                id,
                proto.topic_name.as_bytes(),
                &proto.payload[..]
            ),
            (
                u8::from(qos),
                dup,
                case.retain,
                publish.packet_id,
                topic,
                payload
            )
        );
    }
}

fn check_pubrel(case: &Case<'_>, level: Level) {
    let packet_id = case.packet_id.max(1);
    let mut packet = pubrel(packet_id, level, case.repeated);
    assert_eq!(packet[0] & 0x08 != 0, case.old && case.repeated);
    packet[0] &= !0x08;
    let read = v3::Packet::decode(&packet);
    assert!(
        matches!(read, Ok(Some(v3::Packet::Pubrel(id))) if id.value() == packet_id),
        "{read:?}"
    );
}

fn check_heard(heard: &[u8], level: Level) {
    let oracle = v3::Packet::decode(heard);
    match decode(heard, level) {
        Ok(Some((packet, len))) => {
            let (consumed, _) = heard.split_at(len);
            assert_eq!(decode(consumed, level), Ok(Some((packet, len))));
            for cut in 0..len {
                assert_eq!(decode(&heard[..cut], level), Ok(None));
            }
            if let Incoming::Publish(message) = packet {
                // Only its beginning was read; how the rest is passed over is for the target of whole streams.
                if let Ok(Some(v3::Packet::Publish(oracle))) = oracle {
                    let (qos, _) = qos_and_id(oracle.qos_pid);
                    assert_eq!(u8::from(message.qos()), qos);
                }
                return;
            }
            let written = written(packet);
            assert_eq!(decode(&written, level), Ok(Some((packet, written.len()))));
            if level == Level::V3_1_1 {
                // But for a length in more bytes than it needs.
                assert_eq!(consumed[0], written[0]);
                assert!(consumed.ends_with(&written[2..]));
            }
            // Bits that 3.1 calls unused are unknown to it.
            if let Ok(Some(oracle)) = v3::Packet::decode(&written) {
                assert!(
                    is_same(packet, &oracle),
                    "{packet:?} is {oracle:?} to mqtt-proto"
                );
            } else {
                panic!("{packet:?} is none to mqtt-proto");
            }
        }
        Ok(None) => {
            let whole = matches!(
                oracle,
                Ok(Some(
                    v3::Packet::Connack(_)
                        | v3::Packet::Puback(_)
                        | v3::Packet::Pubrec(_)
                        | v3::Packet::Pubcomp(_)
                        | v3::Packet::Pubrel(_)
                        | v3::Packet::Publish(_)
                        | v3::Packet::Pingresp
                ))
            );
            // Its PINGRESP is whole before its length is.
            assert!(!whole, "we wait for more of {oracle:?}");
        }
        Err(violation) => assert!(!violation.to_string().is_empty()),
    }
}

/// The packet in as few bytes as it takes.
fn written(packet: Incoming) -> Vec<u8> {
    let (high, low) = match packet {
        Incoming::Connack(Ok(Accepted { session_present })) => (u8::from(session_present), 0),
        Incoming::Connack(Err(refusal)) => (0, code(refusal)),
        Incoming::Ack { packet_id, .. } | Incoming::Pubrel { packet_id } => {
            let [high, low] = packet_id.to_be_bytes();
            (high, low)
        }
        Incoming::Pingresp => return vec![0xd0, 0],
        Incoming::Publish(_) => unreachable!("it is compared as it is"),
    };
    let flags = if matches!(packet, Incoming::Pubrel { .. }) {
        2
    } else {
        0
    };
    vec![packet.packet_type() << 4 | flags, 2, high, low]
}

fn is_same(packet: Incoming, oracle: &v3::Packet) -> bool {
    match (packet, oracle) {
        (Incoming::Connack(Ok(Accepted { session_present })), v3::Packet::Connack(connack)) => {
            connack.code == ConnectReturnCode::Accepted
                && connack.session_present == session_present
        }
        (Incoming::Connack(Err(refusal)), v3::Packet::Connack(connack)) => {
            connack.code as u8 == code(refusal) && !connack.session_present
        }
        (
            Incoming::Ack {
                ack: Ack::Puback,
                packet_id,
            },
            v3::Packet::Puback(id),
        )
        | (
            Incoming::Ack {
                ack: Ack::Pubrec,
                packet_id,
            },
            v3::Packet::Pubrec(id),
        )
        | (
            Incoming::Ack {
                ack: Ack::Pubcomp,
                packet_id,
            },
            v3::Packet::Pubcomp(id),
        ) => packet_id == id.value(),
        (Incoming::Pubrel { packet_id }, v3::Packet::Pubrel(id)) => packet_id == id.value(),
        (Incoming::Pingresp, v3::Packet::Pingresp) => true,
        _ => false,
    }
}

fn code(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::ProtocolLevel => 1,
        Refusal::Identifier => 2,
        Refusal::ServerUnavailable => 3,
        Refusal::Credentials => 4,
        Refusal::NotAuthorized => 5,
        Refusal::Reason(_) => unreachable!("it is of MQTT 5"),
    }
}

pub(crate) fn qos(number: u8) -> QoS {
    match number % 3 {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

/// The PUBLISH with this payload, which takes all of the room that it asks for.
pub(crate) fn encoded(header: PublishHeader<'_>, payload: &[u8]) -> Vec<u8> {
    let encode = |room: usize| {
        let mut packet = vec![0; room];
        let write_payload = |out: &mut [u8]| out.copy_from_slice(payload);
        let len = publish(&mut packet, header, payload.len(), write_payload)?;
        packet.truncate(len);
        Some(packet)
    };
    let packet = encode(MAX_PUBLISH).expect("the longest one fits");
    assert_eq!(
        encode(packet.len() - 1),
        None,
        "one byte less is too little"
    );
    packet
}

/// QoS and packet identifier, as mqtt-proto has them.
pub(crate) fn qos_and_id(qos_pid: QosPid) -> (u8, Option<u16>) {
    match qos_pid {
        QosPid::Level0 => (0, None),
        QosPid::Level1(id) => (1, Some(id.value())),
        QosPid::Level2(id) => (2, Some(id.value())),
    }
}

//! Packets of MQTT 5 of both directions.
//!
//! - CONNECT and PUBLISH, read by `mqtt-proto`, say what was written; the length is the one that was promised, and no smaller buffer is
//!   enough. Our own reader for `-m` is the inverse.
//! - What we take for a packet of a broker's, `mqtt-proto` takes for the same one, but for reason codes that the standard lists for other
//!   packets. Where all of a packet is there, we do not wait for more of it.
//! - No beginning of a packet that we take is refused, and each packet is shown without a control character.

use arbitrary::Arbitrary;
use mqtt_client_core::config::{MAX_TOPIC, Secret, Signal, Will};
use mqtt_client_core::mqtt::encode::{Connect, PublishHeader};
use mqtt_client_core::mqtt::packet::{Packet, Publish};
use mqtt_client_core::mqtt::v5::decode::{Incoming, decode};
use mqtt_client_core::mqtt::v5::encode::{self, Terms};
use mqtt_client_core::mqtt::v5::property::{
    MAXIMUM_PACKET_SIZE, Properties, REASON_STRING, RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM,
};
use mqtt_client_core::mqtt::{Ack, ClientId, Level, QoS};
use mqtt_client_core::payload;
use mqtt_proto::{TopicName, v5};

use crate::packets::{encoded, qos, qos_and_id};

/// What is written, and what is read.
#[derive(Arbitrary, Debug)]
pub struct Case<'c> {
    clean_start: bool,
    keep_alive: u16,
    client_id: &'c str,
    will: Option<(&'c str, &'c [u8], u8, bool)>,
    username: Option<&'c str>,
    password: Option<&'c str>,
    session_expiry: u32,
    maximum_packet_size: u32,
    will_delay: u32,
    qos: u8,
    retain: bool,
    packet_id: u16,
    expiry: Option<u32>,
    alias: Option<u16>,
    has_known_alias: bool,
    topic: &'c str,
    payload: &'c [u8],
    longest: u16,
    heard: &'c [u8],
}

/// Checks one case.
pub fn check(case: &Case<'_>) {
    check_connect(case);
    check_publish(case);
    check_heard(case.heard, usize::from(case.longest));
}

fn check_connect(case: &Case<'_>) {
    let will = case.will.and_then(|(topic, message, will_qos, retain)| {
        TopicName::try_from(topic).ok()?;
        Some(Will {
            topic,
            message: str::from_utf8(message).ok()?,
            qos: qos(will_qos),
            retain,
        })
    });
    let terms = Terms {
        session_expiry: case.session_expiry,
        maximum_packet_size: case.maximum_packet_size.max(1),
        will_delay: case.will_delay,
    };
    let connect = Connect {
        level: Level::V5,
        client_id: ClientId::Given(case.client_id),
        clean_session: case.clean_start,
        keep_alive: case.keep_alive,
        will,
        username: case.username,
        password: case.username.and(case.password).map(Secret::new),
        terms,
    };
    let len = connect.encoded_len();
    let mut buffer = vec![0; len];
    assert_eq!(connect.encode(&mut buffer), Some(len));
    assert_eq!(connect.encode(&mut vec![0; len - 1]), None);
    assert_is_shown(&Packet::Connect(connect));
    let read = v5::Packet::decode(&buffer);
    let Ok(Some(v5::Packet::Connect(read))) = read else {
        panic!("mqtt-proto reads {read:?} of {connect:?}");
    };
    assert_eq!(
        (read.clean_start, read.keep_alive, read.client_id.as_bytes()),
        (case.clean_start, case.keep_alive, case.client_id.as_bytes())
    );
    let asked = |number: u32| (number > 0).then_some(number);
    let properties = &read.properties;
    assert_eq!(
        properties.session_expiry_interval,
        asked(terms.session_expiry)
    );
    assert_eq!(properties.max_packet_size, Some(terms.maximum_packet_size));
    assert_eq!(properties.receive_max, None);
    assert_eq!(properties.request_problem_info, Some(true));
    assert_eq!(read.username.as_deref(), case.username);
    assert_eq!(
        read.password.as_deref(),
        connect.password.map(|secret| secret.expose().as_bytes())
    );
    assert_eq!(read.last_will.is_some(), will.is_some());
    if let (Some(read), Some(will)) = (read.last_will, will) {
        assert_eq!(read.properties.delay_interval, asked(terms.will_delay));
        assert_eq!(
            (
                &*read.topic_name.to_string(),
                &read.payload[..],
                read.qos as u8,
                read.retain
            ),
            (
                will.topic,
                will.message.as_bytes(),
                u8::from(will.qos),
                will.retain
            )
        );
    }
}

fn check_publish(case: &Case<'_>) {
    let qos = qos(case.qos);
    let topic = &case.topic[..case.topic.floor_char_boundary(MAX_TOPIC)];
    let payload = &case.payload[..case.payload.len().min(payload::MAX_LEN)];
    let signal = Signal {
        topic: Some(topic),
        ..Signal::EMPTY
    };
    let alias = case.alias.map(|alias| alias.max(1));
    let list = encode::publish(case.expiry, alias);
    assert_eq!(encode::has_alias(list.bytes()), alias.is_some());
    let has_known_alias = case.has_known_alias && alias.is_some();
    let header = PublishHeader {
        qos,
        retain: case.retain,
        dup: false,
        packet_id: case.packet_id.max(1),
        signal: &signal,
        device_alias: "",
        properties: list.bytes(),
        has_known_alias,
    };
    let packet = encoded(header, payload);
    assert_eq!(packet.len(), header.encoded_len(payload.len()));
    let written = Publish {
        qos,
        retain: case.retain,
        dup: false,
        packet_id: (qos != QoS::AtMostOnce).then_some(case.packet_id.max(1)),
        topic: if has_known_alias {
            b""
        } else {
            topic.as_bytes()
        },
        properties: Properties::own(list.bytes()),
        payload,
    };
    assert_eq!(Publish::decode(&packet, Level::V5), Some(written));
    assert_is_shown(&Packet::Publish(written));
    if has_known_alias || TopicName::try_from(topic).is_err() {
        return;
    }
    let Ok(Some(v5::Packet::Publish(read))) = v5::Packet::decode(&packet) else {
        panic!("mqtt-proto reads {:?}", v5::Packet::decode(&packet));
    };
    let (read_qos, id) = qos_and_id(read.qos_pid);
    assert_eq!((read_qos, id), (u8::from(qos), written.packet_id));
    assert_eq!(read.topic_name.as_bytes(), topic.as_bytes());
    assert_eq!(read.properties.message_expiry_interval, case.expiry);
    assert_eq!(read.properties.topic_alias, alias);
    assert_eq!((read.retain, &read.payload[..]), (case.retain, payload));
}

fn check_heard(heard: &[u8], longest: usize) {
    let oracle = v5::Packet::decode(heard);
    match decode(heard, longest) {
        Ok(Some((packet, len))) => {
            assert!(len <= longest);
            let (consumed, _) = heard.split_at(len);
            assert_eq!(decode(consumed, longest), Ok(Some((packet, len))));
            for cut in 0..len {
                assert_eq!(decode(&heard[..cut], longest), Ok(None));
            }
            assert!(decode(heard, len - 1).is_err(), "it is longer than that");
            assert_is_shown(&Packet::IncomingV5(packet));
            if let Ok(Some(oracle)) = oracle {
                assert!(
                    is_same(&packet, &oracle),
                    "{packet:?} is {oracle:?} to mqtt-proto"
                );
            }
        }
        // mqtt-proto does not always wait for the rest.
        Ok(None) => assert!(
            whole_len(heard).is_none_or(|len| heard.len() < len),
            "we wait for more of {oracle:?}"
        ),
        Err(violation) => assert!(!violation.to_string().is_empty()),
    }
}

/// Length of the packet at the front, if that is told yet.
fn whole_len(heard: &[u8]) -> Option<usize> {
    let rest = heard.get(1..)?;
    let bytes = 1 + rest.iter().position(|byte| byte & 0x80 == 0)?;
    let digits = rest[..bytes].iter().rev();
    let len = digits.fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
    Some(1 + bytes + len)
}

fn assert_is_shown(packet: &Packet<'_>) {
    let shown = packet.to_string();
    assert!(!shown.contains(char::is_control), "{shown:?}");
}

fn is_same(packet: &Incoming<'_>, oracle: &v5::Packet) -> bool {
    match (packet, oracle) {
        (
            Incoming::Connack {
                session_present,
                reason,
                properties,
            },
            v5::Packet::Connack(oracle),
        ) => {
            // A broker of 3.1.1 says no in fewer bytes.
            let read = &oracle.properties;
            (*session_present, reason.0) == (oracle.session_present, oracle.reason_code as u8)
                && properties.number(RECEIVE_MAXIMUM) == read.receive_max.map(u32::from)
                && properties.number(TOPIC_ALIAS_MAXIMUM) == read.topic_alias_max.map(u32::from)
                && properties.number(MAXIMUM_PACKET_SIZE) == read.max_packet_size
                && properties.text(REASON_STRING)
                    == read.reason_string.as_deref().map(str::as_bytes)
        }
        (
            Incoming::Ack {
                ack: Ack::Puback,
                packet_id,
                reason,
                ..
            },
            v5::Packet::Puback(oracle),
        ) => (*packet_id, reason.0) == (oracle.pid.value(), oracle.reason_code as u8),
        (
            Incoming::Ack {
                ack: Ack::Pubrec,
                packet_id,
                reason,
                ..
            },
            v5::Packet::Pubrec(oracle),
        ) => (*packet_id, reason.0) == (oracle.pid.value(), oracle.reason_code as u8),
        (
            Incoming::Ack {
                ack: Ack::Pubcomp,
                packet_id,
                reason,
                ..
            },
            v5::Packet::Pubcomp(oracle),
        ) => (*packet_id, reason.0) == (oracle.pid.value(), oracle.reason_code as u8),
        (
            Incoming::Pubrel {
                packet_id, reason, ..
            },
            v5::Packet::Pubrel(oracle),
        ) => (*packet_id, reason.0) == (oracle.pid.value(), oracle.reason_code as u8),
        (Incoming::Disconnect { reason, .. }, v5::Packet::Disconnect(oracle)) => {
            reason.0 == oracle.reason_code as u8
        }
        (Incoming::Publish { topic, payload, .. }, v5::Packet::Publish(oracle)) => {
            (*topic, *payload) == (oracle.topic_name.as_bytes(), &oracle.payload[..])
        }
        (Incoming::Pingresp, v5::Packet::Pingresp) => true,
        _ => false,
    }
}

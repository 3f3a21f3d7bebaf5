//! What does a session tell the broker of itself, and is that true in the end?

use mqtt_client_core::config::{Device, Version, Will};
use mqtt_client_core::mqtt::QoS::{self, AtLeastOnce, AtMostOnce, ExactlyOnce};
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::mqtt::session::Session;
use mqtt_client_core::net::protocol::{ClosedBy, Protocol as _, Retry};

use super::packet::{self, ClientPacket};
use super::{Client, Memory, PINGRESP, WELCOME, WELCOME_BACK, at, puback, pubcomp, pubrec};

const TOPIC: &str = "plant/status";
const CONNACK_V5: &[u8] = b"\x20\x03\x00\x00\x00";

/// The identifier before that of the first sample.
const BIRTH: [u8; 4] = [0x40, 2, 0xff, 0xff];

fn device(qos: QoS) -> Device<'static> {
    Device {
        status_topic: Some(TOPIC),
        will: Some(Will {
            topic: TOPIC,
            message: "offline",
            qos: qos.min(AtLeastOnce),
            retain: true,
        }),
        ..super::device(qos)
    }
}

fn offline_and_disconnect(offline: &str) -> (Vec<String>, Close) {
    let said = vec![offline.to_owned(), "DISCONNECT".to_owned()];
    (said, Close::Finished)
}

#[test]
fn online_is_the_first_message_retained_and_no_sample() {
    for (qos, packets) in [
        (AtMostOnce, ["PUBLISH online", "PUBLISH a"]),
        (AtLeastOnce, ["PUBLISH 65535 online", "PUBLISH 1 a"]),
        (ExactlyOnce, ["PUBLISH 65535 online", "PUBLISH 1 a"]),
    ] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.queues("a");
        client.online(0, WELCOME);
        client.drain(0, usize::MAX).expect("online");
        let mut bytes = client.begun.clone();
        let Some(ClientPacket::Publish(online)) = packet::take_packet(&mut bytes) else {
            panic!("no PUBLISH");
        };
        assert_eq!((online.topic.as_str(), online.retain), (TOPIC, true));
        assert_eq!(online.qos, qos.min(AtLeastOnce) as u8);
        assert_eq!(client.packets(), packets, "{qos:?}");
        let counters = client.counters();
        assert_eq!((counters.sent, counters.acknowledged), (1, 0), "{qos:?}");
        if qos != AtMostOnce {
            assert_eq!(client.hears(1, &BIRTH), Ok(()));
        }
        assert_eq!(client.counters().acknowledged, 0);
        if qos == ExactlyOnce {
            // PUBACK of the status is no sign that the broker has no QoS 2.
            assert_eq!(client.hears(2, &pubrec(1)), Ok(()));
            assert_eq!(client.says(2), ["PUBREL 1"]);
            assert_eq!(client.hears(2, &BIRTH), Ok(()));
            assert_eq!(client.hears(3, &pubcomp(1)), Ok(()));
        }
    }
}

#[test]
fn a_connection_that_only_wipes_an_old_session_is_not_online_and_ends_offline() {
    let device = device(AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.queues("a");
    // There is a session of an earlier process.
    for (now, connack) in [(0, WELCOME_BACK), (1, WELCOME)] {
        assert_eq!(client.opened(now), Ok(()));
        client.says(now);
        assert_eq!(client.hears(now, connack), Ok(()));
        let (said, close) = client.says_at_last(now);
        assert_eq!(said, ["PUBLISH 65535 offline", "DISCONNECT"]);
        assert_eq!(close, Close::Wiped);
        assert_eq!(client.closed(now, ClosedBy::Us(close)), Retry::AtOnce);
    }
    client.online(2, WELCOME);
    assert_eq!(client.says(2), ["PUBLISH 65535 online", "PUBLISH 1 a"]);
}

#[test]
fn offline_is_the_last_message_before_disconnect() {
    for (qos, offline) in [
        (AtMostOnce, "PUBLISH offline"),
        (AtLeastOnce, "PUBLISH 65534 offline"),
        (ExactlyOnce, "PUBLISH 65534 offline"),
    ] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        client.says(0);
        client.session.stop();
        assert_eq!(
            client.says_at_last(1),
            offline_and_disconnect(offline),
            "{qos:?}"
        );
    }
}

#[test]
fn leaving_before_connack_says_offline_since_it_cancels_a_will_that_waits() {
    let device = device(AtLeastOnce);
    for cut in 0..10 {
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        assert_eq!(client.opened(0), Ok(()));
        client.drain(0, cut).expect("CONNECT");
        client.session.leave();
        let (said, close) = client.says_at_last(1);
        assert_eq!(said[1..], ["PUBLISH offline", "DISCONNECT"], "cut at {cut}");
        assert_eq!(close, Close::Finished);
    }
}

#[test]
fn however_many_answers_wait_to_be_written_there_is_room_for_offline() {
    let device = device(ExactlyOnce);
    for more_room in 0..30 {
        let mut memory = Memory::for_device(&device);
        memory.input.resize(1000, 0);
        memory
            .control
            .truncate(Session::control_len(&device) + more_room);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        for _ in 0..19 {
            client.queues("a");
        }
        assert_eq!(client.says(1).len(), 20);
        let acknowledgements = (1..=19).map(pubrec).collect::<Vec<_>>().concat();
        assert_eq!(client.hears(2, &acknowledgements), Ok(()));
        client.session.leave();
        let (said, _) = client.says_at_last(2);
        let end = &said[said.len() - 2..];
        assert_eq!(end, ["PUBLISH 65534 offline", "DISCONNECT"], "{said:?}");
        assert!(said.len() > 2, "{said:?}");
    }
}

#[test]
fn online_is_said_once_more_when_no_earlier_will_can_come_any_more() {
    for (version, connack, again_at) in [
        (Version::V3_1_1, WELCOME, 120_000),
        (Version::V5, CONNACK_V5, 151_000),
    ] {
        let device = Device {
            version,
            ..device(AtLeastOnce)
        };
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, connack);
        assert_eq!(client.says(0), ["PUBLISH 65535 online"]);
        assert_eq!(client.hears(1, &BIRTH), Ok(()));
        let mut said = Vec::new();
        let mut now = 0;
        while now < 300_000 {
            now = client.deadline().min(300_000);
            assert_eq!(client.expires(now), Ok(()));
            for packet in client.says(now) {
                match packet.as_str() {
                    "PINGREQ" => assert_eq!(client.hears(now, PINGRESP), Ok(())),
                    _ => {
                        said.push((now, packet));
                        assert_eq!(client.hears(now, &BIRTH), Ok(()));
                    }
                }
            }
        }
        assert_eq!(said, [(again_at, "PUBLISH 65535 online".to_owned())]);
    }
}

#[test]
fn what_is_not_acknowledged_is_repeated_in_the_session_that_it_is_of() {
    for (connack, again) in [
        (WELCOME_BACK, "PUBLISH 65535+ online"),
        (WELCOME, "PUBLISH 65535 online"),
    ] {
        let device = device(AtLeastOnce);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        assert_eq!(client.says(0), ["PUBLISH 65535 online"]);
        client.closed(1, ClosedBy::Network);
        client.online(2, connack);
        assert_eq!(client.says(2), [again]);
    }
}

#[test]
fn a_status_that_is_never_acknowledged_ends_the_connection_where_samples_wait_for_it() {
    let device = Device {
        max_inflight: 1,
        ..device(AtLeastOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.queues("a");
    client.online(0, WELCOME);
    assert_eq!(client.says(0), ["PUBLISH 65535 online"]);
    assert_eq!(client.expires(45_000), Ok(()));
    assert_eq!(client.says(45_000), ["PINGREQ"]);
    assert_eq!(client.hears(45_000, PINGRESP), Ok(()));
    assert_eq!(
        client.expires(90_000),
        Err(Close::NoAcknowledgement(90_000))
    );
}

#[test]
fn a_status_that_is_not_acknowledged_while_samples_are_is_said_over_another_connection() {
    let device = device(AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    assert_eq!(client.says(0), ["PUBLISH 65535 online"]);
    for (now, id) in [(40_000, 1), (80_000, 2), (119_999, 3)] {
        client.queues("a");
        assert_eq!(client.says(now), [format!("PUBLISH {id} a")]);
        assert_eq!(client.hears(now, &puback(id)), Ok(()));
        assert_eq!(client.expires(now), Ok(()));
    }
    assert_eq!(
        client.expires(120_000),
        Err(Close::NoAcknowledgement(90_000))
    );
}

#[test]
fn a_broker_that_takes_one_message_at_a_time_is_sent_one() {
    let device = Device {
        version: Version::V5,
        ..device(AtLeastOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.queues("a");
    let receive_maximum_1 = b"\x20\x06\x00\x00\x03\x21\x00\x01";
    client.online(0, receive_maximum_1);
    assert_eq!(client.says(0), ["PUBLISH 65535 online"]);
    assert_eq!(client.hears(1, &BIRTH), Ok(()));
    assert_eq!(client.says(1), ["PUBLISH 1 a"]);
    client.closed(2, ClosedBy::Network);
    // What is repeated waits too.
    let resumed = b"\x20\x06\x01\x00\x03\x21\x00\x01";
    client.online(3, resumed);
    assert_eq!(client.says(3), ["PUBLISH 65535 online"]);
    assert_eq!(client.hears(4, &BIRTH), Ok(()));
    assert_eq!(client.says(4), ["PUBLISH 1+ a"]);
}

#[test]
fn a_status_counts_for_max_rate() {
    let device = Device {
        max_rate: 1,
        ..device(AtMostOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.queues("a");
    client.online(0, WELCOME);
    let mut said = Vec::new();
    while said.len() < 2 {
        let now = client.deadline();
        assert_eq!(client.expires(now), Ok(()));
        said.extend(client.says(now).into_iter().map(|packet| (now, packet)));
    }
    assert_eq!(said[0].1, "PUBLISH online");
    assert_eq!(said[1].1, "PUBLISH a");
    assert!(said[1].0 - said[0].0 > 1000, "{said:?}");
}

/// One connection to a broker that closes at a message on the status topic: what became of it, and what was taken.
fn serve(
    client: &mut Client<'_>,
    now: u64,
    connack: &[u8],
    taken: &mut Vec<String>,
) -> Option<Retry> {
    client.online(now, connack);
    loop {
        let said = client.says(now);
        if said.is_empty() {
            return None;
        }
        for packet in said {
            let words: Vec<&str> = packet.split(' ').collect();
            match words[0] {
                "PINGREQ" => assert_eq!(client.hears(now, PINGRESP), Ok(())),
                _ if packet.ends_with("line") => return Some(client.closed(now, ClosedBy::Peer)),
                _ => {
                    taken.push(words[words.len() - 1].to_owned());
                    if let Ok(id) = words[1].trim_end_matches('+').parse() {
                        assert_eq!(client.hears(now, &puback(id)), Ok(()));
                    }
                }
            }
        }
    }
}

#[test]
fn a_broker_that_closes_at_the_status_is_sent_none_and_the_samples_flow() {
    for qos in [AtMostOnce, AtLeastOnce] {
        for samples in [&[][..], &["a", "b"]] {
            let device = device(qos);
            let mut memory = Memory::for_device(&device);
            let mut client = Client::new(&device, &mut memory);
            samples.iter().for_each(|sample| {
                client.queues(sample);
            });
            let mut taken = Vec::new();
            let mut connections = 0_u32;
            loop {
                let connack = match (qos, connections) {
                    (AtMostOnce, _) | (_, 0) => WELCOME,
                    _ => WELCOME_BACK,
                };
                let now = u64::from(connections) * 60_000;
                connections += 1;
                match serve(&mut client, now, connack, &mut taken) {
                    Some(_) => assert!(connections < 10, "{qos:?} {samples:?}"),
                    None => break,
                }
            }
            assert_eq!(connections, 6, "{qos:?} {samples:?}");
            client.queues("c");
            serve_rest(&mut client, 600_000, &mut taken);
            taken.sort();
            taken.dedup();
            // At QoS 0 they went right behind the status.
            let lost = if qos == AtMostOnce { samples.len() } else { 0 };
            assert_eq!(taken, [&samples[lost..], &["c"]].concat(), "{qos:?}");
            // After ten minutes it is tried once more, and one close is enough.
            let (now, said) = loop {
                let now = client.deadline();
                assert_eq!(client.expires(now), Ok(()));
                let said = client.says(now);
                if said != ["PINGREQ"] {
                    break (now, said);
                }
                assert_eq!(client.hears(now, PINGRESP), Ok(()));
            };
            assert_eq!(now, 240_000 + 600_000);
            assert!(said.len() == 1 && said[0].ends_with("online"), "{said:?}");
            client.closed(now, ClosedBy::Peer);
            client.online(
                now,
                if qos == AtMostOnce {
                    WELCOME
                } else {
                    WELCOME_BACK
                },
            );
            assert_eq!(client.says(now), [""; 0]);
            // Nor is it sent at the end.
            client.session.stop();
            let (said, _) = client.says_at_last(now);
            assert_eq!(said, ["DISCONNECT"]);
        }
    }
}

fn serve_rest(client: &mut Client<'_>, now: u64, taken: &mut Vec<String>) {
    for packet in client.says(now) {
        let words: Vec<&str> = packet.split(' ').collect();
        if words[0] == "PUBLISH" {
            taken.push(words[words.len() - 1].to_owned());
        }
        if let Some(Ok(id)) = words.get(1).map(|id| id.parse()) {
            assert_eq!(client.hears(now, &puback(id)), Ok(()));
        } else if words[0] == "PINGREQ" {
            assert_eq!(client.hears(now, PINGRESP), Ok(()));
        }
    }
}

#[test]
fn a_status_that_a_broker_of_mqtt_5_refuses_costs_the_samples_nothing() {
    let device = Device {
        version: Version::V5,
        ..device(ExactlyOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.queues("a");
    client.online(0, CONNACK_V5);
    assert_eq!(client.says(0), ["PUBLISH 65535 online", "PUBLISH 1 a"]);
    let not_authorized = [0x40, 3, 0xff, 0xff, 0x87];
    assert_eq!(client.hears(1, &not_authorized), Ok(()));
    assert_eq!(client.hears(2, &pubrec(1)), Ok(()));
    assert_eq!(client.says(2), ["PUBREL 1"]);
    let counters = client.counters();
    assert_eq!((counters.sent, counters.refused), (1, 0));
}

#[test]
fn a_status_of_a_suspended_session_is_its_own_afterwards() {
    let device = device(AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    assert_eq!(client.drain(0, 5), Ok(5));
    let begun = std::mem::take(&mut client.begun);
    let state = client.session.suspend();
    let mut client = Client::resume(&device, &mut memory, state);
    client.begun = begun;
    assert_eq!(client.says(0), ["PUBLISH 65535 online"]);
    assert_eq!(client.hears(1, &BIRTH), Ok(()));
    client.session.stop();
    assert_eq!(
        client.says_at_last(1),
        offline_and_disconnect("PUBLISH 65534 offline")
    );
    assert!(client.session.deadline() > at(1));
}

/// Lets time pass until nothing is due before `until`; what is said, and when. Health is told by these counters.
#[cfg(feature = "health")]
fn told(client: &mut Client<'_>, from: u64, until: u64) -> Vec<(u64, String, Vec<u8>)> {
    use mqtt_client_core::counters::Counters;
    use mqtt_client_core::health::Redis;

    let mut said = Vec::new();
    let mut now = from;
    while now < until {
        assert_eq!(client.expires(now), Ok(()));
        let at = at(now);
        if client.session.is_health_due(at) {
            client
                .session
                .tell_health(at, &Counters::default(), Redis::Up);
        }
        client.drain(now, usize::MAX).expect("online");
        while let Some(packet) = packet::take_packet(&mut client.begun) {
            match packet {
                ClientPacket::Pingreq => assert_eq!(client.hears(now, PINGRESP), Ok(())),
                ClientPacket::Publish(publish) => {
                    assert_eq!(publish.topic, "plant/status/health");
                    let ack = publish.id.map_or(Vec::new(), |id| {
                        let [high, low] = id.to_be_bytes();
                        vec![0x40, 2, high, low]
                    });
                    let kind = format!("QoS {} retain {}", publish.qos, publish.retain);
                    assert!(publish.payload.starts_with("{\"version\":"), "{publish:?}");
                    said.push((now, kind, ack));
                }
                other => panic!("{other}"),
            }
        }
        now = client.deadline().max(now + 1);
    }
    said
}

#[cfg(feature = "health")]
#[test]
fn health_is_told_once_in_an_interval_behind_online_and_is_no_sample() {
    for (qos, kind) in [
        (AtMostOnce, "QoS 0 retain false"),
        (AtLeastOnce, "QoS 1 retain false"),
        (ExactlyOnce, "QoS 1 retain false"),
    ] {
        let device = Device {
            status_interval: 10,
            ..device(qos)
        };
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        assert!(client.says(0)[0].ends_with("online"));
        if qos != AtMostOnce {
            // One message of this kind is in flight at a time.
            assert_eq!(told(&mut client, 1, 5000), []);
            assert_eq!(client.hears(5000, &BIRTH), Ok(()));
        }
        let mut times = Vec::new();
        let mut now = 5000;
        while now < 60_000 {
            // Each is acknowledged after a second.
            for (at, said, ack) in told(&mut client, now, now + 1000) {
                assert_eq!(said, kind);
                times.push(at);
                assert_eq!(client.hears(now + 1000, &ack), Ok(()));
            }
            now += 1000;
        }
        assert_eq!((times.len(), times[0]), (6, 5000), "{times:?}");
        let mut gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        // A PINGREQ may be on its way.
        assert!(gaps.all(|gap| (10_000..10_010).contains(&gap)), "{times:?}");
        let counters = client.counters();
        assert_eq!((counters.sent, counters.acknowledged), (0, 0));
    }
}

#[cfg(feature = "health")]
#[test]
fn health_is_not_told_while_there_is_no_connection_and_at_once_after_that() {
    let device = Device {
        status_interval: 10,
        ..device(AtLeastOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    assert!(!client.session.is_health_due(at(100_000)));
    for (now, connack) in [(0, WELCOME), (100_000, WELCOME_BACK)] {
        client.online(now, connack);
        assert!(!client.session.is_health_due(at(now)), "online comes first");
        // The health that was not acknowledged is not repeated, nor is online for one.
        assert_eq!(client.says(now), ["PUBLISH 65535 online"]);
        assert_eq!(client.hears(now, &BIRTH), Ok(()));
        let said = told(&mut client, now, now + 9000);
        assert_eq!(said.len(), 1, "{said:?}");
        client.closed(now + 9000, ClosedBy::Network);
    }
}

#[cfg(feature = "health")]
#[test]
fn health_keeps_to_max_rate() {
    let device = Device {
        status_interval: 1,
        max_rate: 1,
        ..device(AtMostOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.says(2000);
    let times: Vec<_> = told(&mut client, 2000, 6100)
        .into_iter()
        .map(|(at, ..)| at)
        .collect();
    assert_eq!(times, [3001, 4002, 5003, 6004]);
}

#[cfg(feature = "health")]
#[test]
fn a_broker_that_closes_after_each_health_is_left_in_peace_for_ten_minutes() {
    let device = Device {
        status_interval: 10,
        ..device(AtLeastOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    let mut count = 0;
    for number in 0..9 {
        let now = number * 60_000;
        client.online(now, if number == 0 { WELCOME } else { WELCOME_BACK });
        assert_eq!(client.says(now).len(), 1);
        assert_eq!(client.hears(now, &BIRTH), Ok(()));
        if !told(&mut client, now + 10_000, now + 10_500).is_empty() {
            count += 1;
        }
        client.closed(now + 10_500, ClosedBy::Peer);
    }
    assert_eq!(count, 3);
}

//! The three qualities of service, and the retain flag: to a real broker, and packet by packet.

use std::time::{Duration, Instant};

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::fake_broker::{ACCEPTED, Packet, Publish};
use mqtt_client_tests::servers::Redis;
use mqtt_client_tests::{Config, Daemon, FakeBroker, Site, wait};

/// How long a packet that must not come is waited for.
const SILENCE: Duration = Duration::from_millis(300);

#[test]
fn messages_are_sent_at_the_quality_of_service_of_their_device() {
    for qos in [0, 1, 2] {
        let site = Site::start(cloud().with("mqtt_qos", qos).signal("p"));
        site.publish("p", "1,1000,");
        let delivery = site.subscriber.expect("tag/cloud/p/in", "1,1000,1");
        assert_eq!(delivery.qos, qos);
    }
}

#[test]
fn a_thousand_messages_arrive_once_and_in_order_at_every_quality_of_service() {
    for qos in [0, 1, 2] {
        let mut site = Site::start(cloud().with("mqtt_qos", qos).signal("p"));
        let messages = (0..1000).map(|n| format!("{n},1000,"));
        site.redis.publish_all(&channel("p"), messages);
        site.subscriber.wait_for("tag/cloud/p/in", "999,1000,1");
        let expected: Vec<_> = (0..1000).map(|n| format!("{n},1000,1")).collect();
        assert_eq!(
            site.subscriber.payloads("tag/cloud/p/in"),
            expected,
            "QoS {qos}"
        );
        let is_done = |acknowledged| qos == 0 || acknowledged == 1000;
        let counters = site
            .daemon
            .wait_for_counters("cloud", |now| is_done(now.acknowledged));
        assert_eq!(
            (counters.sent, counters.queued, counters.dropped),
            (1000, 0, 0)
        );
    }
}

#[test]
fn a_retained_message_is_there_for_a_later_subscriber() {
    let site = Site::start(cloud().with("mqtt_retain", 1).signal("p"));
    site.publish("p", "1,1000,");
    site.publish("p", "2,2000,");
    site.subscriber.wait_for("tag/cloud/p/in", "2,2000,1");
    let late = site.broker.subscribe();
    assert!(late.expect("tag/cloud/p/in", "2,2000,1").retained);
}

#[test]
fn without_retain_the_broker_keeps_nothing() {
    let site = Site::start(cloud().signal("p"));
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    let late = site.broker.subscribe();
    late.publish("tag/cloud/p/in", "a mark");
    late.expect("tag/cloud/p/in", "a mark");
}

/// A bridge between a Redis and the test itself, which is the broker.
struct Trace {
    daemon: Daemon,
    broker: FakeBroker,
    redis: Redis,
}

impl Trace {
    fn start(config: Config) -> Self {
        let (redis, broker) = (Redis::start(), FakeBroker::start());
        let config = config.with_ports(redis.port(), broker.port());
        let daemon = Daemon::start(&config);
        redis.wait_for_subscriptions(&config.channels());
        Self {
            daemon,
            broker,
            redis,
        }
    }

    fn publish(&self, values: std::ops::Range<u32>) {
        let messages = values.map(|n| format!("{n},1000,"));
        self.redis.publish_all(&channel("p"), messages);
    }
}

fn again(first_time: &Publish) -> Packet {
    Packet::Publish(Publish {
        dup: true,
        ..first_time.clone()
    })
}

#[test]
fn the_session_is_clean_only_at_quality_of_service_0() {
    for (qos, clean) in [(0, true), (1, false), (2, false)] {
        let trace = Trace::start(cloud().with("mqtt_qos", qos).signal("p"));
        let (_link, connect) = trace.broker.accept();
        assert_eq!(connect.clean_session, clean, "QoS {qos}");
    }
}

#[test]
fn unacknowledged_messages_go_first_after_a_reconnect_marked_as_duplicates_in_their_order() {
    let mut trace = Trace::start(cloud().with("mqtt_qos", 1).signal("p"));
    let (mut link, _) = trace.broker.accept();
    trace.publish(0..4);
    let sent: Vec<_> = (0..4).map(|_| link.publish()).collect();
    assert!(sent.iter().all(|publish| !publish.dup && publish.qos == 1));
    link.puback(sent[1].id.unwrap());
    trace
        .daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 1);
    drop(link);

    let mut link = trace.broker.link();
    assert!(!link.connect().clean_session);
    // One that comes while nothing can be sent.
    trace.publish(4..5);
    trace
        .daemon
        .wait_for_counters("cloud", |now| now.received == 5);
    link.connack_session_present();
    link.expect(&again(&sent[0]));
    link.expect(&again(&sent[2]));
    link.expect(&again(&sent[3]));
    let fifth = link.publish();
    assert_eq!((fifth.dup, fifth.payload.as_str()), (false, "4,1000,1"));
}

#[test]
fn an_exactly_once_handshake_goes_on_after_a_reconnect_where_it_was() {
    let trace = Trace::start(cloud().with("mqtt_qos", 2).signal("p"));
    let (mut link, _) = trace.broker.accept();
    trace.publish(0..3);
    let sent: Vec<_> = (0..3).map(|_| link.publish()).collect();
    let ids: Vec<_> = sent.iter().map(|publish| publish.id.unwrap()).collect();
    // The first handshake is complete, the second half done, the third not begun.
    link.pubrec(ids[0]);
    link.expect(&Packet::Pubrel(ids[0]));
    link.pubcomp(ids[0]);
    link.pubrec(ids[1]);
    link.expect(&Packet::Pubrel(ids[1]));
    drop(link);

    let mut link = trace.broker.link();
    assert!(!link.connect().clean_session);
    link.connack_session_present();
    link.expect(&Packet::Pubrel(ids[1]));
    link.expect(&again(&sent[2]));
    link.pubcomp(ids[1]);
    link.pubrec(ids[2]);
    link.expect(&Packet::Pubrel(ids[2]));
    link.pubcomp(ids[2]);
    link.expect_silence(SILENCE);
}

#[test]
fn no_more_messages_are_in_flight_than_max_inflight_allows() {
    for qos in [1, 2] {
        let config = cloud()
            .with("mqtt_qos", qos)
            .with("max_inflight", 2)
            .signal("p");
        let trace = Trace::start(config);
        let (mut link, _) = trace.broker.accept();
        trace.publish(0..4);
        let first = link.publish().id.unwrap();
        let second = link.publish().id.unwrap();
        assert_ne!(first, second);
        link.expect_silence(SILENCE);
        if qos == 1 {
            link.puback(first);
        } else {
            link.pubrec(first);
            link.expect(&Packet::Pubrel(first));
            link.pubcomp(first);
        }
        assert_eq!(link.publish().payload, "2,1000,1");
        link.expect_silence(SILENCE);
    }
}

#[test]
fn acknowledgements_of_nothing_do_no_harm() {
    let mut trace = Trace::start(cloud().with("mqtt_qos", 2).signal("p"));
    let (mut link, _) = trace.broker.accept();
    link.puback(1);
    link.pubrec(2);
    link.pubcomp(3);
    trace.publish(0..1);
    // Whether it goes on or connects again is its own decision; the message arrives.
    while !matches!(link.packet(), Some(Packet::Publish(_))) {
        if let Some(mut next) = trace.broker.link_within(SILENCE) {
            next.connect();
            next.connack(ACCEPTED);
            link = next;
        }
    }
    assert!(trace.daemon.is_running());
}

/// RabbitMQ has no QoS 2, and says so only in this way.
#[test]
fn a_puback_ends_a_qos_2_message_with_one_warning() {
    let mut trace = Trace::start(cloud().with("mqtt_qos", 2).signal("p"));
    let (mut link, _) = trace.broker.accept();
    trace.publish(0..3);
    for acknowledged in 1..=3 {
        let id = link.publish().id.unwrap();
        link.puback(id);
        trace
            .daemon
            .wait_for_counters("cloud", |now| now.acknowledged == acknowledged);
    }
    link.expect_silence(SILENCE);
    let said = trace.daemon.stderr().with(&["W cloud", "PUBACK"]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(trace.daemon.counters("cloud").reconnects, 0);
}

/// Its own age decides, whatever is acknowledged of the others meanwhile.
#[test]
fn a_message_whose_acknowledgement_was_lost_is_sent_again_after_one_and_a_half_keep_alives() {
    const KEEP_ALIVE: Duration = Duration::from_secs(5);
    let config = cloud()
        .with("mqtt_qos", 1)
        .with("keep_alive", KEEP_ALIVE.as_secs())
        .signal("p");
    let trace = Trace::start(config);
    let (mut link, _) = trace.broker.accept();
    trace.publish(0..1);
    let lost = link.publish();
    let start = Instant::now();
    // The others are acknowledged one after the other, with pauses that are short beside the keep-alive.
    let mut next = 1;
    trace.publish(next..next + 1);
    let mut link = loop {
        match link.packet() {
            Some(Packet::Publish(publish)) => {
                link.puback(publish.id.unwrap());
                next += 1;
                std::thread::sleep(Duration::from_millis(500));
                trace.publish(next..next + 1);
            }
            Some(Packet::Pingreq) => link.pingresp(),
            Some(other) => panic!("wanted PUBLISH, not {other:?}"),
            None => break trace.broker.link(),
        }
        assert!(start.elapsed() < wait::LIMIT, "nothing is noticed");
    };
    link.connect();
    link.connack_session_present();
    link.expect(&again(&lost));
}

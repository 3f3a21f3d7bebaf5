//! A broker that stands still for so long that its window closes: in the middle of a packet, since no window ends where a packet does.

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::{Mosquitto, Redis, SUBSCRIBER_MAY_LAG};
use mqtt_client_tests::{Site, wait};

/// Messages at a time.
const BATCH: u32 = 2000;
/// Enough for any socket's buffers: Linux lets them grow to some 10 MB.
const BATCHES: u32 = 50;

#[test]
fn a_window_that_closes_in_the_middle_of_a_packet_costs_nothing() {
    // As long as a topic may be: the fewer messages fill the buffers.
    let topic = "t".repeat(256);
    for qos in [0, 1, 2] {
        let config = cloud()
            .with("mqtt_qos", qos)
            .with("max_inflight", 65535)
            .with("buffer_size", 64 * 1024 * 1024)
            .signal("p")
            .with("topic", topic.as_str());
        let broker = Mosquitto::start_with(&[
            "allow_anonymous true",
            // With the 20 messages that it takes at QoS 2, no window is ever full.
            "max_inflight_messages 0",
            SUBSCRIBER_MAY_LAG,
        ]);
        let mut site = Site::between(Redis::start(), broker, config);
        site.broker.pause();
        let mut published = 0;
        for batch in 0..BATCHES {
            let numbers = batch * BATCH..(batch + 1) * BATCH;
            published = u64::from(numbers.end);
            let messages = numbers.map(|n| format!("{n},1000,"));
            site.redis.publish_all(&channel("p"), messages);
            let received = site
                .daemon
                .wait_for_counters("cloud", |now| now.received == published);
            if received.queued > 0 {
                break;
            }
        }
        let counters = site.daemon.counters("cloud");
        assert!(counters.queued > 0, "the window is closed: {counters:?}");
        site.broker.go_on();
        let arrived = wait::within(4 * wait::LIMIT, || {
            wait::holds(site.subscriber.count() as u64 == published)
        });
        arrived.unwrap_or_else(|| panic!("{} of {published} arrived", site.subscriber));
        let expected: Vec<_> = (0..published).map(|n| format!("{n},1000,1")).collect();
        assert!(site.subscriber.payloads(&topic) == expected, "QoS {qos}");
        let counters = site.daemon.counters("cloud");
        assert_eq!((counters.reconnects, counters.dropped), (0, 0), "QoS {qos}");
    }
}

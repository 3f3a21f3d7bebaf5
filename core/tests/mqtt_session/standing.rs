//! What does a session say of itself: online or not, since when, and did the broker go on with it?

use mqtt_client_core::config::{Device, Version};
use mqtt_client_core::health::Session::{New, Offline, Resumed, Unknown};
use mqtt_client_core::mqtt::Level;
use mqtt_client_core::mqtt::QoS::{AtLeastOnce, AtMostOnce};
use mqtt_client_core::net::protocol::ClosedBy;

use super::{Client, Memory, WELCOME, WELCOME_BACK, at, device};

#[test]
fn connack_says_whether_a_session_is_new_and_version_3_1_does_not() {
    for (qos, version, connack, standing) in [
        (AtMostOnce, Version::Auto, WELCOME, New),
        (AtLeastOnce, Version::Auto, WELCOME, New),
        (AtLeastOnce, Version::Auto, WELCOME_BACK, Resumed),
        (AtMostOnce, Version::V3_1, WELCOME, New),
        (AtLeastOnce, Version::V3_1, WELCOME, Unknown),
    ] {
        let device = Device {
            version,
            ..device(qos)
        };
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        assert_eq!(client.session.standing(), Offline);
        assert_eq!(client.opened(0), Ok(()));
        client.says(0);
        assert_eq!(client.hears(0, WELCOME), Ok(()));
        if !client.session.is_online() {
            // With 3.1 what an earlier process may have left is wiped out first.
            assert_eq!(client.session.standing(), Offline);
            let (_, close) = client.says_at_last(0);
            client.closed(0, ClosedBy::Us(close));
            client.online(0, WELCOME);
        }
        assert_ne!(client.session.standing(), Offline);
        client.closed(1, ClosedBy::Peer);
        assert_eq!(client.session.standing(), Offline);
        client.online(2, connack);
        assert_eq!(client.session.standing(), standing, "{qos:?} {version:?}");
    }
}

#[test]
fn it_is_offline_since_the_last_connection_that_was_accepted_ended() {
    let device = device(AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    assert_eq!(client.session.since(), at(0));
    client.online(1000, WELCOME);
    assert_eq!(client.session.since(), at(1000));
    client.closed(2000, ClosedBy::Peer);
    // Nobody answers.
    for millis in [3000, 5000] {
        assert_eq!(client.opened(millis), Ok(()));
        client.closed(millis + 1000, ClosedBy::Network);
        assert_eq!(client.session.since(), at(2000));
    }
    client.online(8000, WELCOME_BACK);
    assert_eq!(client.session.since(), at(8000));
    assert_eq!(client.session.level(), Level::V3_1_1);
    // At the end.
    client.session.leave();
    let (_, close) = client.says_at_last(9000);
    client.closed(9000, ClosedBy::Us(close));
    assert_eq!(
        (client.session.standing(), client.session.since()),
        (Offline, at(9000))
    );
}

//! What if the channels change?

use mqtt_client_core::config::Redis;
use mqtt_client_core::redis::session::MIN_INPUT;

use super::{Client, Memory, at, confirmation, message};

#[test]
fn a_changed_set_of_channels_is_subscribed_to_over_the_same_connection() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::subscribed(&redis, &mut memory, &["a", "b"]);
    let half = message("a", "1,2");
    assert_eq!(client.hears(1, &half[..9]), Ok(vec![]));
    let state = client.session.suspend().expect("nothing is half written");
    let mut client = Client::resume(&redis, &mut memory, state, &["b", "c"]);
    assert!(!client.session.is_subscribed());
    assert_eq!(client.says(), "SUBSCRIBE b c");
    assert_eq!(
        client.hears(2, &half[9..]),
        Ok(vec!["a 1,2".to_string()]),
        "what was under way is not lost"
    );
    for channel in ["b", "c"] {
        assert_eq!(client.hears(3, &confirmation(channel)), Ok(vec![]));
    }
    assert_eq!(client.says(), "");
    assert!(client.session.is_subscribed());
    // What is no longer ours is left as soon as it shows.
    client.session.unsubscribe(b"a");
    assert_eq!(client.says(), "UNSUBSCRIBE a");
    assert_eq!(
        client.hears(4, b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n"),
        Ok(vec![])
    );
}

#[test]
fn confirmations_of_an_earlier_set_may_still_come() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::new(&redis, &mut memory, &["a"]);
    assert_eq!(client.session.opened(at(0)), Ok(()));
    assert_eq!(client.says(), "SUBSCRIBE a");
    let state = client.session.suspend().expect("SUBSCRIBE is written");
    let mut client = Client::resume(&redis, &mut memory, state, &["b"]);
    assert_eq!(client.says(), "SUBSCRIBE b");
    for channel in ["a", "b"] {
        assert!(!client.session.is_subscribed());
        assert_eq!(client.hears(1, &confirmation(channel)), Ok(vec![]));
        assert_eq!(client.says(), "");
    }
    assert!(client.session.is_subscribed());
}

#[test]
fn a_half_written_command_cannot_be_suspended() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::new(&redis, &mut memory, &["a"]);
    assert_eq!(client.session.opened(at(0)), Ok(()));
    assert!(client.session.output(&client.channels).is_ok());
    client.session.sent(3);
    assert!(client.session.suspend().is_none());
}

#[test]
fn a_flood_on_a_channel_that_is_not_ours_does_not_fill_the_buffer_with_more_than_it_holds() {
    let redis = Redis::default();
    let mut memory = Memory {
        input: vec![0; MIN_INPUT],
        commands: vec![0; 100],
    };
    let mut client = Client::subscribed(&redis, &mut memory, &["a"]);
    for _ in 0..1000 {
        client.session.unsubscribe(b"stray");
    }
    let said = client.says();
    assert!(
        said.split("; ")
            .all(|command| command == "UNSUBSCRIBE stray"),
        "{said}"
    );
    assert_eq!(client.session.expire(client.session.deadline()), Ok(()));
    assert_eq!(client.says(), "PING");
}

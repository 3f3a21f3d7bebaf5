//! What if the channels change?

use mqtt_client_core::config::Redis;
use mqtt_client_core::net::protocol::{ClosedBy, Protocol as _};
use mqtt_client_core::redis::session::{Close, MIN_INPUT, Session};

use super::{Client, Memory, at, confirmation, left, message};

#[test]
fn a_changed_set_of_channels_is_subscribed_to_over_the_same_connection() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::subscribed(&redis, &mut memory, &["a", "b"]);
    let half = message("a", "1,2");
    assert_eq!(client.hears(1, &half[..9]), Ok(vec![]));
    let state = client.session.suspend().expect("nothing is half written");
    let mut client = Client::resume(&redis, &mut memory, state, &["b", "c"], &["a"]);
    assert!(!client.session.is_subscribed());
    assert_eq!(client.says(), "UNSUBSCRIBE a; SUBSCRIBE b; SUBSCRIBE c");
    assert_eq!(
        client.hears(2, &half[9..]),
        Ok(vec!["a 1,2".to_string()]),
        "what was under way is not lost"
    );
    assert_eq!(client.hears(3, &left("a")), Ok(vec![]));
    for channel in ["b", "c"] {
        assert_eq!(client.hears(3, &confirmation(channel)), Ok(vec![]));
    }
    assert_eq!(client.says(), "");
    assert!(client.session.is_subscribed());
    assert_eq!(client.hears(4, &left("a")), Err(Close::Unasked));
}

#[test]
fn however_many_channels_go_all_are_left_as_many_at_a_time_as_the_buffer_holds() {
    let names: Vec<String> = (0..500)
        .map(|number| format!("tag/device/signal{number}/in"))
        .collect();
    let gone: Vec<&str> = names.iter().map(String::as_str).collect();
    for len in [Session::commands_len(&Redis::default()), 1024, 64 * 1024] {
        let redis = Redis::default();
        let mut memory = Memory {
            input: vec![0; MIN_INPUT],
            commands: vec![0; len],
        };
        let client = Client::subscribed(&redis, &mut memory, &[]);
        let state = client.session.suspend().expect("nothing is half written");
        let mut client = Client::resume(&redis, &mut memory, state, &["new"], &gone);
        let said = client.talks(1, &[]).expect("the connection goes on");
        let leaving = gone.iter().map(|name| format!("UNSUBSCRIBE {name}"));
        let wanted = leaving.chain(["SUBSCRIBE new".into()]);
        assert!(said.iter().cloned().eq(wanted), "{len} bytes: {said:?}");
        assert_eq!(client.session.still_to_leave(), [""; 0]);
        assert!(client.session.is_subscribed());
    }
}

#[test]
fn channels_that_a_second_change_finds_unleft_are_known() {
    let redis = Redis::default();
    let mut memory = Memory {
        input: vec![0; MIN_INPUT],
        commands: vec![0; 100],
    };
    let gone = [
        "first channel of some length",
        "second channel of some length",
    ];
    let client = Client::subscribed(&redis, &mut memory, &[]);
    let state = client.session.suspend().expect("nothing is half written");
    let mut client = Client::resume(&redis, &mut memory, state, &[], &gone);
    assert_eq!(client.session.still_to_leave(), gone);
    let bytes = client.session.output(at(0)).expect("room for one");
    let count = bytes.len();
    assert!(count > 0);
    client.session.sent(count, at(0));
    assert_eq!(client.session.still_to_leave(), &gone[1..]);
    let state = client.session.suspend().expect("nothing is half written");
    let mut client = Client::resume(&redis, &mut memory, state, &["new"], &gone[1..]);
    assert_eq!(client.hears(1, &left(gone[0])), Ok(vec![]));
    assert_eq!(
        client.says(),
        format!("UNSUBSCRIBE {}; SUBSCRIBE new", gone[1])
    );
    assert_eq!(client.hears(1, &left(gone[1])), Ok(vec![]));
    assert_eq!(client.hears(1, &confirmation("new")), Ok(vec![]));
    assert_eq!(client.says(), "");
    assert!(client.session.is_subscribed());
}

#[test]
fn a_new_connection_has_nothing_to_leave() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let client = Client::subscribed(&redis, &mut memory, &["a"]);
    let state = client.session.suspend().expect("nothing is half written");
    let mut client = Client::resume(&redis, &mut memory, state, &["b"], &["a"]);
    client.session.closed(&ClosedBy::Network, at(0));
    assert_eq!(client.session.still_to_leave(), [""; 0]);
    assert_eq!(client.session.opened(at(1)), Ok(()));
    assert_eq!(client.says(), "SUBSCRIBE b");
    assert_eq!(client.hears(2, &left("a")), Err(Close::Unasked));
}

#[test]
fn a_channel_that_is_not_ours_is_left_as_soon_as_it_shows() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::subscribed(&redis, &mut memory, &["b"]);
    client.session.unsubscribe(b"a");
    assert_eq!(client.says(), "UNSUBSCRIBE a");
    assert_eq!(client.hears(4, &left("a")), Ok(vec![]));
    assert!(client.session.is_subscribed());
}

#[test]
fn confirmations_of_an_earlier_set_may_still_come() {
    let redis = Redis::default();
    let mut memory = Memory::new();
    let mut client = Client::new(&redis, &mut memory, &["a"]);
    assert_eq!(client.session.opened(at(0)), Ok(()));
    assert_eq!(client.says(), "SUBSCRIBE a");
    let state = client.session.suspend().expect("SUBSCRIBE is written");
    let mut client = Client::resume(&redis, &mut memory, state, &["b"], &["a"]);
    assert_eq!(client.says(), "UNSUBSCRIBE a; SUBSCRIBE b");
    for reply in [confirmation("a"), left("a"), confirmation("b")] {
        assert!(!client.session.is_subscribed());
        assert_eq!(client.hears(1, &reply), Ok(vec![]));
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
    assert!(client.session.output(at(0)).is_ok());
    client.session.sent(3, at(0));
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

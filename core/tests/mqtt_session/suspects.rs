//! What if one message makes the broker close the connection, each time that it is sent?

use mqtt_client_core::mqtt::QoS::{self, AtLeastOnce, AtMostOnce, ExactlyOnce};
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::mqtt::session::Event;
use mqtt_client_core::net::protocol::{ClosedBy, Retry};

use super::{Client, Memory, PINGRESP, WELCOME, WELCOME_BACK, device, puback, pubcomp, pubrec};

const MINUTE: u64 = 60_000;

/// A broker that allows every topic but "bad" and closes for that; and what it was sent.
struct Guard {
    allows_bad: bool,
    taken: Vec<String>,
    connacks: usize,
}

/// How a connection ended, with what the session made of it.
type Ended = Option<Retry>;

impl Guard {
    fn new() -> Self {
        Guard {
            allows_bad: false,
            taken: Vec::new(),
            connacks: 0,
        }
    }

    /// One connection, until there is nothing more to say or it ends. Values that begin with "x" are on the topic "bad".
    fn serve(&mut self, client: &mut Client<'_>, qos: QoS, now: u64) -> Ended {
        assert_eq!(client.opened(now), Ok(()));
        let connect = client.says(now).remove(0);
        let clean = connect.ends_with("clean");
        let connack = if clean || self.connacks == 0 {
            WELCOME
        } else {
            WELCOME_BACK
        };
        self.connacks += 1;
        assert_eq!(client.hears(now, connack), Ok(()));
        self.go_on(client, qos, now)
    }

    fn go_on(&mut self, client: &mut Client<'_>, qos: QoS, now: u64) -> Ended {
        loop {
            let said = match client.drain(now, usize::MAX) {
                Ok(0) => return None,
                Ok(_) => client.packets(),
                Err(close) => {
                    client.packets();
                    return Some(client.closed(now, ClosedBy::Us(close)));
                }
            };
            for packet in said {
                let words: Vec<&str> = packet.split(' ').collect();
                let id = || words[1].trim_end_matches('+').parse::<u8>().expect("an id");
                let answer = match (words[0], qos) {
                    ("PINGREQ", _) => PINGRESP.to_vec(),
                    ("PUBREL", _) => pubcomp(id()).to_vec(),
                    ("PUBLISH", qos) => {
                        let value = words[words.len() - 1];
                        if value.starts_with('x') && !self.allows_bad {
                            return Some(client.closed(now, ClosedBy::Peer));
                        }
                        self.taken.push(value.to_owned());
                        match qos {
                            AtMostOnce => continue,
                            AtLeastOnce => puback(id()).to_vec(),
                            ExactlyOnce => pubrec(id()).to_vec(),
                        }
                    }
                    _ => panic!("{packet}"),
                };
                assert_eq!(client.hears(now, &answer), Ok(()));
            }
        }
    }
}

/// The client that these tests talk of: "b" of five values is on the topic "bad", and so are all that begin with "x".
fn queue(client: &mut Client<'_>, values: &[&str], is_aside: bool) {
    for value in values {
        let is_bad = value.starts_with('x');
        client.queues_for(u32::from(is_bad), is_bad && is_aside, value);
    }
}

#[test]
fn the_topic_of_the_culprit_is_set_aside_and_all_others_flow() {
    for qos in [AtLeastOnce, ExactlyOnce] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        let mut guard = Guard::new();
        queue(&mut client, &["a", "x1", "b", "x2", "c"], false);
        let mut retries = Vec::new();
        for attempt in 0..10 {
            match guard.serve(&mut client, qos, attempt * 1000) {
                Some(retry) => retries.push(retry),
                None => break,
            }
        }
        assert_eq!(
            retries,
            [
                Retry::BackOff,
                Retry::BackOff,
                // From here on one message goes at a time.
                Retry::Displaced,
                Retry::Displaced,
                Retry::StartOver
            ],
            "{qos:?}"
        );
        assert!(matches!(
            client.session.poll_event(),
            Some(Event::SetAside(1))
        ));
        guard.taken.sort();
        assert_eq!(guard.taken, ["a", "b", "c"], "{qos:?}");
        let counters = client.counters();
        assert_eq!((counters.queued, counters.sent), (2, 3), "{qos:?}");
        assert_eq!(counters.acknowledged, 3, "{qos:?}");
        // What comes later on that topic waits too, and holds nobody up.
        queue(&mut client, &["d", "x3", "e", "f", "x4", "g"], true);
        assert_eq!(guard.go_on(&mut client, qos, 6000), None);
        assert_eq!(guard.taken[3..], ["d", "e", "f", "g"], "{qos:?}");
        assert_eq!(client.counters().queued, 4, "{qos:?}");
    }
}

#[test]
fn a_culprit_behind_an_unanswered_pubrel_is_found() {
    let device = device(ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    queue(&mut client, &["a", "x1", "b"], false);
    // Each time PUBREC for the first message comes just before the broker closes for the second, and PUBCOMP comes too late.
    for (attempt, retry) in [(0, Retry::BackOff), (1, Retry::BackOff), (2, Retry::AtOnce)] {
        let now = attempt * 1000;
        client.online(now, WELCOME);
        client.says(now);
        assert_eq!(client.hears(now, &pubrec(1)), Ok(()));
        client.says(now);
        assert_eq!(client.closed(now, ClosedBy::Peer), retry, "at {now}");
    }
    let mut guard = Guard::new();
    let mut retries = Vec::new();
    for attempt in 3..10 {
        match guard.serve(&mut client, ExactlyOnce, attempt * 1000) {
            Some(retry) => retries.push(retry),
            None => break,
        }
    }
    assert_eq!(retries, [Retry::Displaced, Retry::StartOver]);
    let mut is_told = false;
    while let Some(event) = client.session.poll_event() {
        is_told |= event == Event::SetAside(1);
    }
    assert!(is_told);
    assert_eq!(guard.taken, ["a", "b"]);
}

#[test]
fn what_was_set_aside_is_tried_again_after_ten_minutes_in_a_new_session() {
    for qos in [AtLeastOnce, ExactlyOnce] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        let mut guard = Guard::new();
        queue(&mut client, &["x1", "a", "x2"], false);
        let mut now = 0;
        while guard.serve(&mut client, qos, now).is_some() {
            now += 1000;
        }
        assert!(matches!(
            client.session.poll_event(),
            Some(Event::SetAside(1))
        ));
        assert_eq!(guard.taken, ["a"]);
        let due = now - 1000 + 10 * MINUTE;
        // Once more in vain: two connections, and it is set aside again.
        for is_allowed in [false, true] {
            guard.allows_bad = is_allowed;
            let due = if is_allowed {
                due + 2000 + 10 * MINUTE
            } else {
                due
            };
            queue(&mut client, &["b"], true);
            assert_eq!(guard.go_on(&mut client, qos, due - 1), None);
            assert!(client.deadline() <= due, "{} of {due}", client.deadline());
            let wiped = guard.go_on(&mut client, qos, due);
            assert_eq!(wiped, Some(Retry::AtOnce), "{qos:?}: the session ends");
            assert!(matches!(
                client.session.poll_event(),
                Some(Event::TakenBack)
            ));
            let wiped = guard.serve(&mut client, qos, due);
            assert_eq!(wiped, Some(Retry::AtOnce), "{qos:?}: and is wiped out");
            let mut ends = Vec::new();
            for attempt in 1..10 {
                match guard.serve(&mut client, qos, due + attempt * 1000) {
                    Some(retry) => ends.push(retry),
                    None => break,
                }
            }
            if is_allowed {
                assert!(ends.is_empty(), "{qos:?}: {ends:?}");
            } else {
                assert_eq!(ends, [Retry::BackOff, Retry::StartOver], "{qos:?}");
                assert!(matches!(
                    client.session.poll_event(),
                    Some(Event::SetAside(1))
                ));
            }
        }
        assert_eq!(
            guard.taken,
            ["a", "b", "b", "x1", "x2"],
            "{qos:?}: in order"
        );
        assert_eq!(client.counters().queued, 0);
        assert_eq!(client.counters().acknowledged, 5);
    }
}

#[test]
fn at_qos_0_pingresp_shows_what_the_broker_took() {
    let device = device(AtMostOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    let mut guard = Guard::new();
    // Nothing acknowledges a message of QoS 0: one is lost with each connection, until its topic is known.
    let mut is_known = false;
    for attempt in 0..10 {
        let bad = format!("x{attempt}");
        let good = format!("a{attempt}");
        queue(&mut client, &[&bad, &good], is_known);
        guard.serve(&mut client, AtMostOnce, attempt * 1000);
        while let Some(event) = client.session.poll_event() {
            is_known |= event == Event::SetAside(1);
        }
    }
    assert!(is_known, "{:?}", guard.taken);
    // The first connections lost what was written behind the culprit.
    let taken = guard.taken.len();
    assert!(taken >= 5, "{:?}", guard.taken);
    queue(&mut client, &["x", "b"], true);
    assert_eq!(guard.go_on(&mut client, AtMostOnce, 10_000), None);
    assert_eq!(guard.taken[taken..], ["b"]);
}

#[test]
fn a_client_that_is_displaced_suspects_no_topic() {
    let device = device(AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    let mut guard = Guard::new();
    for attempt in 0..20 {
        let now = attempt * 1000;
        queue(&mut client, &["a", "b"], false);
        assert_eq!(guard.serve(&mut client, AtLeastOnce, now), None);
        // Another client of the same name comes.
        client.closed(now + 500, ClosedBy::Peer);
        assert_eq!(client.session.poll_event(), None);
    }
    assert_eq!(guard.taken.len(), 40);
}

#[test]
fn a_broker_that_closes_before_any_message_makes_none_suspect() {
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        queue(&mut client, &["a"], false);
        let mut given = 0;
        for attempt in 0..20 {
            let now = attempt * 1000;
            assert_eq!(client.opened(now), Ok(()));
            client.says(now);
            // The broker lets it in, closes, and hears only then what comes.
            let is_new = attempt == 0 || qos == AtMostOnce;
            let connack = if is_new { WELCOME } else { WELCOME_BACK };
            assert_eq!(client.hears(now, connack), Ok(()));
            let said = client.says(now);
            given += usize::from(said.iter().any(|packet| packet.starts_with("PUBLISH")));
            assert_ne!(client.closed(now, ClosedBy::Peer), Retry::StartOver);
            assert_eq!(
                client
                    .session
                    .poll_event()
                    .filter(|event| *event != Event::ValuesLost),
                None
            );
        }
        assert!(given >= 1, "{qos:?}");
    }
}

#[test]
fn what_is_set_aside_does_not_hold_up_the_end() {
    let device = device(AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    let mut guard = Guard::new();
    queue(&mut client, &["x1", "a"], false);
    let mut now = 0;
    while guard.serve(&mut client, AtLeastOnce, now).is_some() {
        now += 1000;
    }
    client.session.stop();
    let (said, close) = client.says_at_last(now);
    assert_eq!((said, close), (vec!["DISCONNECT".into()], Close::Finished));
}

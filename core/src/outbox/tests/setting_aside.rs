//! What becomes of messages whose topic is set aside, and of all others?

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::pair::Random;
use super::*;

/// Queues a sample for each letter, as [`put`] does: capital letters are signals of a topic of their own, which is set aside or not.
fn put_both(sender: &mut Sender<'_>, letters: &str, is_aside: bool) -> String {
    let mut dropped = String::new();
    for letter in letters.bytes() {
        let text = [letter, b',', b'1', b'2'];
        let sample = Sample::of_text(&text, Quality::Good).expect("a comma");
        let is_aside = is_capital(u32::from(letter)) && is_aside;
        let lost = sender.queue(u32::from(letter), is_aside, &sample);
        dropped.extend(
            lost.expect("room")
                .iter()
                .map(|signal| *signal as u8 as char),
        );
    }
    dropped
}

fn is_capital(signal: u32) -> bool {
    (signal as u8).is_ascii_uppercase()
}

/// What goes out from now on, where what is set aside lets others pass.
fn passed_and_sent(sender: &mut Sender<'_>) -> (usize, String) {
    let passed = sender.outbox.pass_aside();
    (passed, sent(sender, ALL))
}

/// An outbox whose oldest message, "A", was sent and is suspected, behind a new connection.
fn suspected(sender: &mut Sender<'_>, letters: &str) {
    put_both(sender, letters, false);
    sent(sender, 2);
    assert_eq!(sender.outbox.unanswered(), Some(Stage::Published));
}

#[test]
fn all_others_pass_what_is_set_aside_and_it_comes_back_in_its_order() {
    for qos in [AtLeastOnce, ExactlyOnce] {
        let mut store = Store::of(300);
        let mut sender = store.outbox(qos);
        suspected(&mut sender, "AaBb");
        assert_eq!(sender.set_aside(is_capital), 1, "A had been sent");
        sender.start_over();
        assert_eq!(load(&sender), (3, 1));
        // B is between others: it waits for those before it.
        assert_eq!(passed_and_sent(&mut sender), (0, "a2+".into()));
        let ack = if qos == AtLeastOnce {
            Reply::Accepted
        } else {
            sender
                .acknowledge(Reply::Received, 2, 0)
                .expect("in flight");
            Reply::Completed
        };
        sender.acknowledge(ack, 2, 0).expect("in flight");
        assert_eq!(passed_and_sent(&mut sender), (0, "b4".into()));
        assert_eq!((load(&sender), sender.outbox.count_aside()), ((2, 1), 2));
        put_both(&mut sender, "C", true);
        let order: Vec<_> = sender
            .unconfirmed()
            .iter()
            .map(|(signal, _)| *signal as u8 as char)
            .collect();
        assert_eq!(order, ['A', 'B', 'b', 'C'], "{qos:?}");
        // Nothing comes back while something is in flight.
        sender.outbox.take_back();
        assert_eq!(sender.outbox.count_aside(), 2);
        if qos == ExactlyOnce {
            sender
                .acknowledge(Reply::Received, 4, 0)
                .expect("in flight");
        }
        sender.acknowledge(ack, 4, 0).expect("in flight");
        assert_eq!(passed_and_sent(&mut sender), (0, String::new()));
        sender.outbox.take_back();
        sender.start_over();
        assert_eq!(passed_and_sent(&mut sender), (0, "A6 B7 C8".into()));
    }
}

#[test]
fn what_is_set_aside_is_dropped_first_when_there_is_no_room() {
    let mut store = Store::of(5 * RECORD);
    let mut sender = store.outbox(AtLeastOnce);
    suspected(&mut sender, "ABCde");
    sender.set_aside(is_capital);
    sender.start_over();
    assert_eq!(passed_and_sent(&mut sender).1, "d4 e5");
    sender
        .acknowledge(Reply::Accepted, 4, 0)
        .expect("in flight");
    // The gap that "d" has left is room.
    assert_eq!(put_both(&mut sender, "f", false), "");
    assert_eq!(put_both(&mut sender, "ghi", false), "ABC");
    assert_eq!(put_both(&mut sender, "j", false), "f");
    assert_eq!(passed_and_sent(&mut sender).1, "g6 h7 i8 j9");
}

#[test]
fn one_by_one_means_that_each_waits_for_the_one_before_it() {
    let mut store = Store::of(300);
    let mut sender = store.outbox(ExactlyOnce);
    put(&mut sender, "abc").expect("room");
    assert_eq!(sent(&mut sender, 2), "a1 b2");
    sender
        .acknowledge(Reply::Received, 2, 0)
        .expect("in flight");
    sender.start_over();
    sender.outbox.send_one_by_one(true);
    assert_eq!(sent(&mut sender, ALL), "a1+");
    sender
        .acknowledge(Reply::Received, 1, 0)
        .expect("in flight");
    assert_eq!(sent(&mut sender, ALL), "");
    sender
        .acknowledge(Reply::Completed, 1, 0)
        .expect("in flight");
    assert_eq!(sent(&mut sender, ALL), "rel2");
    sender
        .acknowledge(Reply::Completed, 2, 0)
        .expect("in flight");
    assert_eq!(sent(&mut sender, ALL), "c3");
    let mut sender = store.outbox(AtMostOnce);
    put(&mut sender, "abc").expect("room");
    sender.outbox.send_one_by_one(true);
    assert_eq!(sent(&mut sender, ALL), "a");
    sender.outbox.complete_oldest();
    assert_eq!(sent(&mut sender, ALL), "b");
    // At most once: a new connection does not repeat it.
    sender.start_over();
    sender.outbox.send_one_by_one(false);
    assert_eq!(sent(&mut sender, ALL), "c");
}

#[test]
fn the_wait_of_each_message_is_told_across_the_end_of_the_ticks() {
    let mut store = Store::of(300);
    let mut sender = store.outbox(AtLeastOnce);
    put(&mut sender, "ab").expect("room");
    let len = sender.unsent(1).len();
    sender.written(len, 250);
    let len = sender.unsent(2).len();
    sender.written(len, 4);
    let waiting = |tick, sender: &Sender<'_>| {
        let waiting = sender.outbox.waiting(tick, 64);
        (waiting.longest, waiting.is_overtaken)
    };
    assert_eq!(waiting(60, &sender), (66, false), "in order");
    sender
        .acknowledge(Reply::Accepted, 2, 5)
        .expect("in flight");
    assert_eq!(waiting(57, &sender), (63, false), "not long enough");
    assert_eq!(waiting(59, &sender), (65, true));
    // A new connection begins the wait anew, once it has been given the message.
    sender.start_over();
    assert_eq!(waiting(59, &sender), (0, false));
}

/// Samples of some topics go through an outbox that sets topics aside and takes them back, while every step is drawn: each is sent in its
/// topic's order, dropped and told, or waits; and nothing is sent whose topic is set aside. Now and then signals are gone, or have moved. How many
/// passed, were dropped and taken back; how often a session began anew, and how many waited for a signal that was gone.
fn live(seed: u64, qos: QoS, bytes: usize) -> [usize; 5] {
    let mut random = Random::new(seed);
    let mut store = Store::of(bytes);
    let (mut state, mut line) = (State::empty(65_500), sender::Line::default());
    // The topic of a signal, which each sample has of its own, is its last digit.
    let topic_of = |signal: u32| signal % 4;
    let mut waiting: BTreeMap<u32, VecDeque<u32>> = BTreeMap::new();
    let mut aside = BTreeSet::new();
    let mut next = 0;
    let (mut passed, mut lost, mut taken_back) = (0, 0, 0);
    let (mut begun_anew, mut gone_waiting) = (0, 0);
    let signal_moves = |signal: u32| signal % 32 == 5;
    for step in 0..2000 {
        let mut sender = store.resume(qos, state);
        sender.line = line;
        let context = format!("seed {seed}, {qos:?}, {bytes} bytes, step {step}");
        match random.below(20) {
            0..12 => {
                next += 1 + random.below(4) as u32;
                let topic = topic_of(next);
                let filler = "0".repeat(random.below(20) as usize);
                let text = format!("{next},{filler}");
                let sample = Sample::of_text(text.as_bytes(), Quality::Good).expect("a comma");
                if let Ok(dropped) = sender.queue(next, aside.contains(&topic), &sample) {
                    waiting.entry(topic).or_default().push_back(next);
                    lost += dropped.len();
                    for queue in waiting.values_mut() {
                        queue.retain(|number| !dropped.contains(number));
                    }
                }
            }
            12..16 => {
                sender.outbox.pass_aside();
                // Mostly sent at once, and acknowledged at once.
                let mut whole = Vec::new();
                while let Some(id) = sender.outbox.pubrel_to_repeat() {
                    sender.outbox.pubrel_repeated(0);
                    whole.push((id, None));
                }
                let offered = sender.unsent(3).len() as u64;
                let count = match random.below(3) {
                    0 => random.below(1 + offered),
                    _ => offered,
                } as usize;
                for packet in sender.written(count, 0).1 {
                    let text = String::from_utf8_lossy(&packet[4..]);
                    let number = text.split(',').next().expect("a number");
                    let number: u32 = number.parse().expect("a number");
                    assert!(!aside.contains(&topic_of(number)), "{context}: {number}");
                    let id = u16::from_be_bytes([packet[1], packet[2]]);
                    whole.push((id, Some(number)));
                }
                for (id, message) in whole {
                    if let Some(number) = message {
                        let queue = waiting.get_mut(&topic_of(number)).expect("the topic");
                        if let Some(place) = queue.iter().position(|waits| *waits == number) {
                            assert_eq!(place, 0, "{context}: {number} overtakes");
                            queue.pop_front();
                            passed += 1;
                        } else {
                            assert_ne!(qos, AtMostOnce, "{context}: {number} again");
                        }
                    }
                    if qos != AtMostOnce && random.below(5) > 0 {
                        let replies: &[Reply] = if qos == AtLeastOnce {
                            &[Reply::Accepted]
                        } else {
                            &[Reply::Received, Reply::Completed]
                        };
                        for reply in replies {
                            // Not of what is released already.
                            let _ = sender.acknowledge(*reply, id, 0);
                        }
                    }
                }
            }
            16 => sender.start_over(),
            17 if sender
                .outbox
                .unanswered()
                .is_some_and(|stage| stage <= Stage::Published) =>
            {
                let oldest = sender.outbox.oldest_signal().expect("it is there");
                let topic = topic_of(oldest);
                if aside.len() < 3 {
                    sender.set_aside(|signal| topic_of(signal) == topic);
                    sender.start_over();
                    aside.insert(topic);
                    // What was sent and not acknowledged waits again: all that is not confirmed, in its order.
                    let unconfirmed = sender.unconfirmed().into_iter();
                    let unconfirmed = unconfirmed.map(|(signal, _)| signal);
                    let unconfirmed = unconfirmed.filter(|signal| topic_of(*signal) == topic);
                    waiting.insert(topic, unconfirmed.collect());
                }
            }
            18 if sender.outbox.in_flight() == 0 => {
                sender.take_back_unsent();
                taken_back += sender.outbox.count_aside();
                sender.outbox.take_back();
                sender.start_over();
                aside.clear();
            }
            _ => {
                let gone = random.below(40) as u32;
                let is_gone = |signal: u32| signal % 40 == gone;
                let before = sender.unconfirmed();
                sender.take_back_unsent();
                let renumbered = sender.outbox.renumber(|number| {
                    let has_moved = signal_moves(number);
                    (!is_gone(number)).then_some(NewSignal { number, has_moved })
                });
                let mut dropped = renumbered.dropped;
                gone_waiting += dropped;
                if renumbered.has_lost_topics {
                    sender.line = sender::Line::default();
                    dropped += sender.outbox.begin_anew().1;
                    begun_anew += 1;
                }
                // What is received goes again in a new session; all else stays, in its order, but for what is gone.
                let after = sender.unconfirmed();
                let was_there = after.iter().filter(|sample| before.contains(sample));
                let stays = before.iter().filter(|(signal, _)| !is_gone(*signal));
                assert!(was_there.eq(stays), "{context}");
                assert!(
                    renumbered.has_lost_topics || after.len() + dropped == before.len(),
                    "{context}: {dropped} dropped"
                );
                lost += dropped;
                if renumbered.has_lost_topics {
                    waiting.clear();
                    for (signal, _) in after {
                        waiting
                            .entry(topic_of(signal))
                            .or_default()
                            .push_back(signal);
                    }
                } else {
                    for queue in waiting.values_mut() {
                        queue.retain(|signal| !is_gone(*signal));
                    }
                }
            }
        }
        let mut there = BTreeSet::new();
        for (signal, text) in sender.unconfirmed() {
            assert!(text.starts_with(&format!("{signal},")), "{context}");
            assert!(there.insert(signal), "{context}: {signal} twice");
        }
        for number in waiting.values().flatten() {
            assert!(there.contains(number), "{context}: {number} is lost");
        }
        (state, line) = sender.suspend();
    }
    [passed, lost, taken_back, begun_anew, gone_waiting]
}

#[test]
fn no_message_is_lost_twice_or_out_of_order_whatever_is_set_aside() {
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        let mut all = [0; 5];
        for seed in 1..=12 {
            let counts = live(seed, qos, 60 + 40 * seed as usize);
            for (sum, count) in all.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        // Nothing is ever suspected at QoS 0 here: that is for the session's tests.
        let least = if qos == AtMostOnce { 0 } else { 300 };
        let [passed, lost, taken_back, begun_anew, gone] = all;
        assert!(
            passed > 3000 && lost > 150 && taken_back >= least && begun_anew > 10 && gone > 300,
            "{qos:?}: {passed} passed, {lost} lost, {taken_back} taken back, {begun_anew} begun anew, {gone} gone"
        );
    }
}

#[test]
fn what_is_queued_as_set_aside_goes_out_once_nothing_is_set_aside_any_more() {
    let mut store = Store::of(300);
    let mut sender = store.outbox(AtLeastOnce);
    suspected(&mut sender, "A");
    sender.set_aside(is_capital);
    sender.outbox.take_back();
    sender.start_over();
    // Whoever queues has not been told yet.
    put_both(&mut sender, "B", true);
    assert_eq!(passed_and_sent(&mut sender), (0, "A2 B3".into()));
}

#[test]
fn one_that_went_alone_at_qos_0_is_not_sent_again_when_others_follow_it() {
    let mut store = Store::of(300);
    store.handshakes.truncate(in_flight_at_most(AtMostOnce, 10));
    let mut sender = store.outbox(AtMostOnce);
    put(&mut sender, "ab").expect("room");
    sender.outbox.send_one_by_one(true);
    assert_eq!(sent(&mut sender, ALL), "a");
    sender.outbox.send_one_by_one(false);
    take(&mut sender, 3, &mut Vec::new());
    sender.start_over();
    assert_eq!(load(&sender), (1, 0));
    assert_eq!(sent(&mut sender, ALL), "b");
}

//! What outlives a reset? Of the image with a spool, in the middle of whatever it is doing: all that it had taken in for longer than its flush interval.

use std::collections::HashSet;

use mqtt_client_tests::board::Board;
use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::{Mosquitto, Redis, SUBSCRIBER_MAY_LAG};
use mqtt_client_tests::subscriber;
use serde_json::json;

/// Seconds after which a sample is in flash: the flush interval, and some for the turn and the writing.
const PROMISED_AFTER: f64 = 1.0 + 1.0;

/// Outages, and resets in each: enough to go around the region of flash.
const OUTAGES: u32 = 3;
const RESETS: u32 = 4;

/// Until it is as far as it gets without a broker, or with one.
fn wait_for_start(board: &Board, mark: usize, status: &str) {
    board.log().wait_for_after(mark, &["status:", status]);
}

/// What was published, and what of it has to arrive.
#[derive(Default)]
struct Book {
    next: u64,
    promised: HashSet<u64>,
}

/// One life of the board without a broker, which a reset ends in the middle of a burst.
fn live(board: &mut Board, redis: &Redis, book: &mut Book, random: &mut fastrand::Rng) {
    let publish = |book: &mut Book, count: u64| {
        let samples = book.next..book.next + count;
        redis.publish_all(&channel("p"), samples.map(|n| format!("{n},1000,")));
        book.next += count;
    };
    let first = book.next;
    // What it has found counts as received too.
    let (start, found) = board.received("cloud");
    let mut seen = Vec::new();
    publish(book, 300);
    loop {
        publish(book, 1);
        let (now, received) = board.received("cloud");
        seen.push((now, received - found));
        if now > start + PROMISED_AFTER + 0.5 {
            break;
        }
    }
    let (now, _) = board.received("cloud");
    let is_promised = |(time, _): &&(f64, u64)| *time + PROMISED_AFTER < now;
    let promised = seen.iter().filter(is_promised).map(|(_, count)| *count);
    let count = promised.max().expect("it lived for long enough");
    book.promised.extend(first..first + count);
    publish(book, 2000);
    board.reset_after(random.u32(0..2500));
}

#[test]
fn everything_promised_arrives_after_resets_in_the_middle_of_writes() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let lines = [
        "allow_anonymous true",
        "persistence true",
        SUBSCRIBER_MAY_LAG,
    ];
    let (redis, mut broker) = (Redis::start(), Mosquitto::start_with(&lines));
    let subscriber = subscriber::to(broker.port()).lasting().connect();
    let config = cloud()
        .with("mqtt_qos", 1)
        .with("spool_size", 7 * 16 * 1024)
        .top("spool", json!({ "flush_interval": 1 }))
        .signal("p")
        .with_ports(redis.port(), broker.port());
    let mut board = Board::start_with_spool(&config);
    let mut book = Book::default();
    let mut mark = 0;
    for _ in 0..OUTAGES {
        broker.stop();
        for _ in 0..RESETS {
            wait_for_start(&board, mark, "NoBroker");
            mark = board.log().mark();
            live(&mut board, &redis, &mut book, &mut random);
        }
        broker.start_again();
        wait_for_start(&board, mark, "Online");
        // And once in the middle of what comes back; not in the second of its start, in which it would take the same local ports again.
        while board.received("cloud").0 < 1.0 {}
        mark = board.log().mark();
        board.reset_after(random.u32(0..300));
        wait_for_start(&board, mark, "Online");
        mark = board.log().mark();
        board.wait_for_counters("cloud", |now| now.acknowledged == now.received);
    }
    subscriber.publish("tag/cloud/p/in", "the end");
    subscriber.wait_for("tag/cloud/p/in", "the end");
    let mut seen = HashSet::new();
    let mut last = None;
    for payload in subscriber.payloads("tag/cloud/p/in") {
        let Some(sample) = payload.strip_suffix(",1000,1") else {
            continue;
        };
        let sample: u64 = sample.parse().expect("a number that was published");
        if seen.insert(sample) {
            assert!(Some(sample) > last, "{sample} comes after {last:?}");
            last = Some(sample);
        }
    }
    let missing: Vec<_> = book.promised.difference(&seen).collect();
    let log = board.log();
    let torn = log.with(&["the end of the spool is torn"]).len();
    println!(
        "{} samples, {} of them promised, {} arrived; {torn} ends were torn",
        book.next,
        book.promised.len(),
        seen.len()
    );
    let range = (missing.iter().min(), missing.iter().max());
    assert_eq!(missing.len(), 0, "{range:?}");
    for words in [
        &["is not used"][..],
        &["damaged"],
        &["is full"],
        &["fault at"],
    ] {
        assert_eq!(log.with(words), Vec::<String>::new());
    }
    let (used, size) = board.stack();
    assert!(used <= size / 4 * 3, "{used} of {size} bytes of the stack");
    assert_eq!(board.stop().code, 0);
}

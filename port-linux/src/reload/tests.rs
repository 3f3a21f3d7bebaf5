//! A reload while a sample is half written, over real sockets.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use mqtt_client_core::bridge::{Bridge, Feed};
use mqtt_client_core::index::Index;
use mqtt_client_core::routes::Routes;
use mqtt_client_core::sample::Sample;
use rustix::net::sockopt;

use super::*;
use crate::configuration::{Most, Tables, complain, transports};
use crate::poller::{Events, Poller};
use crate::testing::LIMIT;

/// Bytes of the topic, and of `value,timestamp`.
const TOPIC: usize = 200;
const TEXT: usize = 98;

/// Bytes of one message's packet: PUBLISH at QoS 0.
const PACKET: usize = 3 + 2 + TOPIC + TEXT + 2;

/// More than the sockets of both sides hold, and a buffer for that.
const SAMPLES: usize = (8 << 20) / PACKET;
const BUFFER: usize = 16 << 20;

/// One device at QoS 0; nobody is where Redis should be.
fn table(port: u16, retain: u8) -> String {
    format!(
        r#"{{
            "redis": {{"socket": "/nowhere"}},
            "devices": [{{"name": "Cloud", "device_alias": "cloud", "enable": 1, "protocol": "MQTT", "ip": "127.0.0.1",
                          "port": {port}, "auth": "none", "mqtt_retain": {retain}, "buffer_size": {BUFFER}}}],
            "signals": [{{"signal_name": "P", "device_alias": "cloud", "signal_alias": "p",
                          "source_device_alias": "s", "source_signal_alias": "s", "topic": "{topic}"}}]
        }}"#,
        topic = "t".repeat(TOPIC)
    )
}

#[test]
fn at_qos_0_a_sample_whose_rest_is_written_while_its_device_is_left_goes_once() {
    let path = Path::new("table.json");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    sockopt::set_socket_recv_buffer_size(&listener, 256 << 10).unwrap();
    let [old_text, new_text] = [0, 1].map(|retain| {
        let port = listener.local_addr().unwrap().port();
        table(port, retain).into_bytes()
    });
    let mut tables = [&old_text, &new_text].map(|text| Tables::for_text(text));
    let [old_tables, new_tables] = &mut tables;
    let old = old_tables
        .parse(path, &old_text, complain, Most::ALL)
        .unwrap();
    let new = new_tables
        .parse(path, &new_text, complain, Most::ALL)
        .unwrap();

    let poller = Arc::new(Poller::new().unwrap());
    let (mut slots, mut last) = (vec![0; Index::slots_for(1)], [LastSample::NOTHING]);
    let routes = Routes::new(&old, &mut slots, &mut last).unwrap();
    let mut memory = FeedBuffers::new(&old);
    let redis = Stack::new(poller.clone(), 1, Transport::Unix("/nowhere".into()));
    let feed = Feed::new(&old, 0, memory.storage().unwrap(), redis);
    let mut memory = BrokerBuffers::new(&old.devices[0]);
    let stack = Stack::new(poller.clone(), 2, Transport::Tcp);
    let mut broker = Broker::new(
        &old,
        &old.devices[0],
        0,
        0,
        memory.storage().unwrap(),
        stack,
    );
    let text = format!("{},1", "1".repeat(TEXT - 2));
    let sample = Sample::of_text(text.as_bytes(), Quality::Good).unwrap();
    for _ in 0..SAMPLES {
        assert!(broker.session_mut().queue(0, false, &sample));
    }
    broker.resume_counters(Counters {
        received: SAMPLES as u64,
        ..Counters::default()
    });
    let mut brokers = vec![broker];
    let mut bridge = Bridge::new(&old, routes, feed, &mut brokers);

    // Until the sockets take no more. The bridge's clock stands still.
    let now = Instant::from_millis(0);
    let mut events = Events::new();
    let _ = bridge.poll(now, &mut ());
    let mut peer = listener.accept().unwrap().0;
    peer.set_read_timeout(Some(LIMIT)).unwrap();
    peer.write_all(b"\x20\x02\x00\x00").unwrap();
    while !bridge.brokers()[0].session().is_online() {
        poller.wait(&mut events, Some(LIMIT)).unwrap();
        events
            .iter()
            .for_each(|event| bridge.brokers()[0].net().ready(event));
        let _ = bridge.poll(now, &mut ());
    }
    while bridge.poll(now, &mut ()) == now {}
    let counters = bridge.brokers()[0].counters();
    assert!(counters.queued > 0, "the sockets took everything");
    drop(bridge);

    // CONNECT and all that is whole is read, so that there is room when the reload comes.
    let mut head = [0; 2];
    peer.read_exact(&mut head).unwrap();
    let mut read = vec![0; usize::from(head[1]) + counters.sent as usize * PACKET];
    peer.read_exact(&mut read).unwrap();
    let mut is_writable = false;
    while !is_writable {
        poller.wait(&mut events, Some(LIMIT)).unwrap();
        assert!(events.iter().count() > 0, "no event tells of the room");
        for event in events.iter() {
            brokers[0].net().ready(event);
            is_writable |= event.key == 2 && event.writable;
        }
    }

    let new_transports = transports(path, new.devices, complain).unwrap();
    let plan = Plan::new(&old, &new, new_transports, &brokers, &[]);
    let remains = plan.take_apart(brokers, now, &mut ());
    let [Some(Remains::Samples(inheritance))] = &remains[..] else {
        panic!("the device has changed");
    };
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"\xe0\x00"), "DISCONNECT");
    let written = counters.sent as usize + rest.len() / PACKET;
    assert_eq!(written + inheritance.samples.len(), SAMPLES);
    assert_eq!(inheritance.counters.sent, written as u64);
}

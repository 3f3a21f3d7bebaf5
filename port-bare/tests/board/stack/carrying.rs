//! Does every byte arrive, once and in order?

use std::cell::RefCell;

use embedded_nal::{TcpClientStack, nb};
use mqtt_client_bare::stack::Error;

use super::lab::{BUFFER, Lab, PORT};
use crate::common::cable::Faults;

/// Bytes in each direction: many times the buffers.
const LENGTH: usize = 40_000;

#[test]
fn every_byte_arrives_once_and_in_order_over_a_bad_cable() {
    let bad = |lost, doubled, garbled, late| Faults {
        lost,
        doubled,
        garbled,
        late,
        ..Faults::default()
    };
    for (name, faults) in [
        ("a good one", bad(0, 0, 0, 0)),
        ("one that loses", bad(10, 0, 0, 0)),
        ("one that doubles", bad(0, 30, 0, 0)),
        ("one that garbles", bad(0, 0, 10, 0)),
        ("one that mixes up", bad(0, 0, 0, 20)),
        ("one that does it all", bad(5, 10, 5, 10)),
    ] {
        for seed in 1..=5 {
            eprintln!("{name}, seed {seed}");
            let mut lab = Lab::with_seed(seed);
            let mut socket = lab.connected();
            lab.cable.borrow_mut().set_faults(faults);
            let message: Vec<u8> = (0..LENGTH)
                .map(|byte| (byte * 7 + byte / 256) as u8)
                .collect();
            let (mut up, mut down) = (0, 0);
            let (mut heard, mut host_heard) = (Vec::new(), Vec::new());
            // Whole minutes of lost segments and their repetition.
            lab.until(3_600_000, |host, [client, _]| {
                up += done(client.send(&mut socket, &message[up..]));
                let mut buffer = [0; 4096];
                let count = done(client.receive(&mut socket, &mut buffer));
                heard.extend_from_slice(&buffer[..count]);
                let peer = host.socket(PORT);
                down += peer.send_slice(&message[down..]).expect("open");
                let count = peer.recv_slice(&mut buffer).expect("open");
                host_heard.extend_from_slice(&buffer[..count]);
                (heard.len() == LENGTH && host_heard.len() == LENGTH).then_some(())
            });
            assert!(
                heard == message && host_heard == message,
                "{name}, seed {seed}"
            );
        }
    }
}

#[test]
fn a_full_window_stops_the_writer_until_the_peer_reads() {
    let mut lab = Lab::new();
    let mut socket = lab.connected();
    let mut written = 0;
    for _ in 0..20 {
        while let Ok(count) = lab.clients[0].send(&mut socket, &[1; 700]) {
            written += count;
        }
        lab.pass(1000);
    }
    assert_eq!(written, 4096 + BUFFER, "the peer's buffer and ours");
    lab.host.socket(PORT).recv_slice(&mut [0; 4096]).unwrap();
    // The peer says that its window is open again.
    let more = lab.until(100, |_, [client, _]| {
        match client.send(&mut socket, &[1; 700]) {
            Ok(count) => Some(count),
            Err(nb::Error::WouldBlock) => None,
            Err(error) => panic!("{error:?}"),
        }
    });
    assert_eq!(more, 700);
}

#[test]
fn a_window_that_opens_unheard_is_found_open() {
    let mut lab = Lab::new();
    let mut socket = lab.connected();
    for _ in 0..20 {
        while lab.clients[0].send(&mut socket, &[1; 700]).is_ok() {}
        lab.pass(100);
    }
    // The peer's word is lost; the board has to ask by itself.
    lab.cable.borrow_mut().set_filter(|_| true);
    lab.host.socket(PORT).recv_slice(&mut [0; 4096]).unwrap();
    lab.pass(20);
    lab.cable.borrow_mut().clear_filter();
    lab.until(60_000, |_, [client, _]| {
        client.send(&mut socket, &[1; 700]).ok()
    });
}

#[test]
fn an_empty_buffer_asks_for_nothing() {
    let mut lab = Lab::new();
    let mut socket = lab.connected();
    let [client, _] = &mut lab.clients;
    assert_eq!(client.receive(&mut socket, &mut []), Ok(0));
    assert_eq!(client.send(&mut socket, &[]), Ok(0));
    assert_eq!(
        client.receive(&mut socket, &mut [0; 8]),
        Err(nb::Error::WouldBlock)
    );
}

#[test]
fn two_links_carry_side_by_side() {
    let mut lab = Lab::new();
    lab.host.listen(PORT);
    lab.host.listen(PORT + 1);
    let sockets = RefCell::new(
        lab.clients
            .each_mut()
            .map(|client| client.socket().unwrap()),
    );
    let mut connected = [false; 2];
    lab.until(1000, |_, clients| {
        let mut sockets = sockets.borrow_mut();
        for (number, client) in clients.iter_mut().enumerate() {
            let remote = (crate::common::host::HOST, PORT + number as u16).into();
            connected[number] |= client.connect(&mut sockets[number], remote).is_ok();
        }
        (connected == [true; 2]).then_some(())
    });
    for (number, (client, socket)) in lab
        .clients
        .iter_mut()
        .zip(sockets.borrow_mut().iter_mut())
        .enumerate()
    {
        assert_eq!(client.send(socket, &[number as u8; 3]), Ok(3));
    }
    for number in 0..2 {
        let port = PORT + number as u16;
        lab.until(100, |host, _| {
            (host.socket(port).recv_queue() == 3).then_some(())
        });
        let mut heard = [9; 3];
        lab.host.socket(port).recv_slice(&mut heard).unwrap();
        assert_eq!(heard, [number; 3]);
    }
}

/// How much was moved.
fn done(result: nb::Result<usize, Error>) -> usize {
    match result {
        Ok(count) => count,
        Err(nb::Error::WouldBlock) => 0,
        Err(error) => panic!("{error:?}"),
    }
}

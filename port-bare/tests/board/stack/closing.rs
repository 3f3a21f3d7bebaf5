//! Who hears what when a connection ends?

use std::net::SocketAddr;

use embedded_nal::{TcpClientStack, TcpError, TcpErrorKind, nb};
use mqtt_client_bare::stack::{Error, LINGER};
use smoltcp::socket::tcp::State;

use super::lab::{BUFFER, Lab, PORT, settled};
use crate::common::host::HOST;

#[test]
fn what_the_peer_sent_before_it_closed_is_received_before_its_end() {
    let mut lab = Lab::new();
    let mut socket = lab.connected();
    lab.host.socket(PORT).send_slice(b"last words").unwrap();
    lab.host.socket(PORT).close();
    assert_eq!(lab.receive(&mut socket), Ok(b"last words".to_vec()));
    assert_eq!(lab.receive(&mut socket), Err(Error::Closed));
    assert_eq!(
        lab.receive(&mut socket),
        Err(Error::Closed),
        "as often as it is asked"
    );
    assert_eq!(Error::Closed.kind(), TcpErrorKind::PipeClosed);
}

#[test]
fn a_peer_that_has_closed_can_still_be_written_to() {
    let mut lab = Lab::new();
    let mut socket = lab.connected();
    lab.host.socket(PORT).close();
    assert_eq!(lab.receive(&mut socket), Err(Error::Closed));
    assert_eq!(lab.clients[0].send(&mut socket, b"answer"), Ok(6));
    let mut buffer = [0; 16];
    lab.until(100, |host, _| {
        host.socket(PORT)
            .recv_slice(&mut buffer)
            .ok()
            .filter(|count| *count > 0)
    });
    assert_eq!(&buffer[..6], b"answer");
}

#[test]
fn a_reset_is_told_to_whoever_reads_or_writes() {
    let mut lab = Lab::new();
    let mut socket = lab.connected();
    lab.host.socket(PORT).abort();
    assert_eq!(lab.receive(&mut socket), Err(Error::Reset));
    let sent = lab.clients[0].send(&mut socket, b"x");
    assert_eq!(sent, Err(nb::Error::Other(Error::Reset)));
    assert_eq!(Error::Reset.kind(), TcpErrorKind::PipeClosed);
}

#[test]
fn what_was_written_arrives_before_the_end_of_a_closed_connection() {
    let mut lab = Lab::new();
    let mut socket = lab.connected();
    assert_eq!(lab.clients[0].send(&mut socket, b"DISCONNECT"), Ok(10));
    lab.clients[0].close(socket).unwrap();
    let mut buffer = [0; 16];
    lab.until(100, |host, _| {
        (host.socket(PORT).recv_queue() == 10).then_some(())
    });
    assert_eq!(lab.host.socket(PORT).recv_slice(&mut buffer), Ok(10));
    lab.until(100, |host, _| {
        (host.socket(PORT).state() == State::CloseWait).then_some(())
    });
}

#[test]
fn after_a_good_end_the_next_connection_is_made_at_once() {
    let mut lab = Lab::new();
    let socket = lab.connected();
    lab.clients[0].close(socket).unwrap();
    lab.until(100, |host, _| {
        (host.socket(PORT).state() == State::CloseWait).then_some(())
    });
    lab.host.socket(PORT).close();
    let start = lab.now();
    lab.connected();
    assert!(lab.now() - start < 20, "{} ms", lab.now() - start);
}

#[test]
fn a_peer_that_does_not_let_go_is_reset_after_a_while() {
    let mut lab = Lab::new();
    let socket = lab.connected();
    lab.clients[0].close(socket).unwrap();
    // The host has heard the FIN, and does not close its end: it may still have something to say.
    let start = lab.now();
    lab.until(LINGER + 10, |host, _| {
        (host.socket(PORT).state() == State::Closed).then_some(())
    });
    let took = lab.now() - start;
    assert!((LINGER..LINGER + 10).contains(&took), "{took} ms");
}

#[test]
fn a_peer_that_takes_nothing_does_not_keep_the_link_for_long() {
    let mut lab = Lab::new();
    let mut socket = lab.connected();
    let mut written = 0;
    // Until the window and the buffer are full.
    loop {
        match lab.clients[0].send(&mut socket, &[7; 512]) {
            Ok(count) => written += count,
            Err(nb::Error::WouldBlock) if written >= 4096 + BUFFER => break,
            Err(nb::Error::WouldBlock) => lab.pass(10),
            Err(error) => panic!("{error:?}"),
        }
    }
    lab.clients[0].close(socket).unwrap();
    let mut socket = lab.clients[0].socket().expect("the link is free");
    let remote = SocketAddr::from((HOST, PORT));
    let start = lab.now();
    lab.until(LINGER + 10, |host, _| {
        (host.socket(PORT).state() == State::Closed).then_some(())
    });
    lab.host.listen(PORT);
    let result = lab.until(1000, |_, [client, _]| {
        settled(client.connect(&mut socket, remote))
    });
    assert_eq!(result, Ok(()));
    assert!(lab.now() - start < LINGER + 100, "{} ms", lab.now() - start);
}

#[test]
fn a_peer_that_is_gone_does_not_keep_the_link_for_long() {
    let mut lab = Lab::new();
    let mut socket = lab.connected();
    lab.cable.borrow_mut().set_filter(|_| true);
    lab.clients[0].send(&mut socket, b"lost").unwrap();
    lab.clients[0].close(socket).unwrap();
    let start = lab.now();
    lab.pass(LINGER);
    lab.cable.borrow_mut().clear_filter();
    lab.connected();
    assert!(
        lab.now() - start < LINGER + 1100,
        "{} ms",
        lab.now() - start
    );
}

#[test]
fn an_attempt_that_is_given_up_leaves_nothing_behind() {
    let mut lab = Lab::new();
    lab.host.listen(PORT);
    let mut socket = lab.clients[0].socket().unwrap();
    let remote = SocketAddr::from((HOST, PORT));
    lab.pass(1);
    assert_eq!(
        lab.clients[0].connect(&mut socket, remote),
        Err(nb::Error::WouldBlock)
    );
    lab.pass(3);
    lab.clients[0].close(socket).unwrap();
    // Whatever the host has heard of it, it hears its end.
    lab.until(100, |host, _| {
        let state = host.socket(PORT).state();
        matches!(state, State::Listen | State::Closed).then_some(())
    });
    lab.connected();
}

//! How do attempts to connect end?

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use embedded_nal::{TcpClientStack, nb};
use mqtt_client_bare::stack::Error;

use super::lab::{Lab, PORT, settled};
use crate::common::host::{HOST, NOBODY};

#[test]
fn a_listening_host_is_connected_to_in_two_round_trips() {
    let mut lab = Lab::new();
    lab.connected();
    // ARP, then TCP's handshake; each way takes a millisecond.
    assert_eq!(lab.now(), 5);
}

#[test]
fn a_host_where_nobody_listens_refuses() {
    let mut lab = Lab::new();
    let (mut socket, result) = lab.connect_to((HOST, 4));
    assert_eq!(result, Err(Error::Refused));

    lab.host.listen(PORT);
    let again = lab.until(1000, |_, [client, _]| {
        settled(client.connect(&mut socket, SocketAddr::from((HOST, PORT))))
    });
    assert_eq!(again, Ok(()), "the socket can be used for another attempt");
}

#[test]
fn a_host_that_does_not_answer_is_waited_for_until_the_caller_gives_up() {
    for host in [NOBODY, HOST] {
        let mut lab = Lab::new();
        lab.host.listen(PORT);
        // Of the host that is there, every TCP segment is lost: ARP answers, and then nobody.
        lab.cable.borrow_mut().set_filter(is_tcp);
        let mut socket = lab.clients[0].socket().unwrap();
        let remote = SocketAddr::from((host, PORT));
        for _ in 0..20 {
            let [client, _] = &mut lab.clients;
            assert_eq!(
                client.connect(&mut socket, remote),
                Err(nb::Error::WouldBlock)
            );
            lab.pass(1000);
        }
        lab.clients[0].close(socket).unwrap();

        lab.cable.borrow_mut().clear_filter();
        let (_, result) = lab.connect_to((HOST, PORT));
        assert_eq!(result, Ok(()), "after {host}");
    }
}

#[test]
fn a_lost_syn_is_sent_again() {
    let mut lab = Lab::new();
    lab.host.listen(PORT);
    lab.cable.borrow_mut().set_filter(is_tcp);
    let mut socket = lab.clients[0].socket().unwrap();
    let remote = SocketAddr::from((HOST, PORT));
    assert_eq!(
        lab.clients[0].connect(&mut socket, remote),
        Err(nb::Error::WouldBlock)
    );
    lab.pass(500);
    lab.cable.borrow_mut().clear_filter();
    let result = lab.until(1000, |_, [client, _]| {
        settled(client.connect(&mut socket, remote))
    });
    assert_eq!(result, Ok(()));
}

#[test]
fn what_is_no_hosts_ipv4_address_is_refused_at_once() {
    for (remote, error) in [
        (SocketAddr::from(([0; 16], 1883)), Error::NotIpv4),
        (
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 1883)),
            Error::NoHost,
        ),
        (SocketAddr::from((HOST, 0)), Error::NoHost),
    ] {
        let mut lab = Lab::new();
        lab.pass(1);
        let mut socket = lab.clients[0].socket().unwrap();
        let result = lab.clients[0].connect(&mut socket, remote);
        assert_eq!(result, Err(nb::Error::Other(error)), "{remote}");
    }
}

#[test]
fn a_client_has_one_socket_at_a_time() {
    let mut lab = Lab::new();
    let socket = lab.clients[0].socket().unwrap();
    assert_eq!(lab.clients[0].socket().unwrap_err(), Error::InUse);
    assert!(
        lab.clients[1].socket().is_ok(),
        "the other link has its own"
    );
    lab.clients[0].close(socket).unwrap();
    assert!(lab.clients[0].socket().is_ok());
}

#[test]
fn a_socket_that_is_not_connected_carries_nothing() {
    let mut lab = Lab::new();
    let mut socket = lab.clients[0].socket().unwrap();
    let not_connected = Err(nb::Error::Other(Error::NotConnected));
    let [client, _] = &mut lab.clients;
    assert_eq!(client.send(&mut socket, b"x"), not_connected);
    assert_eq!(client.receive(&mut socket, &mut [0; 8]), not_connected);
    let remote = SocketAddr::from((NOBODY, PORT));
    assert_eq!(
        client.connect(&mut socket, remote),
        Err(nb::Error::WouldBlock)
    );
    assert_eq!(
        client.send(&mut socket, b"x"),
        not_connected,
        "nor one that connects"
    );
}

#[test]
fn no_two_connections_in_a_row_have_the_same_port() {
    let mut lab = Lab::new();
    let mut ports = BTreeSet::new();
    for _ in 0..50 {
        let socket = lab.connected();
        ports.extend(lab.host.client_port(PORT));
        lab.host.socket(PORT).abort();
        lab.pass(10);
        lab.clients[0].close(socket).unwrap();
    }
    assert_eq!(ports.len(), 50);
    assert!(ports.iter().all(|port| *port >= 49_152), "{ports:?}");
}

#[test]
fn the_first_port_comes_from_the_seed() {
    let first = |seed| {
        let mut lab = Lab::with_seed(seed);
        lab.connected();
        lab.host.client_port(PORT)
    };
    assert_eq!(first(5), first(5));
    assert_ne!(first(5), first(6));
}

/// Of an Ethernet frame with IPv4 in it, without options.
fn is_tcp(frame: &[u8]) -> bool {
    frame[12..14] == [8, 0] && frame[23] == 6
}

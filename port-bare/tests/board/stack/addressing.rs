//! What becomes of connections when the address goes and comes?

use std::net::{Ipv4Addr, SocketAddr};

use embedded_nal::{AddrType, Dns, TcpClientStack, nb};
use mqtt_client_bare::stack::Error;
use mqtt_client_bare::stack::address::{Addressing, KEEP, StaticAddress};
use smoltcp::wire::DhcpMessageType::{Discover, Request};

use super::lab::{BOARD, Lab, PORT, settled};
use crate::common::dhcp::Lease;
use crate::common::host::HOST;

const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 8);
const DISTANT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Seconds.
const LEASE: u32 = 600;

fn lease(address: Ipv4Addr) -> Lease {
    Lease {
        address,
        router: Some(HOST),
        dns_servers: vec![HOST],
        seconds: LEASE,
    }
}

fn leased() -> Lab {
    let mut lab = Lab::with(Addressing::Dhcp, &[], 1);
    lab.host.dhcp.lease = Some(lease(BOARD));
    lab.pass(20);
    assert_eq!(lab.address(), Some(BOARD));
    lab
}

#[test]
fn a_lease_brings_address_and_dns_server() {
    let mut lab = leased();
    assert_eq!(lab.host.dhcp.heard, [Discover, Request]);
    lab.host.dns.know("broker.example", &[OTHER]);
    assert_eq!(lab.look_up("broker.example"), Ok(OTHER));
    lab.connected();
}

#[test]
fn a_server_that_comes_late_is_found() {
    let mut lab = Lab::with(Addressing::Dhcp, &[], 1);
    lab.pass(60_000);
    assert_eq!(lab.address(), None);
    assert!(lab.host.dhcp.heard.len() >= 12, "{:?}", lab.host.dhcp.heard);
    lab.host.dhcp.lease = Some(lease(BOARD));
    lab.pass(5_100);
    assert_eq!(lab.address(), Some(BOARD));
}

#[test]
fn without_an_address_nothing_is_connected() {
    let mut lab = Lab::with(Addressing::Dhcp, &[], 1);
    lab.pass(100);
    let mut socket = lab.clients[0].socket().unwrap();
    let result = lab.clients[0].connect(&mut socket, SocketAddr::from((HOST, PORT)));
    assert_eq!(result, Err(nb::Error::Other(Error::AddressLost)));
    assert_eq!(lab.look_up("broker.example"), Err(Error::AddressLost));
}

#[test]
fn a_renewed_lease_costs_no_connection() {
    let mut lab = leased();
    let mut socket = lab.connected();
    lab.pass(1000 * u64::from(LEASE) * 5);
    assert!(lab.host.dhcp.heard.len() > 8, "{:?}", lab.host.dhcp.heard);
    lab.host.socket(PORT).send_slice(b"still here").unwrap();
    assert_eq!(lab.receive(&mut socket), Ok(b"still here".to_vec()));
}

#[test]
fn a_lease_that_ends_takes_its_connections_along() {
    let mut lab = leased();
    let mut socket = lab.connected();
    lab.host.dhcp.lease = None;
    let result = lab.until(1000 * u64::from(LEASE) + 1000, |_, [client, _]| {
        settled(client.receive(&mut socket, &mut [0; 8]))
    });
    assert_eq!(result, Err(Error::AddressLost));
    assert_eq!(lab.address(), None);
    let sent = lab.clients[0].send(&mut socket, b"x");
    assert_eq!(sent, Err(nb::Error::Other(Error::AddressLost)));
    lab.clients[0].close(socket).unwrap();

    lab.host.dhcp.lease = Some(lease(OTHER));
    lab.pass(5_100);
    assert_eq!(lab.address(), Some(OTHER));
    lab.connected();
}

#[test]
fn a_lease_that_is_refused_is_replaced() {
    let mut lab = leased();
    let mut socket = lab.connected();
    lab.host.dhcp.lease = Some(lease(OTHER));
    // At half of the lease's time it asks for the old address again, and hears no.
    let half = 500 * u64::from(LEASE);
    let result = lab.until(half + 100, |_, [client, _]| {
        settled(client.receive(&mut socket, &mut [0; 8]))
    });
    assert_eq!(result, Err(Error::AddressLost));
    lab.clients[0].close(socket).unwrap();
    lab.pass(100);
    assert_eq!(lab.address(), Some(OTHER));
    lab.connected();
}

#[test]
fn a_short_interruption_of_the_cable_costs_no_connection() {
    let mut lab = leased();
    let mut socket = lab.connected();
    lab.host.dhcp.heard.clear();
    lab.unplug();
    lab.clients[0].send(&mut socket, b"into the void").unwrap();
    lab.pass(5000);
    lab.plug_in();
    lab.host.socket(PORT).send_slice(b"welcome back").unwrap();
    assert_eq!(lab.receive(&mut socket), Ok(b"welcome back".to_vec()));
    lab.until(60_000, |host, _| {
        (host.socket(PORT).recv_queue() == 13).then_some(())
    });
    assert_eq!(
        lab.host.dhcp.heard,
        [Discover, Request],
        "it has asked whether its address holds"
    );
    assert_eq!(lab.address(), Some(BOARD));
}

#[test]
fn plugged_into_another_network_it_gets_that_ones_address() {
    for interruption in [1000, KEEP + 1000] {
        let mut lab = leased();
        let mut socket = lab.connected();
        lab.unplug();
        lab.pass(interruption);
        lab.host.dhcp.lease = Some(lease(OTHER));
        lab.plug_in();
        let result = lab.until(1000, |_, [client, _]| {
            settled(client.receive(&mut socket, &mut [0; 8]))
        });
        assert_eq!(result, Err(Error::AddressLost));
        lab.pass(100);
        assert_eq!(lab.address(), Some(OTHER), "after {interruption} ms");
    }
}

#[test]
fn plugged_into_a_network_without_dhcp_it_keeps_its_address_for_a_while_at_most() {
    for (interruption, kept) in [(1000, KEEP), (KEEP + 1000, 0)] {
        let mut lab = leased();
        lab.unplug();
        lab.pass(interruption);
        lab.host.dhcp.lease = None;
        lab.plug_in();
        if kept > 0 {
            lab.pass(kept - 100);
            assert_eq!(lab.address(), Some(BOARD));
        }
        lab.pass(200);
        assert_eq!(lab.address(), None);
    }
}

#[test]
fn another_dns_server_costs_no_connection() {
    let mut lab = leased();
    let mut socket = lab.connected();
    let dns_servers = vec![OTHER, HOST];
    lab.host.dhcp.lease = Some(Lease {
        dns_servers,
        ..lease(BOARD)
    });
    lab.pass(500 * u64::from(LEASE) + 100);
    lab.host.dns.know("broker.example", &[OTHER]);
    let start = lab.now();
    assert_eq!(lab.look_up("broker.example"), Ok(OTHER));
    assert!(
        lab.now() - start >= 10_000,
        "the first server in vain, then the second"
    );
    lab.host.socket(PORT).send_slice(b"still here").unwrap();
    assert_eq!(lab.receive(&mut socket), Ok(b"still here".to_vec()));
}

#[test]
fn what_a_name_meant_in_one_network_it_need_not_mean_in_the_next() {
    let mut lab = leased();
    lab.host.dns.know("broker.example", &[BOARD]);
    let asked = lab.clients[0].get_host_by_name("broker.example", AddrType::Either);
    assert_eq!(asked, Err(nb::Error::WouldBlock));
    lab.pass(100);
    lab.unplug();
    lab.host.dhcp.lease = Some(lease(OTHER));
    lab.plug_in();
    lab.pass(100);
    assert_eq!(lab.address(), Some(OTHER));
    lab.host.dns.know("broker.example", &[HOST]);
    assert_eq!(lab.look_up("broker.example"), Ok(HOST));
}

#[test]
fn what_is_outside_goes_to_the_router() {
    let mut lab = leased();
    let mut socket = lab.clients[0].socket().unwrap();
    let remote = SocketAddr::from((DISTANT, PORT));
    assert_eq!(
        lab.clients[0].connect(&mut socket, remote),
        Err(nb::Error::WouldBlock)
    );
    // The host is no router, but it is asked for as one: its Ethernet address is all that the segment needs.
    let to_distant = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = to_distant.clone();
    lab.cable.borrow_mut().set_filter(move |frame| {
        let is_it = frame[..6] == [2, 0, 0, 0, 0, 1] && frame[30..34] == DISTANT.octets();
        count.set(count.get() + u32::from(is_it));
        false
    });
    lab.pass(100);
    assert!(to_distant.get() > 0);
}

#[test]
fn a_router_that_cannot_be_is_none() {
    for router in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST] {
        let mut lab = Lab::with(Addressing::Dhcp, &[], 1);
        lab.host.dhcp.lease = Some(Lease {
            router: Some(router),
            ..lease(BOARD)
        });
        lab.pass(20);
        lab.connected();
        let mut socket = lab.clients[1].socket().unwrap();
        let remote = SocketAddr::from((DISTANT, PORT));
        let result = lab.clients[1].connect(&mut socket, remote);
        assert_eq!(result, Err(nb::Error::WouldBlock), "there is no way to it");
        lab.pass(10_000);
    }
}

#[test]
fn no_host_has_such_an_address() {
    for (address, prefix, router) in [
        (Ipv4Addr::UNSPECIFIED, 24, None),
        (Ipv4Addr::BROADCAST, 24, None),
        (Ipv4Addr::new(224, 0, 0, 1), 24, None),
        (BOARD, 33, None),
        (BOARD, 24, Some(Ipv4Addr::UNSPECIFIED)),
    ] {
        let static_address = StaticAddress::new(address, prefix, router);
        assert_eq!(static_address, None, "{address}/{prefix} {router:?}");
    }
}

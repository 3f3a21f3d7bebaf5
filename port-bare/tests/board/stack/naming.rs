//! How do name look-ups end?

use std::net::{IpAddr, Ipv4Addr};

use embedded_nal::{AddrType, Dns, TcpClientStack, nb};
use mqtt_client_bare::stack::Error;
use mqtt_client_bare::stack::address::{Addressing, StaticAddress};

use super::lab::{BOARD, Lab, settled};
use crate::common::dns::Record;
use crate::common::host::{HOST, NOBODY, PREFIX};

const BROKER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 20);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 21);

#[test]
fn a_name_has_the_address_that_the_server_says() {
    let mut lab = Lab::new();
    lab.host.dns.know("broker.example", &[BROKER]);
    assert_eq!(lab.look_up("broker.example"), Ok(BROKER));
    assert_eq!(
        lab.look_up("broker.example."),
        Ok(BROKER),
        "with the root's dot"
    );
}

#[test]
fn an_address_is_its_own_and_asks_nobody() {
    let mut lab = Lab::new();
    assert_eq!(lab.look_up("10.0.0.20"), Ok(BROKER));
    assert_eq!(lab.look_up("2001:db8::1"), Err(Error::NotIpv4));
    let answer = lab.clients[0].get_host_by_name("broker.example", AddrType::IPv6);
    assert_eq!(answer, Err(nb::Error::Other(Error::NotIpv4)));
    assert_eq!(lab.host.dns.asked, [""; 0]);
}

#[test]
fn an_alias_is_followed() {
    let mut lab = Lab::new();
    let alias = Record::Alias("machine-7.example", BROKER);
    lab.host
        .dns
        .names
        .insert("broker.example".into(), vec![alias]);
    assert_eq!(lab.look_up("broker.example"), Ok(BROKER));
}

#[test]
fn the_addresses_of_a_name_take_turns() {
    let mut lab = Lab::new();
    lab.host.dns.know("broker.example", &[BROKER, OTHER]);
    let answers = [(); 4].map(|()| lab.look_up("broker.example").unwrap());
    assert_eq!(answers, [BROKER, OTHER, BROKER, OTHER]);
}

#[test]
fn an_address_whose_connection_has_held_is_tried_first_next_time() {
    for (held, next) in [(6000, [HOST, OTHER]), (1000, [OTHER, HOST])] {
        let mut lab = Lab::new();
        lab.host.dns.know("broker.example", &[OTHER, HOST]);
        let answers = [(); 2].map(|()| lab.look_up("broker.example").unwrap());
        assert_eq!(answers, [OTHER, HOST]);
        let socket = lab.connected();
        lab.pass(held);
        lab.receive_once();
        lab.clients[0].close(socket).unwrap();
        let answers = [(); 2].map(|()| lab.look_up("broker.example").unwrap());
        assert_eq!(answers, next, "after {held} ms");
    }
}

#[test]
fn a_name_without_address_is_unknown_at_once_and_asked_for_again_next_time() {
    let mut lab = Lab::new();
    lab.host
        .dns
        .names
        .insert("broken.example".into(), vec![Record::Failure]);
    lab.host.dns.know("empty.example", &[]);
    for name in ["nowhere.example", "empty.example", "broken.example"] {
        let start = lab.now();
        for _ in 0..2 {
            assert_eq!(lab.look_up(name), Err(Error::UnknownName), "{name}");
        }
        assert!(lab.now() - start < 20, "{name}: {} ms", lab.now() - start);
    }
    assert_eq!(lab.host.dns.asked.len(), 6);
    lab.host.dns.know("nowhere.example", &[BROKER]);
    assert_eq!(lab.look_up("nowhere.example"), Ok(BROKER));
}

#[test]
fn what_can_be_no_name_is_refused_at_once() {
    let long = format!("{}.example", "a".repeat(64));
    let longer = ["a"; 130].join(".");
    for name in ["", "two..dots", &long, &longer] {
        let mut lab = Lab::new();
        assert_eq!(lab.look_up(name), Err(Error::BadName), "{name}");
    }
}

#[test]
fn a_lost_question_is_asked_again() {
    let mut lab = Lab::new();
    lab.host.dns.know("broker.example", &[BROKER]);
    lab.host.dns.answers = false;
    lab.pass(1);
    let ask = |lab: &mut Lab| lab.clients[0].get_host_by_name("broker.example", AddrType::Either);
    assert_eq!(ask(&mut lab), Err(nb::Error::WouldBlock));
    lab.pass(500);
    lab.host.dns.answers = true;
    lab.pass(1000);
    assert_eq!(ask(&mut lab), Ok(IpAddr::V4(BROKER)));
}

#[test]
fn a_server_that_does_not_answer_is_told_from_a_name_that_is_unknown() {
    let mut lab = Lab::new();
    lab.host.dns.answers = false;
    assert_eq!(lab.look_up("broker.example"), Err(Error::NoAnswer));
    assert!(
        (10_000..12_000).contains(&lab.now()),
        "after {} ms",
        lab.now()
    );
}

#[test]
fn the_next_server_is_asked_if_the_first_is_gone() {
    let address = StaticAddress::new(BOARD, PREFIX, None).unwrap();
    let mut lab = Lab::with(Addressing::Static(address), &[NOBODY, HOST], 1);
    lab.host.dns.know("broker.example", &[BROKER]);
    assert_eq!(lab.look_up("broker.example"), Ok(BROKER));
    assert!(
        (10_000..12_000).contains(&lab.now()),
        "after {} ms",
        lab.now()
    );
}

#[test]
fn an_answer_that_comes_after_the_asker_gave_up_serves_the_next_attempt_while_it_is_current() {
    for (pause, questions) in [(30_000, 1), (120_000, 2)] {
        let mut lab = Lab::new();
        lab.host.dns.know("broker.example", &[BROKER]);
        lab.pass(1);
        let ask =
            |lab: &mut Lab| lab.clients[0].get_host_by_name("broker.example", AddrType::Either);
        assert_eq!(ask(&mut lab), Err(nb::Error::WouldBlock));
        lab.pass(pause);
        assert_eq!(lab.look_up("broker.example"), Ok(BROKER));
        assert_eq!(lab.host.dns.asked.len(), questions, "after {pause} ms");
    }
}

#[test]
fn a_failure_that_nobody_asked_for_in_time_is_not_the_next_attempts() {
    let mut lab = Lab::new();
    lab.pass(1);
    let ask = |lab: &mut Lab| lab.clients[0].get_host_by_name("broker.example", AddrType::Either);
    assert_eq!(ask(&mut lab), Err(nb::Error::WouldBlock));
    lab.pass(5000);
    lab.host.dns.know("broker.example", &[BROKER]);
    assert_eq!(lab.look_up("broker.example"), Ok(BROKER));
}

#[test]
fn another_name_abandons_the_look_up() {
    let mut lab = Lab::new();
    lab.host.dns.know("broker.example", &[BROKER]);
    lab.host.dns.know("other.example", &[OTHER]);
    lab.pass(1);
    let abandoned = lab.clients[0].get_host_by_name("broker.example", AddrType::Either);
    assert_eq!(abandoned, Err(nb::Error::WouldBlock));
    assert_eq!(lab.look_up("other.example"), Ok(OTHER));
}

#[test]
fn two_links_ask_at_the_same_time() {
    let mut lab = Lab::new();
    lab.host.dns.know("broker.example", &[BROKER]);
    lab.host.dns.know("redis.example", &[OTHER]);
    let mut answers = [None, None];
    lab.until(100, |_, clients| {
        for ((client, name), answer) in clients
            .iter_mut()
            .zip(["broker.example", "redis.example"])
            .zip(&mut answers)
        {
            if answer.is_none() {
                *answer = settled(client.get_host_by_name(name, AddrType::Either));
            }
        }
        answers.iter().all(Option::is_some).then_some(())
    });
    assert_eq!(
        answers,
        [Some(Ok(IpAddr::V4(BROKER))), Some(Ok(IpAddr::V4(OTHER)))]
    );
}

#[test]
fn without_a_server_there_is_no_name() {
    for servers in [&[][..], &[Ipv4Addr::UNSPECIFIED]] {
        let address = StaticAddress::new(BOARD, PREFIX, None).unwrap();
        let mut lab = Lab::with(Addressing::Static(address), servers, 1);
        assert_eq!(lab.look_up("broker.example"), Err(Error::NoDnsServer));
    }
}

#[test]
fn names_of_addresses_are_not_looked_up() {
    let mut lab = Lab::new();
    let answer = lab.clients[0].get_host_by_address(BROKER.into(), &mut [0; 64]);
    assert_eq!(answer, Err(nb::Error::Other(Error::Unsupported)));
}

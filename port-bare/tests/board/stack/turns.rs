//! How much is done in one turn?

use super::lab::{BOARD, Lab};
use crate::common::host::HOST;

#[test]
fn a_flood_is_taken_in_portions() {
    let mut lab = Lab::new();
    lab.pass(10);
    let flood = 1000;
    for _ in 0..flood {
        lab.cable.borrow_mut().put(0, arp_request());
    }
    let mut turns = 0;
    while lab.receive_once() {
        turns += 1;
        assert!(turns <= flood, "it ends");
    }
    assert!(turns >= 100, "{flood} frames in {turns} turns");
}

#[test]
fn a_board_at_rest_asks_for_nothing() {
    let mut lab = Lab::new();
    lab.pass(10);
    assert!(!lab.receive_once());
    assert_eq!(
        lab.stack.borrow_mut().deadline(),
        mqtt_client_bare::Instant::NEVER
    );
}

#[test]
fn without_a_cable_nothing_is_taken_or_sent() {
    let mut lab = Lab::new();
    lab.stack.borrow_mut().set_cable(false);
    lab.cable.borrow_mut().put(0, arp_request());
    assert!(!lab.receive_once());
    assert!(!lab.receive_once());
    lab.stack.borrow_mut().set_cable(true);
    lab.receive_once();
    assert!(
        lab.cable.borrow().next().is_some(),
        "the question is answered now"
    );
}

/// The host asks for the board's Ethernet address.
fn arp_request() -> Vec<u8> {
    let host_mac = [2, 0, 0, 0, 0, 1];
    let mut frame = vec![0xff; 6];
    frame.extend(host_mac);
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(host_mac);
    frame.extend(HOST.octets());
    frame.extend([0; 6]);
    frame.extend(BOARD.octets());
    frame
}

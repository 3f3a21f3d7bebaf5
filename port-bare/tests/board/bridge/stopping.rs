//! What is said at the end?

use mqtt_client_bare::Instant;
use mqtt_client_bare::stack::LINGER;
use mqtt_client_core::bridge::STOP_WITHIN;

use super::one_device;
use super::rig::Rig;

const WITH_WILL: &str = r#", "mqtt_qos": 2, "use_last_will": 1, "last_will_topic": "t""#;

/// What keeps a board from taking its leave: its name, and how it comes about.
type Trouble = (&'static str, fn(&mut Rig));

/// A board that has said all that it will say; how long that took.
fn stop(rig: &mut Rig) -> u64 {
    rig.runner.stop(Instant::from_millis(rig.now()));
    rig.until(STOP_WITHIN + LINGER, |rig| rig.runner.has_stopped())
}

#[test]
fn a_board_that_is_stopped_takes_its_leave() {
    let mut rig = Rig::new(&one_device(WITH_WILL));
    rig.until_online(100);
    rig.publish("tag/cloud/p/in", "1,1");
    rig.pass(1);
    let took = stop(&mut rig);
    assert!(took < 50, "{took} ms");
    assert_eq!(rig.delivered(0), ["1,1,1"]);
    assert_eq!(
        rig.brokers[0].heard.last().map(String::as_str),
        Some("DISCONNECT")
    );
    assert_eq!(rig.brokers[0].wills_sent, 0);
}

#[test]
fn it_does_not_wait_for_ever() {
    let troubles: [Trouble; 4] = [
        ("a broker that acknowledges nothing", |rig| {
            rig.brokers[0].acknowledges = false
        }),
        ("a broker that is away", |rig| rig.up[1] = false),
        ("a cable that is out", |rig| rig.set_cable(false)),
        ("a cable that is out, unnoticed", |rig| {
            rig.cable.borrow_mut().set_unplugged(true)
        }),
    ];
    for (name, trouble) in troubles {
        let mut rig = Rig::new(&one_device(WITH_WILL));
        rig.until_online(100);
        trouble(&mut rig);
        rig.publish("tag/cloud/p/in", "1,1");
        rig.pass(10);
        let took = stop(&mut rig);
        assert!(took <= STOP_WITHIN + LINGER, "{name}: {took} ms");
    }
}

//! What does an MQTT session say to a broker, and when? Traces: at this time it hears that, and says this.
//!
//! | module | question |
//! |---|---|
//! | `opening` | how does a connection begin, and what if the broker does not want it? |
//! | `alive` | how is a dead broker told from a silent one? |
//! | `delivery` | what is sent, repeated and given up, at each QoS? |
//! | `ending` | how does it end, and what does the session think of the end? |
//! | `forgetful` | what if the broker loses the session, or an acknowledgement? |
//! | `hostile` | what may a broker do that it should not? |
//! | `suspects` | what if one message makes the broker close the connection? |
//! | `unasked` | what if the broker sends messages itself? |
//! | `conformance` | what does the standard ask for beyond that? |

#[path = "../common/broker.rs"]
#[expect(
    dead_code,
    reason = "only the tests of the whole bridge need a broker that misbehaves"
)]
mod broker;
#[path = "../common/packet.rs"]
mod packet;

mod alive;
mod conformance;
mod delivery;
mod ending;
mod forgetful;
mod hostile;
mod opening;
mod suspects;
mod unasked;

use mqtt_client_core::config::Device;
use mqtt_client_core::counters::Counters;
use mqtt_client_core::mqtt::QoS;
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::mqtt::session::{Session, State, Storage};
use mqtt_client_core::net::protocol::{ClosedBy, Retry};
use mqtt_client_core::outbox::Message;
use mqtt_client_core::random::Random;
use mqtt_client_core::time::Instant;

const WELCOME: &[u8] = b"\x20\x02\x00\x00";
const WELCOME_BACK: &[u8] = b"\x20\x02\x01\x00";
const PINGRESP: &[u8] = b"\xd0\x00";

fn puback(id: u8) -> [u8; 4] {
    [0x40, 2, 0, id]
}

fn pubrec(id: u8) -> [u8; 4] {
    [0x50, 2, 0, id]
}

fn pubcomp(id: u8) -> [u8; 4] {
    [0x70, 2, 0, id]
}

/// The device of most tests: keep-alive 60 s, and no more than `QoS` told.
fn device(qos: QoS) -> Device<'static> {
    Device {
        alias: "cloud",
        qos,
        ..Device::EMPTY
    }
}

/// The memory of a session.
struct Memory {
    input: Vec<u8>,
    control: Vec<u8>,
    outbox: Vec<u8>,
    records: Vec<u64>,
}

impl Memory {
    fn for_device(device: &Device<'_>) -> Self {
        Memory {
            input: vec![0; 64],
            control: vec![0; Session::control_len(device) + 64],
            outbox: vec![0; 1000],
            records: vec![0; 30],
        }
    }

    fn storage(&mut self) -> Storage<'_> {
        Storage {
            input: &mut self.input,
            control: &mut self.control,
            outbox: &mut self.outbox,
            records: &mut self.records,
        }
    }
}

/// A session whose words are kept.
struct Client<'a> {
    session: Session<'a>,
    /// Bytes that are no whole packet yet.
    begun: Vec<u8>,
}

impl<'a> Client<'a> {
    fn new(device: &'a Device<'a>, memory: &'a mut Memory) -> Self {
        Client {
            session: Session::new(device, 0x00c0_ffee, Random::new(0), memory.storage()),
            begun: Vec::new(),
        }
    }

    fn resume(device: &'a Device<'a>, memory: &'a mut Memory, state: State) -> Self {
        Client {
            session: Session::resume(device, 0x00c0_ffee, memory.storage(), state),
            begun: Vec::new(),
        }
    }

    fn opened(&mut self, millis: u64) -> Result<(), Close> {
        self.begun.clear();
        self.session.opened(at(millis), &mut ())
    }

    /// Opens a connection and hears CONNACK.
    fn online(&mut self, millis: u64, connack: &[u8]) {
        assert_eq!(self.opened(millis), Ok(()));
        let said = self.says(millis);
        assert!(
            said.len() == 1 && said[0].starts_with("CONNECT "),
            "{said:?}"
        );
        assert_eq!(self.hears(millis, connack), Ok(()));
        assert!(self.session.is_online());
    }

    /// The broker says this, in one piece where the input has room.
    fn hears(&mut self, millis: u64, mut bytes: &[u8]) -> Result<(), Close> {
        while !bytes.is_empty() {
            let room = self.session.input();
            let count = room.len().min(bytes.len());
            if count == 0 {
                // Acknowledgements wait: what is pending goes first.
                let drained = self.drain(millis, usize::MAX)?;
                assert!(drained > 0, "no room to read, and nothing to write");
                continue;
            }
            room[..count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            self.session.received(count, at(millis), &mut ())?;
        }
        Ok(())
    }

    /// Lets the network take all there is; the packets.
    fn says(&mut self, millis: u64) -> Vec<String> {
        self.drain(millis, usize::MAX)
            .expect("the connection goes on");
        self.packets()
    }

    /// Likewise, where the connection is to be closed after that.
    fn says_at_last(&mut self, millis: u64) -> (Vec<String>, Close) {
        let close = self
            .drain(millis, usize::MAX)
            .expect_err("the connection ends");
        (self.packets(), close)
    }

    /// Lets the network take up to `count` bytes; how many it took.
    fn drain(&mut self, millis: u64, count: usize) -> Result<usize, Close> {
        let mut taken = 0;
        while taken < count {
            let bytes = self.session.output(at(millis), &mut ())?;
            let piece = bytes.len().min(count - taken);
            if piece == 0 {
                break;
            }
            self.begun.extend_from_slice(&bytes[..piece]);
            self.session.sent(piece, at(millis), &mut ());
            taken += piece;
        }
        Ok(taken)
    }

    /// The same, where the connection may end meanwhile.
    fn says_what_it_can(&mut self, millis: u64) -> Vec<String> {
        let _ = self.drain(millis, usize::MAX);
        self.packets()
    }

    fn packets(&mut self) -> Vec<String> {
        std::iter::from_fn(|| packet::take_packet(&mut self.begun))
            .map(|packet| packet.to_string())
            .collect()
    }

    /// Queues a message of this value; how many were dropped for it.
    fn queues(&mut self, value: &str) -> usize {
        self.queues_for(0, "t", false, value)
    }

    /// The same, of this signal and on this topic, which is set aside or not.
    fn queues_for(&mut self, signal: u32, topic: &str, is_aside: bool, value: &str) -> usize {
        let mut dropped = 0;
        let message = Message {
            signal,
            is_aside,
            topic: topic.as_bytes(),
            payload: [value.as_bytes(), b"", b"", b""],
        };
        self.session
            .queue(&message, |_| dropped += 1)
            .expect("room");
        dropped
    }

    fn expires(&mut self, millis: u64) -> Result<(), Close> {
        self.session.expire(at(millis), &mut ())
    }

    fn deadline(&self) -> u64 {
        self.session.deadline().as_millis()
    }

    fn closed(&mut self, millis: u64, by: ClosedBy<Close>) -> Retry {
        self.session.closed(&by, at(millis))
    }

    fn counters(&self) -> Counters {
        self.session.counters()
    }
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

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
//! | `standing` | what does it say of itself? |
//! | `status` | what does it tell the broker of itself, so that this is true in the end? |
//! | `suspects` | what if one message makes the broker close the connection? |
//! | `throttled` | what if it takes only so many in a second, or acknowledges none? |
//! | `unasked` | what if the broker sends messages itself? |
//! | `v5` | what is different with MQTT 5? |
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
#[cfg(feature = "health")]
mod standing;
#[cfg(feature = "status")]
mod status;
mod suspects;
mod throttled;
mod unasked;
mod v5;

use std::sync::LazyLock;

use mqtt_client_core::config::{Config, Device, Redis, Signal, Spool, Version};
use mqtt_client_core::counters::Counters;
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::mqtt::session::{Session, State, Storage};
use mqtt_client_core::mqtt::{MAX_PUBLISH, QoS};
use mqtt_client_core::net::protocol::Protocol as _;
use mqtt_client_core::net::protocol::{ClosedBy, Retry};
use mqtt_client_core::outbox::{Room, in_flight_at_most};
use mqtt_client_core::random::Random;
use mqtt_client_core::sample::{Quality, Sample};
use mqtt_client_core::time::Instant;

use packet::ClientPacket;

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

/// Signals 0 and 1, on a topic each.
static CONFIG: LazyLock<Config<'static>> = LazyLock::new(|| Config {
    redis: Redis::default(),
    spool: Spool::default(),
    devices: &[],
    signals: const {
        &[
            Signal {
                topic: Some("good"),
                ..Signal::EMPTY
            },
            Signal {
                topic: Some("bad"),
                ..Signal::EMPTY
            },
        ]
    },
});

/// The memory of a session.
struct Memory {
    input: Vec<u8>,
    control: Vec<u8>,
    transmit: Vec<u8>,
    outbox: Vec<u8>,
    handshakes: Vec<[u8; 2]>,
}

impl Memory {
    fn for_device(device: &Device<'_>) -> Self {
        Memory {
            input: vec![0; Session::input_len(device).max(64)],
            control: vec![0; Session::control_len(device) + 64],
            transmit: vec![0; MAX_PUBLISH],
            outbox: vec![0; 1000],
            handshakes: vec![
                [0; 2];
                in_flight_at_most(device.qos, device.max_inflight)
                    .max(device.max_inflight.into())
            ],
        }
    }

    fn storage(&mut self) -> Storage<'_> {
        Storage {
            input: &mut self.input,
            control: &mut self.control,
            transmit: &mut self.transmit,
            outbox: &mut self.outbox,
            handshakes: &mut self.handshakes,
        }
    }
}

/// A session whose words are kept.
struct Client<'a> {
    session: Session<'a>,
    /// Bytes that are no whole packet yet.
    begun: Vec<u8>,
    is_v5: bool,
}

impl<'a> Client<'a> {
    fn new(device: &'a Device<'a>, memory: &'a mut Memory) -> Self {
        Client {
            session: Session::new(
                &CONFIG,
                device,
                0x00c0_ffee,
                Random::new(0),
                memory.storage(),
            ),
            begun: Vec::new(),
            is_v5: device.version == Version::V5,
        }
    }

    fn resume(device: &'a Device<'a>, memory: &'a mut Memory, state: State) -> Self {
        Client {
            session: Session::resume(&CONFIG, device, 0x00c0_ffee, memory.storage(), state),
            begun: Vec::new(),
            is_v5: device.version == Version::V5,
        }
    }

    fn opened(&mut self, millis: u64) -> Result<(), Close> {
        self.begun.clear();
        self.session.opened(at(millis))
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
            self.session.received(count, at(millis))?;
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
            let bytes = self.session.output(at(millis))?;
            let piece = bytes.len().min(count - taken);
            if piece == 0 {
                break;
            }
            self.begun.extend_from_slice(&bytes[..piece]);
            self.session.sent(piece, at(millis));
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
        let take = if self.is_v5 {
            packet::take_packet_v5
        } else {
            packet::take_packet
        };
        std::iter::from_fn(|| take(&mut self.begun))
            .map(|mut packet| {
                if let ClientPacket::Publish(publish) = &mut packet {
                    let is_status = ["online", "offline"].contains(&publish.payload.as_str());
                    let value = publish.payload.strip_suffix(",1,1");
                    if !is_status {
                        publish.payload = value.expect("what was queued").to_string();
                    }
                }
                packet.to_string()
            })
            .collect()
    }

    /// Queues a sample of this value; how many were dropped for it.
    fn queues(&mut self, value: &str) -> usize {
        self.queues_for(0, false, value)
    }

    /// The same, of this signal, whose topic is set aside or not.
    fn queues_for(&mut self, signal: u32, is_aside: bool, value: &str) -> usize {
        let text = format!("{value},1");
        let sample = Sample::of_text(text.as_bytes(), Quality::Good).expect("a comma");
        let mut dropped = 0;
        while !self.session.queue(signal, is_aside, &sample) {
            match self.session.make_room(&sample) {
                Room::Enough => {}
                Room::Dropped(_) => dropped += 1,
                Room::None => panic!("no room"),
            }
        }
        dropped
    }

    fn expires(&mut self, millis: u64) -> Result<(), Close> {
        self.session.expire(at(millis))
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

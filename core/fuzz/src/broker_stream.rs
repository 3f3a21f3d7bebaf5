//! What a broker says to a session in any state.
//!
//! - The stream means the same in any pieces: the session says the same packets and closes for the same reason.
//! - All that the session says are whole packets of a publishing client, one after the other; a packet identifier is used
//!   for one message at a time, and no more messages are in flight than the window allows.
//! - Queued, sent and dropped are what was queued, at any time; `acknowledged` is never more than `sent`.
//! - Nothing is left half written by a session that closes because all is said.
//! - Once a deadline was kept, the next one lies behind it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use mqtt_client_core::config::{Config, Device, Redis, Signal, Spool, Version, Will};
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::mqtt::session::{Session, State, Storage};
use mqtt_client_core::mqtt::{MAX_PUBLISH, QoS};
use mqtt_client_core::net::protocol::{ClosedBy, Protocol as _};
use mqtt_client_core::outbox::Room;
use mqtt_client_core::random::Random;
use mqtt_client_core::sample::{Quality, Sample};
use mqtt_client_core::time::Instant;

use crate::model::packet::{take_packet, take_packet_v5};
use crate::pieces::ways_to_split;

/// Signal 0, on the topic "t".
static CONFIG: LazyLock<Config<'static>> = LazyLock::new(|| Config {
    redis: Redis::default(),
    spool: Spool::default(),
    devices: &[],
    signals: const {
        &[Signal {
            topic: Some("t"),
            ..Signal::EMPTY
        }]
    },
});

/// A session, how it came into its state, and what it hears then.
#[derive(Arbitrary, Debug)]
pub struct Case<'c> {
    qos: u8,
    version: u8,
    window: u8,
    will: bool,
    input: u8,
    control: u8,
    outbox: u16,
    handshakes: u8,
    acts: Vec<Act>,
    stream: &'c [u8],
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Act {
    Open,
    Close {
        by: u8,
    },
    /// The network takes so many bytes.
    Take(u8),
    TakeAll,
    /// The broker says a packet of this kind.
    Hear {
        kind: u8,
        id: u8,
    },
    Queue,
    /// Time passes, in eighths of a second.
    Wait(u16),
    WaitForDeadline,
    Stop,
    Leave,
    Suspend,
}

/// Checks one case.
pub fn check(case: &Case<'_>) {
    let device = Device {
        alias: "cloud",
        qos: [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(case.qos % 3)],
        version: [Version::Auto, Version::V3_1, Version::V3_1_1, Version::V5]
            [usize::from(case.version % 4)],
        topic_alias: case.version & 4 != 0,
        message_expiry: u32::from(case.version & 8),
        max_inflight: 1 + u16::from(case.window),
        will: case.will.then_some(Will {
            topic: "w",
            message: "gone",
            qos: QoS::AtLeastOnce,
            retain: true,
        }),
        ..Device::EMPTY
    };
    // With little room for answers, what is read depends on what is written in between: once as it is, and once with room
    // for all, where it must not matter how the stream is cut.
    let _ = run(case, &device, usize::from(case.control), &[case.stream]);
    let roomy = 4 * (case.acts.len() + case.stream.len() + 2);
    let [whole, others @ ..] =
        ways_to_split(case.stream).map(|pieces| run(case, &device, roomy, &pieces));
    for other in others {
        assert_eq!(other, whole);
    }
}

/// What was said, and how it ended.
type Told = (Vec<String>, Result<(), Close>);

fn run(case: &Case<'_>, device: &Device<'_>, room: usize, pieces: &[&[u8]]) -> Told {
    let mut memory = Memory {
        input: vec![0; Session::input_len(device) + usize::from(case.input)],
        control: vec![0; Session::control_len(device) + room],
        outbox: vec![0; usize::from(case.outbox)],
        transmit: vec![0; MAX_PUBLISH],
        handshakes: vec![[0; 2]; usize::from(case.handshakes)],
    };
    let mut trace = Trace {
        is_v5: device.version == Version::V5,
        window: usize::from(device.max_inflight),
        ..Trace::default()
    };
    let mut state = None;
    let mut acts = case.acts.iter();
    loop {
        let mut client = Client::new(device, &mut memory, state.take(), &mut trace);
        let mut suspends = false;
        for act in acts.by_ref() {
            suspends = matches!(act, Act::Suspend);
            if suspends {
                break;
            }
            client.act(*act);
            client.check();
        }
        if suspends {
            state = Some(client.session.suspend());
            continue;
        }
        let mut result = Ok(());
        // With all of it before the network takes anything: what an acknowledgement means may depend on what is out by then.
        for piece in pieces {
            if client.session.is_connected() {
                result = client.hear(piece);
            }
            if result.is_err() {
                break;
            }
        }
        let result = result.and_then(|()| client.take(usize::MAX));
        client.check();
        return (trace.said, result);
    }
}

struct Memory {
    input: Vec<u8>,
    control: Vec<u8>,
    outbox: Vec<u8>,
    transmit: Vec<u8>,
    handshakes: Vec<[u8; 2]>,
}

/// What has been said so far, over all connections.
#[derive(Default)]
struct Trace {
    now: u64,
    is_v5: bool,
    window: usize,
    queued: u64,
    begun: Vec<u8>,
    said: Vec<String>,
}

struct Client<'c> {
    session: Session<'c>,
    trace: &'c mut Trace,
}

impl<'c> Client<'c> {
    fn new(
        device: &'c Device<'c>,
        memory: &'c mut Memory,
        state: Option<State>,
        trace: &'c mut Trace,
    ) -> Self {
        let storage = Storage {
            input: &mut memory.input,
            control: &mut memory.control,
            outbox: &mut memory.outbox,
            transmit: &mut memory.transmit,
            handshakes: &mut memory.handshakes,
        };
        let session = match state {
            Some(state) => Session::resume(&CONFIG, device, 7, storage, state),
            None => Session::new(&CONFIG, device, 7, Random::new(0), storage),
        };
        Client { session, trace }
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.trace.now)
    }

    fn act(&mut self, act: Act) {
        let result = match act {
            Act::Open if !self.session.is_connected() => {
                self.trace.begun.clear();
                self.session.opened(self.now())
            }
            Act::Close { by } if self.session.is_connected() => {
                let by = [ClosedBy::Peer, ClosedBy::Network][usize::from(by % 2)];
                let _ = self.session.closed(&by, self.now());
                Ok(())
            }
            Act::Take(count) if self.session.is_connected() => self.take(usize::from(count)),
            Act::TakeAll if self.session.is_connected() => self.take(usize::MAX),
            Act::Hear { kind, id } if self.session.is_connected() => {
                let packets_v5 = [
                    &[0x20, 3, 0, 0, 0][..],
                    &[0x20, 3, 1, 0, 0],
                    &[0x20, 6, 0, 0, 3, 0x21, 0, 1 + id % 3],
                    &[0x20, 6, 1, 0, 3, 0x22, 0, id % 4],
                    &[0x20, 8, 1, 0, 5, 0x24, id % 2, 0x13, 0, id],
                    &[0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 1 + id % 32],
                    &[0x20, 3, 0, 0x87, 0],
                    &[0x40, 2, 0, id],
                    &[0x40, 3, 0, id, 0x10],
                    &[0x40, 3, 0, id, 0x87],
                    &[0x40, 3, 0, id, 0x97],
                    &[0x50, 2, 0, id],
                    &[0x50, 3, 0, id, 0x91],
                    &[0x50, 3, 0, id, 0x97],
                    &[0x70, 2, 0, id],
                    &[0x70, 3, 0, id, 0x92],
                    &[0xd0, 0],
                    &[0xe0, 1, 0x80 | id],
                    &[0x34, 6, 0, 1, b'a', 0, 1 + id % 2, 0],
                    &[0x62, 3, 0, 1 + id % 2, 0x92],
                ];
                let packets = [
                    &[0x20, 2, 0, 0][..],
                    &[0x20, 2, 1, 0],
                    &[0x40, 2, 0, id],
                    &[0x50, 2, 0, id],
                    &[0x70, 2, 0, id],
                    &[0xd0, 0],
                    &[0x20, 2, 0, id % 6],
                ];
                let packets = if self.trace.is_v5 {
                    &packets_v5[..]
                } else {
                    &packets
                };
                self.hear(packets[usize::from(kind) % packets.len()])
            }
            Act::Queue => {
                self.queue();
                Ok(())
            }
            Act::Wait(eighths) => {
                self.trace.now += u64::from(eighths) * 125;
                self.expire()
            }
            Act::WaitForDeadline if self.session.deadline() != Instant::NEVER => {
                self.trace.now = self.trace.now.max(self.session.deadline().as_millis());
                self.expire()
            }
            Act::Stop => {
                self.session.stop();
                Ok(())
            }
            Act::Leave => {
                self.session.leave();
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(close) = result {
            assert!(!close.to_string().is_empty());
            let _ = self.session.closed(&ClosedBy::Us(close), self.now());
            assert!(!self.session.is_connected());
        }
    }

    fn queue(&mut self) {
        let text = format!("{},1", self.trace.queued);
        let sample = Sample::of_text(text.as_bytes(), Quality::Good).expect("a comma");
        self.session.accepts_at(self.now().as_millis() as i64);
        while !self.session.queue(0, false, &sample) {
            if self.session.make_room(&sample) == Room::None {
                break;
            }
        }
        self.trace.queued += 1;
    }

    fn hear(&mut self, mut bytes: &[u8]) -> Result<(), Close> {
        let now = self.now();
        while !bytes.is_empty() {
            let room = self.session.input();
            let count = room.len().min(bytes.len());
            if count == 0 {
                self.take(usize::MAX)?;
                assert!(
                    !self.session.input().is_empty(),
                    "all is written, and it reads nothing"
                );
                continue;
            }
            room[..count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            self.session.received(count, now)?;
        }
        Ok(())
    }

    fn take(&mut self, mut count: usize) -> Result<(), Close> {
        while count > 0 && self.session.is_connected() {
            let now = self.now();
            let bytes = match self.session.output(now) {
                Ok(bytes) => bytes,
                Err(close) => {
                    let all_is_said = matches!(close, Close::Finished | Close::Wiped);
                    assert!(
                        !all_is_said || self.trace.begun.is_empty(),
                        "half of a packet"
                    );
                    return Err(close);
                }
            };
            let piece = bytes.len().min(count);
            if piece == 0 {
                break;
            }
            self.trace.begun.extend_from_slice(&bytes[..piece]);
            self.session.sent(piece, now);
            count -= piece;
            self.trace.read();
        }
        Ok(())
    }

    fn expire(&mut self) -> Result<(), Close> {
        let now = self.now();
        self.session.expire(now)?;
        assert!(self.session.deadline() > now, "the deadline was kept");
        Ok(())
    }

    fn check(&self) {
        let counters = self.session.counters();
        let accounted = counters.queued + counters.sent + counters.dropped;
        assert_eq!(accounted, self.trace.queued, "{counters}");
        let answered = counters.acknowledged + counters.refused;
        assert!(answered <= counters.sent, "{counters}");
        let outbox = self.session.outbox();
        assert!(outbox.in_flight() <= self.trace.window);
        let mut values = BTreeSet::new();
        outbox.for_each_unconfirmed(|_, sample, _| {
            assert!(values.insert(sample.value.to_vec()), "a sample twice");
        });
    }
}

impl Trace {
    fn read(&mut self) {
        let take = if self.is_v5 {
            take_packet_v5
        } else {
            take_packet
        };
        while let Some(packet) = take(&mut self.begun) {
            self.said.push(packet.to_string());
        }
    }
}

//! What happens in a life: an explicit list, drawn from the seed, of which any part can be left out.

mod storage;
mod story;

use std::fmt::{self, Display, Formatter};

use fastrand::Rng;
use mqtt_client_core::spool::Fault;

use crate::broker::Greeting;
use crate::line::{Cut, Direction};
use crate::network::{Door, Names};
use crate::proxy::ProxyFault;
use crate::world::{Device, Edition, World};

/// A life's world, and what happens in it, in the order of time.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub world: World,
    pub happenings: Vec<Happening>,
    /// The first process ends in the middle of this change to this device's storage, counted from its start.
    pub ends_at: Option<(usize, StorageFault)>,
}

/// Something happens at a time, in milliseconds from the start.
#[derive(Debug, Clone)]
pub struct Happening {
    /// Its place in the list that the seed gives.
    pub number: usize,
    pub at: u64,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Samples are published on a signal's channel.
    Publish {
        device: usize,
        signal: usize,
        samples: Vec<Published>,
    },
    /// A line has a fault, for so many milliseconds where it lasts.
    Line(End, LineFault, u64),
    Broker(usize, BrokerFault, u64),
    Redis(RedisFault, u64),
    /// The bridge's clock jumps ahead.
    ClockAhead(u64),
    ClockBack(u64),
    /// The bridge is not called for so long.
    Oversleep(u64),
    Reload(Edition),
    /// The bridge's process dies, and another begins.
    Kill,
    /// It is told to end, ends, and another begins.
    Restart,
    /// The machine loses its power, and has it again.
    PowerCut,
    Storage(usize, StorageFault, u64),
}

/// What becomes of a device's storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageFault {
    Fails(Fault),
    /// It can be read, and nothing can be changed.
    FailsToWrite(Fault),
    Hangs,
    /// The process dies in the middle of a change to it, so many changes from now, or the power is cut then.
    Dies(u32),
    CutsPower(u32),
}

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// A value that nobody has seen.
    New,
    /// The same, with quality 0.
    NewBad,
    /// The signal's last value, with a new time.
    Same,
    Malformed,
    Oversized,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Redis,
    Broker(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFault {
    Cut(Cut, Option<(Direction, usize)>),
    Door(Door),
    Names(Names),
    /// Look-ups and connecting take so long, in milliseconds.
    Delays(u64, u64),
    Latency(u64, u64),
    Piece(usize),
    Window(usize),
    Stall(Direction),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerFault {
    /// It is gone for the fault's time.
    Crash {
        keeps_session: bool,
    },
    Greeting(Greeting),
    NoPings,
    /// Acknowledgements are held back, and sent in any order at the end.
    HoldAcks,
    /// Each acknowledgement is sent twice, some later again.
    DoubleAcks,
    /// Of the next acknowledgements so many are swallowed.
    SwallowAcks(u8),
    /// Acknowledgements go out in their order, one in so many milliseconds.
    SlowAcks(u64),
    /// It takes so many messages in a second, and passes over in silence what exceeds that: with 0, what it does not know (QoS 2 at AWS IoT Core).
    Throttle(usize),
    /// A message of this QoS and length comes to the client, that has not subscribed. Its identifier is this, if it has one, or the next that
    /// is free.
    Publish(u8, usize, u16),
    /// The topic of this signal: the broker closes the connection on a PUBLISH to it.
    Forbid(usize),
    Hostile(Hostile),
    /// The proxy before it does this.
    Proxy(ProxyFault),
}

/// What no broker may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hostile {
    SecondConnack,
    ZeroIdentifier,
    OtherHandshake,
    ReservedFlags,
    WrongLength,
    EndlessLength,
    PublishOfQos3,
    PublishWithoutIdentifier,
    Suback,
    EarlyPubcomp,
    Garbage(u8),
}

pub const HOSTILE: [Hostile; 10] = [
    Hostile::SecondConnack,
    Hostile::ZeroIdentifier,
    Hostile::OtherHandshake,
    Hostile::ReservedFlags,
    Hostile::WrongLength,
    Hostile::EndlessLength,
    Hostile::PublishOfQos3,
    Hostile::PublishWithoutIdentifier,
    Hostile::Suback,
    Hostile::EarlyPubcomp,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisFault {
    Crash,
    /// It answers commands with this error.
    Error(&'static str),
    /// It answers PING with this error.
    PingError(&'static str),
    /// Its ACL withholds the channels whose bits are set, in their order.
    Refuse(u16),
    Silent,
    /// Bytes that are no RESP2.
    Garbage,
    /// A confirmation that nobody asked for.
    Unasked,
    /// A message on a channel that nobody subscribed to.
    Stranger,
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        Self::draw_in(seed, |_| {})
    }

    /// The same in a world that is changed before anything happens.
    #[must_use]
    pub fn draw_in(seed: u64, change: impl FnOnce(&mut World)) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut world = World::draw(&mut rng);
        change(&mut world);
        let mut own = rng.clone();
        let mut happenings = if rng.u8(..10) == 0 {
            story::calm(&world, &mut rng)
        } else {
            let mut happenings = storm(&world, &mut rng);
            happenings.extend(story::proxies(&world, &mut own.fork()));
            happenings.extend(storage::spools(&world, &mut own.fork()));
            if own.u8(..8) == 0 {
                happenings.extend(story::talk_without_pong(&world, &mut own));
            }
            happenings
        };
        happenings.sort_by_key(|(at, _)| *at);
        let happenings = (happenings.into_iter().enumerate())
            .map(|(number, (at, what))| Happening { number, at, what })
            .collect();
        Plan {
            seed,
            world,
            happenings,
            ends_at: None,
        }
    }

    /// The same, of which only these happen.
    #[must_use]
    pub fn only(&self, numbers: &[usize]) -> Self {
        let kept = self.happenings.iter();
        let kept = kept.filter(|happening| numbers.contains(&happening.number));
        Plan {
            happenings: kept.cloned().collect(),
            ..self.clone()
        }
    }

    /// Whether something befalls this broker, its line, or all.
    #[must_use]
    pub fn befalls(&self, number: usize, counts: impl Fn(&BrokerFault) -> bool) -> bool {
        let mut all = self.happenings.iter().map(|happening| &happening.what);
        self.ends_at.is_some()
            || all.any(|what| match what {
                What::Publish { .. } | What::Redis(..) | What::Line(End::Redis, ..) => false,
                What::Storage(_, fault, _) => fault.ends_the_process(),
                What::Line(End::Broker(device), ..) => *device == number,
                What::Broker(device, fault, _) => *device == number && counts(fault),
                _ => true,
            })
    }

    #[must_use]
    pub fn numbers(&self) -> Vec<usize> {
        self.happenings
            .iter()
            .map(|happening| happening.number)
            .collect()
    }
}

impl StorageFault {
    #[must_use]
    pub fn ends_the_process(&self) -> bool {
        matches!(self, StorageFault::Dies(_) | StorageFault::CutsPower(_))
    }
}

/// Anything at any time.
fn storm(world: &World, rng: &mut Rng) -> Vec<(u64, What)> {
    let mut happenings = Vec::new();
    for _ in 0..rng.usize(5..60) {
        let what = publication(world, rng);
        happenings.push((rng.u64(0..world.storm), what));
    }
    for _ in 0..rng.usize(0..20) {
        if let Some(what) = fault(world, rng) {
            happenings.push((rng.u64(0..world.storm), what));
        }
    }
    if rng.u8(..3) == 0 {
        let at = rng.u64(0..world.storm / 2);
        happenings.extend(story::rare_moment(world, at, rng));
    }
    happenings
}

fn publication(world: &World, rng: &mut Rng) -> What {
    let device = rng.usize(..world.devices.len());
    let count = [1, 1, 1, 3, 10, 60][rng.usize(..6)];
    let samples = (0..count)
        .map(|_| match rng.u8(..20) {
            0 => Published::Malformed,
            1 if rng.u8(..3) == 0 => Published::Oversized,
            2..6 => Published::Same,
            6..8 => Published::NewBad,
            _ => Published::New,
        })
        .collect();
    What::Publish {
        device,
        signal: rng.usize(..world.devices[device].signals),
        samples,
    }
}

fn fault(world: &World, rng: &mut Rng) -> Option<What> {
    let lasts = [100, 2000, 10_000, 50_000, 120_000][rng.usize(..5)];
    let lasts = rng.u64(1..lasts);
    let device = rng.usize(..world.devices.len());
    let spared = world.spared == Some(device);
    Some(match rng.u8(..24) {
        0..9 if !spared => What::Line(End::Broker(device), line_fault(rng), lasts),
        9..17 if !spared => What::Broker(device, broker_fault(world, device, rng), lasts),
        // What befalls Redis or the clock befalls all.
        _ if world.spared.is_some() => return None,
        17..19 => What::Line(End::Redis, line_fault(rng), lasts),
        19 => What::Redis(redis_fault(rng), lasts),
        20 => {
            let most = [5000, 100_000, 20_000_000][rng.usize(..3)];
            What::ClockAhead(rng.u64(1..most))
        }
        21 => What::ClockBack(rng.u64(1..30_000)),
        22 => What::Oversleep(lasts.min(20_000)),
        23 if world.restarts => What::Kill,
        23 => What::Reload(Edition {
            turned: rng.bool(),
            without_last: rng.u8(..3) == 0,
            keep_alive: u64::from(rng.u8(..3) == 0) * rng.u64(1..4),
        }),
        _ => return None,
    })
}

fn line_fault(rng: &mut Rng) -> LineFault {
    let direction = if rng.bool() {
        Direction::ToServer
    } else {
        Direction::ToClient
    };
    match rng.u8(..12) {
        0..4 => {
            let how = [Cut::Fin, Cut::Reset, Cut::Silent][rng.usize(..3)];
            let after = rng.bool().then(|| (direction, rng.usize(1..200)));
            LineFault::Cut(how, after)
        }
        4 => LineFault::Door([Door::Refused, Door::Silent, Door::Untrusted][rng.usize(..3)]),
        5 => LineFault::Names([Names::Unknown, Names::Silent][rng.usize(..2)]),
        6 => LineFault::Delays(rng.u64(0..25_000), rng.u64(0..25_000)),
        7 => {
            let least = rng.u64(0..2000);
            LineFault::Latency(least, least + rng.u64(0..4000))
        }
        8 => LineFault::Piece(rng.usize(1..10)),
        9 => LineFault::Window(rng.usize(1..100)),
        _ => LineFault::Stall(direction),
    }
}

/// A broker that denies an earlier process's session deceives any client: that is not asked for.
fn broker_fault(world: &World, device: usize, rng: &mut Rng) -> BrokerFault {
    let device = &world.devices[device];
    let may_deny = device.earlier_session.is_none() && !world.restarts;
    match rng.u8(..22) {
        20..22 => BrokerFault::Throttle([0, 0, 1, 20][rng.usize(..4)]),
        0..2 => BrokerFault::Crash {
            keeps_session: true,
        },
        2 => BrokerFault::Crash {
            keeps_session: false,
        },
        3 => BrokerFault::Greeting(Greeting::Refuse(rng.u8(1..8))),
        4 => BrokerFault::Greeting(
            [Greeting::HangUp, Greeting::ThrowOut, Greeting::Silence][rng.usize(..3)],
        ),
        5 if may_deny => BrokerFault::Greeting(Greeting::DenySession),
        5 => BrokerFault::Greeting(Greeting::ClaimSession),
        6 => BrokerFault::NoPings,
        7..9 => BrokerFault::HoldAcks,
        9..11 => BrokerFault::DoubleAcks,
        11 => BrokerFault::Hostile(Hostile::Garbage(rng.u8(1..40))),
        12..14 => BrokerFault::Hostile(HOSTILE[rng.usize(..HOSTILE.len())]),
        14 => BrokerFault::SwallowAcks(rng.u8(1..4)),
        15 => BrokerFault::SlowAcks(rng.u64(1..1000)),
        16 => BrokerFault::Forbid(rng.usize(..device.signals)),
        _ => {
            let longest = [2, 100, 300, 20_000][rng.usize(..4)];
            BrokerFault::Publish(rng.u8(..3), rng.usize(..longest), rng.u16(..))
        }
    }
}

fn redis_fault(rng: &mut Rng) -> RedisFault {
    match rng.u8(..14) {
        0 => RedisFault::Crash,
        1 => RedisFault::Error("LOADING Redis is loading the dataset in memory"),
        2 => RedisFault::Error("NOAUTH Authentication required."),
        3 => RedisFault::Error("ERR max number of clients reached"),
        4 => RedisFault::Silent,
        5 => RedisFault::Garbage,
        6 => RedisFault::Unasked,
        7 => RedisFault::Stranger,
        8..11 => RedisFault::PingError(
            [
                "MISCONF Redis is unable to persist to disk",
                "NOPERM this user has no permissions to run the 'ping' command",
                "BUSY Redis is busy running a script",
            ][rng.usize(..3)],
        ),
        11 => RedisFault::Refuse(u16::MAX),
        _ => RedisFault::Refuse(rng.u16(..)),
    }
}

impl Display for Happening {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>3}  {:>9.3} s  ",
            self.number,
            self.at as f64 / 1000.0
        )?;
        match &self.what {
            What::Publish {
                device,
                signal,
                samples,
            } => {
                let channel = Device::channel(*device, *signal);
                match samples.as_slice() {
                    [one] => write!(f, "{channel}: a sample ({one:?})"),
                    many => write!(f, "{channel}: {} samples", many.len()),
                }
            }
            What::Line(end, fault, lasts) => write!(f, "{end}: {fault:?}, {lasts} ms"),
            What::Broker(device, fault, lasts) => {
                write!(f, "{}: {fault:?}, {lasts} ms", End::Broker(*device))
            }
            What::Redis(fault, lasts) => write!(f, "redis: {fault:?}, {lasts} ms"),
            What::ClockAhead(millis) => write!(f, "the clock jumps ahead by {millis} ms"),
            What::ClockBack(millis) => write!(f, "the clock jumps back by {millis} ms"),
            What::Oversleep(millis) => write!(f, "the bridge is held up for {millis} ms"),
            What::Kill => f.write_str("the bridge is killed and started"),
            What::Restart => f.write_str("the bridge is stopped and started"),
            What::PowerCut => f.write_str("the power is cut and comes back"),
            What::Storage(device, fault, lasts) => {
                write!(f, "storage {device}: {fault:?}, {lasts} ms")
            }
            What::Reload(edition) => write!(f, "reload: {edition:?}"),
        }
    }
}

impl Display for End {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            End::Redis => f.write_str("redis"),
            End::Broker(device) => write!(f, "broker {device}"),
        }
    }
}

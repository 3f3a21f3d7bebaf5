//! Which faults happen in a life, and when? A list that follows from a number.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

use super::DEVICES;
use crate::proxy::{BOTH, Fault, Treatment, Way};

/// Reconnects that one link may need in a life: the delays before them are 0, 1, 2 and 4 s.
const RECONNECTS: usize = 4;

/// One fault, and the load on both sides of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Messages for each signal while the fault happens, and as many afterwards.
    pub load: u64,
    pub event: Event,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection fails when `after` more bytes have passed `way`, and is healed or ended after `hold`.
    Link {
        link: Link,
        way: Way,
        after: usize,
        fault: Fault,
        hold: Duration,
    },
    /// As above, and nobody but the daemon does anything about it.
    Unattended {
        link: Link,
        after: usize,
        treatment: Treatment,
    },
    /// Connections are closed, and refused for so long.
    Refused { link: Link, hold: Duration },
    /// A server is ended with SIGTERM and started again.
    Restarted(Server),
    /// A server is ended with SIGKILL and started again.
    Killed(Server),
    /// A process stands still for so long (SIGSTOP, SIGCONT).
    Paused(Program, Duration),
    /// Redis closes the subscriber's connection (CLIENT KILL).
    ThrownOutByRedis,
}

/// A link of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Redis,
    /// To the broker of this one of [`DEVICES`].
    Broker(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Redis,
    Broker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Redis,
    Broker,
    Daemon,
}

/// What a life is like apart from its faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// MQTT 3.1.1 over TCP.
    Plain,
    /// MQTT 3.1 over TCP.
    Old,
    /// MQTT 3.1.1 over TLS, where any bit of any byte may be flipped.
    Tls,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Old, Self::Tls];

    /// What it is called on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Old => "old",
            Self::Tls => "tls",
        }
    }
}

/// The plan of a life.
#[must_use]
pub fn plan(rng: &mut Rng, setting: Setting, steps: usize) -> Vec<Step> {
    let mut left = [RECONNECTS; 1 + DEVICES.len()];
    std::iter::repeat_with(|| {
        let load = rng.u64(5..60);
        Step {
            load,
            event: event(rng, setting, load),
        }
    })
    .filter(|step| step.event.spend(&mut left))
    .take(steps)
    .collect()
}

fn event(rng: &mut Rng, setting: Setting, load: u64) -> Event {
    let pause = Duration::from_millis(rng.u64(20..600));
    match rng.u8(..16) {
        0 => Event::Refused {
            link: any_link(rng),
            hold: pause,
        },
        1 => Event::Restarted(any_server(rng)),
        2 => Event::Killed(any_server(rng)),
        3 | 4 => {
            let program = [Program::Redis, Program::Broker, Program::Daemon][rng.usize(..3)];
            Event::Paused(program, pause)
        }
        5 => Event::ThrownOutByRedis,
        6 => Event::Unattended {
            link: Link::Broker(rng.usize(..DEVICES.len())),
            after: rng.usize(..bytes(load, PUBLISH)),
            treatment: [Treatment::Swallow, Treatment::Stall][rng.usize(..2)],
        },
        _ => link_event(rng, setting, load, pause),
    }
}

fn link_event(rng: &mut Rng, setting: Setting, load: u64, hold: Duration) -> Event {
    let link = any_link(rng);
    let way = match link {
        // The daemon has nothing to say to Redis, and a broker nothing at QoS 0.
        Link::Redis => Way::ToClient,
        Link::Broker(device) if DEVICES[device].1 == 0 => Way::ToServer,
        Link::Broker(_) => BOTH[rng.usize(..2)],
    };
    let each = match (link, way) {
        (Link::Redis, _) => PUSH,
        (_, Way::ToServer) => PUBLISH,
        (_, Way::ToClient) => ACKNOWLEDGEMENT,
    };
    let flip = match (setting, link) {
        (Setting::Tls, Link::Broker(_)) => Some(Fault::Flip {
            way,
            skip: rng.usize(..60),
            bit: rng.u8(..8),
        }),
        // The first byte of a packet of the broker's.
        (_, Link::Broker(_)) if way == Way::ToClient => Some(Fault::Flip {
            way,
            skip: 0,
            bit: rng.u8(..8),
        }),
        _ => None,
    };
    let ways = [BOTH, &BOTH[..1], &BOTH[1..]][rng.usize(..3)];
    let fault = match (rng.u8(..8), flip) {
        (0, _) => Fault::Cut,
        (1, _) => Fault::Reset,
        (2, _) => Fault::Treat(ways, Treatment::Swallow),
        (3, _) => Fault::Treat(ways, Treatment::Stall),
        (4, _) => Fault::Treat(ways, Treatment::Split(rng.usize(1..9))),
        (5, _) => Fault::Treat(ways, Treatment::Delay(hold / 20)),
        (_, Some(flip)) => flip,
        // One byte at a time.
        (_, None) => Fault::Treat(ways, Treatment::Split(1)),
    };
    Event::Link {
        link,
        way,
        after: rng.usize(..bytes(load, each)),
        fault,
        hold,
    }
}

fn any_link(rng: &mut Rng) -> Link {
    match rng.usize(..1 + DEVICES.len()) {
        0 => Link::Redis,
        device => Link::Broker(device - 1),
    }
}

fn any_server(rng: &mut Rng) -> Server {
    [Server::Redis, Server::Broker][rng.usize(..2)]
}

/// Bytes that a message makes at least on a link: half of the shortest packet's, since not every message is sent on.
const PUSH: usize = 25;
const PUBLISH: usize = 11;
const ACKNOWLEDGEMENT: usize = 2;

/// Bytes that pass at least for a device's two signals, so that a fault that waits for fewer comes about.
fn bytes(load: u64, each: usize) -> usize {
    usize::try_from(load).expect("a small number") * 2 * each
}

impl Event {
    /// Whether the connection of `link` is lost for certain, or may be.
    #[must_use]
    pub fn ends(&self, lost: Link) -> bool {
        match self {
            Self::Link { link, fault, .. } => {
                *link == lost
                    && matches!(
                        fault,
                        Fault::Cut
                            | Fault::Reset
                            | Fault::Flip { .. }
                            | Fault::Treat(_, Treatment::Swallow)
                    )
            }
            Self::Unattended { link, .. } | Self::Refused { link, .. } => *link == lost,
            Self::Restarted(server) | Self::Killed(server) => match lost {
                Link::Redis => *server == Server::Redis,
                Link::Broker(_) => *server == Server::Broker,
            },
            Self::ThrownOutByRedis => lost == Link::Redis,
            Self::Paused(..) => false,
        }
    }

    /// Takes the reconnects that it needs from what each link has left; whether they suffice.
    fn spend(&self, left: &mut [usize; 1 + DEVICES.len()]) -> bool {
        let cost = match self {
            // The first attempt finds nobody.
            Self::Refused { .. } | Self::Restarted(_) | Self::Killed(_) => 2,
            _ => 1,
        };
        let links = std::iter::once(Link::Redis).chain((0..DEVICES.len()).map(Link::Broker));
        let spent: Vec<_> = links
            .map(|link| usize::from(self.ends(link)) * cost)
            .collect();
        if spent
            .iter()
            .zip(left.iter())
            .any(|(cost, left)| cost > left)
        {
            return false;
        }
        left.iter_mut()
            .zip(spent)
            .for_each(|(left, cost)| *left -= cost);
        true
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link {
                link,
                way,
                after,
                fault,
                hold,
            } => write!(
                f,
                "{link}: {fault:?} after {after} bytes {way:?}, for {hold:?}"
            ),
            Self::Unattended {
                link,
                after,
                treatment,
            } => write!(
                f,
                "{link}: {treatment:?} after {after} bytes ToServer, until the daemon notices"
            ),
            Self::Refused { link, hold } => write!(f, "{link}: refused for {hold:?}"),
            Self::Restarted(server) => write!(f, "{server:?} restarted"),
            Self::Killed(server) => write!(f, "{server:?} killed and started again"),
            Self::Paused(program, hold) => write!(f, "{program:?} stopped for {hold:?}"),
            Self::ThrownOutByRedis => f.write_str("the subscriber thrown out by Redis"),
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis => f.write_str("link to Redis"),
            Self::Broker(device) => write!(f, "link of {}", DEVICES[*device].0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_gives_the_same_plan_again_and_no_link_is_lost_too_often() {
        for seed in 0..200 {
            for setting in Setting::ALL {
                let made = || plan(&mut Rng::with_seed(seed), setting, 12);
                let steps = made();
                assert_eq!(steps, made());
                assert_eq!(steps.len(), 12);
                let lost = |link| steps.iter().filter(|step| step.event.ends(link)).count();
                assert!(lost(Link::Redis) <= RECONNECTS && lost(Link::Broker(0)) <= RECONNECTS);
            }
        }
    }
}

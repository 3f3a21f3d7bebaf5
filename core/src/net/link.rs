//! One link: looks up a name, connects, carries bytes between a protocol and the network, and begins again after a while
//! when that fails.

use core::fmt::{self, Display};
use core::net::SocketAddr;

use embedded_nal::{AddrType, TcpError, TcpErrorKind, nb};

use super::backoff::{Backoff, HELD, LONGEST};
use super::exchange::{Broken, exchange, send};
use super::protocol::{ClosedBy, Protocol, Retry};
use super::reason::{ReasonText, Reported, TimedOut};
use super::{Network, NetworkError};
use crate::log::{Shown, debug, error, info, warning};
use crate::time::{Instant, SECOND};

/// Longest [`Target::connect_within`] that makes sense, in milliseconds.
pub const CONNECT_WITHIN: u64 = 20 * SECOND;

/// Where a link leads.
#[derive(Debug, Clone, Copy)]
pub struct Target<'t> {
    /// What the log calls it.
    pub name: &'t str,
    /// Address or domain name.
    pub host: &'t str,
    pub port: u16,
    /// Longest wait for a name and a connection, handshakes below the protocol's included, in milliseconds.
    pub connect_within: u64,
}

/// A link; `S` is the network's socket.
pub struct Link<S> {
    state: State<S>,
    backoff: Backoff,
    reported: Reported,
}

enum State<S> {
    Waiting {
        until: Instant,
    },
    Resolving {
        give_up: Instant,
    },
    Connecting {
        socket: S,
        address: SocketAddr,
        give_up: Instant,
    },
    Open {
        socket: S,
        since: Instant,
    },
    Ended,
}

/// Why an attempt or a connection failed.
enum Failure<C> {
    Protocol(C),
    Network { by_peer: bool, permanent: bool },
}

impl<S> Default for Link<S> {
    fn default() -> Self {
        Link {
            state: State::Waiting {
                until: Instant::default(),
            },
            backoff: Backoff::default(),
            reported: Reported::default(),
        }
    }
}

impl<S> Link<S> {
    /// Does all that can be done now, and tells when to come back, unless the network wakes the caller before: `now` itself if
    /// there is more to do than one turn allows.
    #[must_use]
    pub fn poll<N, P>(
        &mut self,
        now: Instant,
        net: &mut N,
        target: Target<'_>,
        protocol: &mut P,
    ) -> Instant
    where
        N: Network<TcpSocket = S>,
        P: Protocol,
    {
        loop {
            match &mut self.state {
                State::Ended => return Instant::NEVER,
                State::Waiting { until } if now < *until => return *until,
                State::Waiting { .. } => {
                    self.state = State::Resolving {
                        give_up: now + target.connect_within,
                    }
                }
                State::Resolving { give_up } => {
                    let give_up = *give_up;
                    match net.get_host_by_name(target.host, AddrType::Either) {
                        Ok(address) => match net.socket() {
                            Ok(socket) => {
                                let address = SocketAddr::new(address, target.port);
                                self.state = State::Connecting {
                                    socket,
                                    address,
                                    give_up,
                                };
                            }
                            Err(error) => self.fail(
                                now,
                                net,
                                target,
                                protocol,
                                network_failure(&error),
                                &error,
                            ),
                        },
                        Err(nb::Error::WouldBlock) if now < give_up => return give_up,
                        Err(nb::Error::WouldBlock) => {
                            self.time_out(now, net, target, protocol, "the name look-up")
                        }
                        Err(nb::Error::Other(error)) => {
                            let failure = Failure::Network {
                                by_peer: false,
                                permanent: error.is_permanent(),
                            };
                            self.fail(now, net, target, protocol, failure, &error);
                        }
                    }
                }
                State::Connecting {
                    socket,
                    address,
                    give_up,
                } => {
                    let give_up = *give_up;
                    match net.connect(socket, *address) {
                        Ok(()) => self.open(now, net, target, protocol),
                        Err(nb::Error::WouldBlock) if now < give_up => return give_up,
                        Err(nb::Error::WouldBlock) => {
                            self.time_out(now, net, target, protocol, "connecting")
                        }
                        Err(nb::Error::Other(error)) => {
                            self.fail(now, net, target, protocol, network_failure(&error), &error);
                        }
                    }
                }
                State::Open { socket, since } => {
                    if now.since(*since) >= HELD {
                        self.backoff.start_over();
                        self.reported = Reported::default();
                    }
                    match exchange(now, net, socket, protocol) {
                        Ok(wake_up) => return wake_up,
                        Err(Broken::Network(error)) => {
                            self.fail(now, net, target, protocol, network_failure(&error), &error);
                        }
                        Err(Broken::Protocol(close)) => {
                            let reason = ReasonText::of(&close);
                            self.fail(
                                now,
                                net,
                                target,
                                protocol,
                                Failure::Protocol(close),
                                &reason,
                            );
                        }
                    }
                }
            }
        }
    }

    /// Closes the connection, if there is one, and makes no other.
    pub fn end<N: Network<TcpSocket = S>>(&mut self, net: &mut N) {
        if let State::Connecting { socket, .. } | State::Open { socket, .. } =
            core::mem::replace(&mut self.state, State::Ended)
        {
            // Nothing can be done about an error of closing.
            let _ = net.close(socket);
        }
    }

    /// Writes what the network takes at once, closes, and makes no other connection.
    pub fn flush_and_end<N, P>(&mut self, now: Instant, net: &mut N, protocol: &mut P)
    where
        N: Network<TcpSocket = S>,
        P: Protocol,
    {
        if let State::Open { socket, .. } = &mut self.state {
            // The connection ends in any case.
            let _ = send(now, net, socket, protocol);
        }
        self.end(net);
    }

    /// Whether it makes no other connection.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Whether a connection is open, whatever the protocol makes of it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    fn open<N, P>(&mut self, now: Instant, net: &mut N, target: Target<'_>, protocol: &mut P)
    where
        N: Network<TcpSocket = S>,
        P: Protocol,
    {
        if let State::Connecting {
            socket, address, ..
        } = core::mem::replace(&mut self.state, State::Ended)
        {
            info!(
                "{}: connected to {} ({})",
                target.name,
                Shown(Place(target)),
                Shown(address.ip())
            );
            self.state = State::Open { socket, since: now };
        }
        if let Err(close) = protocol.opened(now) {
            let reason = ReasonText::of(&close);
            self.fail(
                now,
                net,
                target,
                protocol,
                Failure::Protocol(close),
                &reason,
            );
        }
    }

    fn time_out<N, P>(
        &mut self,
        now: Instant,
        net: &mut N,
        target: Target<'_>,
        protocol: &mut P,
        what: &str,
    ) where
        N: Network<TcpSocket = S>,
        P: Protocol,
    {
        let reason = TimedOut {
            what,
            within: target.connect_within,
        };
        self.fail(
            now,
            net,
            target,
            protocol,
            Failure::Network {
                by_peer: false,
                permanent: false,
            },
            &reason,
        );
    }

    /// Closes what there is, reports why, and plans the next attempt.
    fn fail<N, P>(
        &mut self,
        now: Instant,
        net: &mut N,
        target: Target<'_>,
        protocol: &mut P,
        failure: Failure<P::Close>,
        reason: &dyn Display,
    ) where
        N: Network<TcpSocket = S>,
        P: Protocol,
    {
        self.end(net);
        let (by, permanent) = match failure {
            Failure::Protocol(close) => (ClosedBy::Us(close), false),
            Failure::Network {
                by_peer: true,
                permanent,
            } => (ClosedBy::Peer, permanent),
            Failure::Network {
                by_peer: false,
                permanent,
            } => (ClosedBy::Network, permanent),
        };
        let retry = match protocol.closed(&by, now) {
            Retry::BackOff if permanent => Retry::Permanent,
            retry => retry,
        };
        let delay = match retry {
            Retry::Never => {
                info!("{}: {}", target.name, Shown(reason));
                return;
            }
            Retry::AtOnce => 0,
            Retry::BackOff | Retry::Displaced => self.backoff.next_delay(),
            Retry::Permanent => LONGEST,
        };
        self.report(target, retry, reason, delay);
        self.state = State::Waiting { until: now + delay };
    }

    /// Once for each change of the reason at the level that it deserves, further times at a level for whoever looks closely.
    fn report(&mut self, target: Target<'_>, retry: Retry, reason: &dyn Display, delay: u64) {
        let news = self.reported.is_news(retry, reason);
        let (name, place, reason) = (target.name, Shown(Place(target)), Shown(reason));
        let seconds = delay / SECOND;
        match retry {
            Retry::AtOnce | Retry::Never => {
                info!("{}: {}: {}; connecting again", name, place, reason)
            }
            Retry::Displaced if news => error!(
                "{}: {}: another client uses this client_id: thrown out again right after CONNACK; next try in {} s",
                name, place, seconds
            ),
            Retry::Permanent if news => {
                error!("{}: {}: {}; next try in {} s", name, place, reason, seconds)
            }
            Retry::BackOff if news => {
                warning!("{}: {}: {}; next try in {} s", name, place, reason, seconds)
            }
            Retry::Permanent => debug!(
                "{}: {}: still {}; next try in {} s",
                name, place, reason, seconds
            ),
            Retry::Displaced | Retry::BackOff => {
                info!(
                    "{}: {}: still {}; next try in {} s",
                    name, place, reason, seconds
                );
            }
        }
    }
}

/// Host and port; the path of a Unix socket has no port.
struct Place<'t>(Target<'t>);

impl Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Target { host, port: 0, .. } => f.write_str(host),
            Target { host, port, .. } => write!(f, "{host}:{port}"),
        }
    }
}

fn network_failure<E: TcpError + NetworkError, C>(error: &E) -> Failure<C> {
    Failure::Network {
        by_peer: error.kind() == TcpErrorKind::PipeClosed,
        permanent: error.is_permanent(),
    }
}

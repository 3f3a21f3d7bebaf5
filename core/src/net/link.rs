//! One link: looks up a name, connects, by way of a proxy if there is one, carries bytes between a protocol and the network, and begins again after
//! a while when that fails.

use core::fmt::{self, Display};
use core::net::SocketAddr;

use embedded_nal::{AddrType, nb};

use super::Network;
use super::address::Address;
use super::backoff::{Backoff, HELD};
use super::exchange::{exchange, receive, send};
use super::fault::{Fault, FaultOf, Obstacle, ObstacleOf, ReasonText, Reported};
use super::protocol::{Protocol, Retry};
use super::proxy::{Proxy, Tunnel};
use crate::log::{Printed, debug, error, info, warning};
use crate::random::Random;
use crate::secret::Secrets;
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
    /// What the connection goes through.
    pub proxy: Option<&'t Proxy<'t>>,
    /// Longest wait for a name and a connection, handshakes below the protocol's included, in milliseconds.
    pub connect_within: u64,
}

impl Target<'_> {
    /// It has no port, and the address that is connected to means nothing.
    fn is_unix_socket(&self) -> bool {
        self.port == 0
    }

    /// Host and port of what is connected to first.
    fn first(&self) -> (&str, u16) {
        match self.proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (self.host, self.port),
        }
    }
}

/// A link; `S` is the network's socket.
pub struct Link<S> {
    state: State<S>,
    backoff: Backoff,
    reported: Reported,
    #[cfg(feature = "health")]
    last_failure: Option<(Instant, ReasonText)>,
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
        stage: Stage,
        give_up: Instant,
    },
    Open {
        socket: S,
        since: Instant,
    },
    Ended,
}

/// How far a socket has come.
enum Stage {
    /// To the first machine.
    Reaching,
    /// The proxy is asked.
    Tunnelling(Tunnel),
    /// TLS, if there is to be any.
    Securing,
}

/// What one step came to.
enum Step {
    /// The next one can follow at once.
    Done,
    Opened,
    WaitUntil(Instant),
}

impl<S> Link<S> {
    /// A link that connects at the first poll. `random` shortens the delays between its attempts.
    #[must_use]
    pub fn new(random: Random) -> Self {
        Self::with_backoff(Backoff::new(random))
    }

    /// A link that begins anew, with the random numbers of this one.
    #[must_use]
    pub fn begin_anew(mut self) -> Self {
        self.backoff.start_over();
        Self::with_backoff(self.backoff)
    }

    fn with_backoff(backoff: Backoff) -> Self {
        Link {
            state: State::Waiting {
                until: Instant::default(),
            },
            backoff,
            reported: Reported::default(),
            #[cfg(feature = "health")]
            last_failure: None,
        }
    }

    /// Does what can be done in one round, and tells when to come back, unless the network wakes the caller before: `now` itself if there is
    /// more to do.
    ///
    /// Before anything else the protocol's events are to be drained.
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
            match self.advance(now, net, target, protocol) {
                Ok(Step::Done | Step::Opened) => {}
                Ok(Step::WaitUntil(wake_up)) => return wake_up,
                // What the protocol has to tell about it comes before the next attempt.
                Err(fault) => return self.fail(now, net, target, protocol, fault),
            }
        }
    }

    /// Closes the connection for a reason that the protocol gave outside of [`Link::poll`]; when to come back.
    #[must_use]
    pub fn close<N, P>(
        &mut self,
        now: Instant,
        net: &mut N,
        target: Target<'_>,
        protocol: &mut P,
        close: P::Close,
    ) -> Instant
    where
        N: Network<TcpSocket = S>,
        P: Protocol,
    {
        self.fail(now, net, target, protocol, Fault::Protocol(close))
    }

    fn fail<N, P>(
        &mut self,
        now: Instant,
        net: &mut N,
        target: Target<'_>,
        protocol: &mut P,
        fault: FaultOf<N, P>,
    ) -> Instant
    where
        N: Network<TcpSocket = S>,
        P: Protocol,
    {
        let (fault_shown, permanent): (&dyn Display, _) = match &fault {
            Fault::Protocol(close) => (close, false),
            Fault::Obstacle(obstacle) => (obstacle, obstacle.is_permanent()),
        };
        let reason = self.told(fault_shown, target, protocol.secrets());
        if let (State::Open { socket, .. }, Fault::Protocol(close)) = (&mut self.state, &fault) {
            let last_words = protocol.last_words(close);
            if !last_words.is_empty() {
                // The connection ends in any case.
                let _ = net.send(socket, last_words);
            }
        }
        self.end(net);
        let retry = match protocol.closed(&fault.closed_by(), now) {
            Retry::BackOff if permanent => Retry::Permanent,
            retry => retry,
        };
        self.plan_next(now, target, retry, &reason)
    }

    /// A fault in words: whose it is, where there is a proxy, and what the proxy said.
    fn told(&self, fault: &dyn Display, target: Target<'_>, secrets: Secrets<'_>) -> ReasonText {
        let mut text = ReasonText::default();
        let is_proxys = matches!(
            &self.state,
            State::Resolving { .. }
                | State::Connecting {
                    stage: Stage::Reaching,
                    ..
                }
        );
        if is_proxys && target.proxy.is_some() {
            text.add(format_args!("the proxy: "));
        }
        text.add(format_args!("{fault}"));
        if let State::Connecting {
            stage: Stage::Tunnelling(tunnel),
            ..
        } = &self.state
        {
            tunnel.said(secrets, &mut text);
        }
        text
    }

    /// Takes one step towards an open connection, or one turn of an open one.
    fn advance<N, P>(
        &mut self,
        now: Instant,
        net: &mut N,
        target: Target<'_>,
        protocol: &mut P,
    ) -> Result<Step, FaultOf<N, P>>
    where
        N: Network<TcpSocket = S>,
        P: Protocol,
    {
        if let State::Open { socket, since } = &mut self.state {
            if now.since(*since) >= HELD {
                self.backoff.start_over();
                self.reported = Reported::default();
            }
            return exchange(now, net, socket, protocol).map(Step::WaitUntil);
        }
        let step = self.approach(now, net, target)?;
        if let Step::Opened = step {
            protocol.opened(now).map_err(Fault::Protocol)?;
        }
        Ok(step)
    }

    /// Takes one step towards an open connection.
    #[cold]
    fn approach<N>(
        &mut self,
        now: Instant,
        net: &mut N,
        target: Target<'_>,
    ) -> Result<Step, ObstacleOf<N>>
    where
        N: Network<TcpSocket = S>,
    {
        let overdue = |what| Obstacle::TimedOut {
            what,
            within: target.connect_within,
        };
        match &mut self.state {
            State::Open { .. } => {}
            State::Ended => return Ok(Step::WaitUntil(Instant::NEVER)),
            State::Waiting { until } if now < *until => return Ok(Step::WaitUntil(*until)),
            State::Waiting { .. } => {
                self.state = State::Resolving {
                    give_up: now + target.connect_within,
                }
            }
            &mut State::Resolving { give_up } => match net
                .get_host_by_name(target.first().0, AddrType::Either)
            {
                Ok(address) => {
                    let socket = net.socket().map_err(Obstacle::Socket)?;
                    let address = SocketAddr::new(address, target.first().1);
                    self.state = State::Connecting {
                        socket,
                        address,
                        stage: Stage::Reaching,
                        give_up,
                    };
                }
                Err(nb::Error::WouldBlock) if now < give_up => return Ok(Step::WaitUntil(give_up)),
                Err(nb::Error::WouldBlock) => return Err(overdue("the name look-up")),
                Err(nb::Error::Other(error)) => return Err(Obstacle::LookUp(error)),
            },
            State::Connecting {
                socket,
                address,
                stage,
                give_up,
            } => {
                let done = match stage {
                    Stage::Reaching => net.connect(socket, *address),
                    Stage::Tunnelling(tunnel) => match tunnel.advance(net, socket, target)? {
                        true => Ok(()),
                        false => Err(nb::Error::WouldBlock),
                    },
                    Stage::Securing => net.secure(socket),
                };
                match done {
                    Ok(()) => match (&stage, target.proxy) {
                        (Stage::Reaching, Some(proxy)) => {
                            *stage = Stage::Tunnelling(Tunnel::through(proxy));
                        }
                        (Stage::Reaching | Stage::Tunnelling(_), _) => *stage = Stage::Securing,
                        (Stage::Securing, _) => {
                            let (name, place) = (target.name, Printed(Place(target)));
                            if target.is_unix_socket() {
                                info!("{}: connected to {}", name, place);
                            } else {
                                let address = Printed(Address(address.ip()));
                                info!("{}: connected to {} ({})", name, place, address);
                            }
                            self.be_open(now);
                            return Ok(Step::Opened);
                        }
                    },
                    Err(nb::Error::WouldBlock) if now < *give_up => {
                        return Ok(Step::WaitUntil(*give_up));
                    }
                    Err(nb::Error::WouldBlock) => return Err(overdue(stage.name())),
                    Err(nb::Error::Other(error)) => return Err(Obstacle::Socket(error)),
                }
            }
        }
        Ok(Step::Done)
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

    /// Reads once what has arrived: for a connection that is about to end.
    pub fn read_once<N, P>(&mut self, now: Instant, net: &mut N, protocol: &mut P)
    where
        N: Network<TcpSocket = S>,
        P: Protocol,
    {
        if let State::Open { socket, .. } = &mut self.state {
            // The connection ends in any case.
            let _ = receive(now, net, socket, protocol);
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

    /// Why the last connection failed or ended that was not left on purpose, and when: in the words of the log.
    #[cfg(feature = "health")]
    #[must_use]
    pub fn last_failure(&self) -> Option<(Instant, &str)> {
        let (at, reason) = self.last_failure.as_ref()?;
        Some((*at, reason.as_str()))
    }

    /// Whether a connection is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether it makes no other connection.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn be_open(&mut self, now: Instant) {
        if let State::Connecting { socket, .. } = core::mem::replace(&mut self.state, State::Ended)
        {
            self.state = State::Open { socket, since: now };
        }
    }

    /// Tells the log why there is no connection, and plans the next attempt: when it is.
    fn plan_next(
        &mut self,
        now: Instant,
        target: Target<'_>,
        retry: Retry,
        reason: &ReasonText,
    ) -> Instant {
        if retry == Retry::StartOver {
            self.backoff.start_over();
        }
        let delay = match retry {
            Retry::AtOnce | Retry::StartOver | Retry::Never => 0,
            Retry::BackOff | Retry::Displaced => self.backoff.next_delay(),
            Retry::Permanent => self.backoff.longest_delay(),
            Retry::Later(times) => self.backoff.later_delay(times),
        };
        self.report(target, retry, reason, delay);
        #[cfg(feature = "health")]
        if !matches!(retry, Retry::AtOnce | Retry::Never) {
            self.last_failure = Some((now, reason.clone()));
        }
        if retry == Retry::Never {
            return Instant::NEVER;
        }
        let until = now + delay;
        self.state = State::Waiting { until };
        until
    }

    /// Once for each change of the reason at the level that it deserves, further times at a level for whoever looks closely.
    fn report(&mut self, target: Target<'_>, retry: Retry, reason: &dyn Display, delay: u64) {
        let news = self.reported.is_news(retry, reason);
        let (name, place, reason) = (target.name, Printed(Place(target)), Printed(reason));
        let next = Printed(NextTry(delay));
        match retry {
            Retry::Never => info!("{}: {}", name, reason),
            Retry::AtOnce | Retry::StartOver => {
                info!("{}: {}: {}; connecting again", name, place, reason);
            }
            Retry::Displaced if news => error!(
                "{}: {}: another client uses this client_id, or the broker refuses what is sent: thrown out again right after CONNACK; {}",
                name, place, next
            ),
            Retry::Permanent if news => {
                error!("{}: {}: {}; {}", name, place, reason, next)
            }
            Retry::BackOff if news => {
                warning!("{}: {}: {}; {}", name, place, reason, next)
            }
            Retry::Permanent => debug!("{}: {}: still {}; {}", name, place, reason, next),
            Retry::Displaced | Retry::BackOff | Retry::Later(_) => {
                info!("{}: {}: still {}; {}", name, place, reason, next);
            }
        }
    }
}

impl Stage {
    /// What takes too long.
    fn name(&self) -> &'static str {
        match self {
            Stage::Reaching | Stage::Securing => "connecting",
            Stage::Tunnelling(_) => "the proxy's answer",
        }
    }
}

/// When the next attempt comes, after so many milliseconds.
struct NextTry(u64);

impl Display for NextTry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.div_ceil(SECOND) {
            0 => f.write_str("next try at once"),
            seconds => write!(f, "next try in {seconds} s"),
        }
    }
}

/// Host and port, and those of the proxy; the path of a Unix socket has no port.
struct Place<'t>(Target<'t>);

impl Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target {
            host, port, proxy, ..
        } = self.0;
        if self.0.is_unix_socket() {
            return f.write_str(host);
        }
        write!(f, "{host}:{port}")?;
        match proxy {
            Some(proxy) => write!(f, " through proxy {}:{}", proxy.host(), proxy.port()),
            None => Ok(()),
        }
    }
}

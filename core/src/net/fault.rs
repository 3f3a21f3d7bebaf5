//! Why a link failed: who is to blame, and a text that is reported once.

use core::fmt::{self, Display, Write};

use embedded_nal::{Dns, TcpClientStack, TcpError, TcpErrorKind};

use super::NetworkError;
use super::protocol::{ClosedBy, Protocol, Retry};
use super::proxy::Refusal;
use crate::time::SECOND;

/// Why there is no connection (any more): an obstacle below the protocol, or the protocol's reason (`C`).
pub(super) enum Fault<T, D, C> {
    Obstacle(Obstacle<T, D>),
    Protocol(C),
}

/// What ends a connection, or stands in the way of one: an error of the network's sockets (`T`) or name look-up (`D`).
pub(super) enum Obstacle<T, D> {
    Socket(T),
    LookUp(D),
    /// The proxy does not let us through.
    #[cfg_attr(not(feature = "proxy"), expect(dead_code))]
    Proxy(Refusal),
    /// A step of connecting took longer than `within` milliseconds.
    TimedOut {
        what: &'static str,
        within: u64,
    },
}

pub(super) type ObstacleOf<N> = Obstacle<<N as TcpClientStack>::Error, <N as Dns>::Error>;

pub(super) type FaultOf<N, P> =
    Fault<<N as TcpClientStack>::Error, <N as Dns>::Error, <P as Protocol>::Close>;

impl<T: TcpError, D, C> Fault<T, D, C> {
    pub(super) fn closed_by(self) -> ClosedBy<C> {
        match self {
            Fault::Protocol(close) => ClosedBy::Us(close),
            Fault::Obstacle(Obstacle::Socket(error))
                if error.kind() == TcpErrorKind::PipeClosed =>
            {
                ClosedBy::Peer
            }
            Fault::Obstacle(_) => ClosedBy::Network,
        }
    }
}

impl<T: NetworkError, D: NetworkError> Obstacle<T, D> {
    /// Whether only a change of the configuration can help, as far as the network knows; of its own reasons the protocol judges.
    pub(super) fn is_permanent(&self) -> bool {
        match self {
            Obstacle::Socket(error) => error.is_permanent(),
            Obstacle::LookUp(error) => error.is_permanent(),
            Obstacle::Proxy(refusal) => refusal.is_permanent(),
            Obstacle::TimedOut { .. } => false,
        }
    }
}

impl<T, D, C> From<Obstacle<T, D>> for Fault<T, D, C> {
    fn from(obstacle: Obstacle<T, D>) -> Self {
        Fault::Obstacle(obstacle)
    }
}

impl<T: Display, D: Display> Display for Obstacle<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Socket(error) => error.fmt(f),
            Obstacle::LookUp(error) => error.fmt(f),
            Obstacle::Proxy(refusal) => refusal.fmt(f),
            Obstacle::TimedOut { what, within } => {
                write!(f, "{what} took over {} s", within / SECOND)
            }
        }
    }
}

/// Hash of the last reason that was reported, so that it is reported once.
#[derive(Default)]
pub(super) struct Reported(Option<u32>);

/// The text of a reason whose value has to be given away before it is shown.
#[derive(Default, Clone)]
pub(super) struct ReasonText(heapless::String<320>);

impl ReasonText {
    /// More of it. What does not fit is cut off: reasons are bounded far below.
    pub(super) fn add(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(text);
    }

    #[cfg(feature = "health")]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for ReasonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Reported {
    /// Whether this reason differs from the last one.
    pub(super) fn is_news(&mut self, retry: Retry, reason: &dyn Display) -> bool {
        struct Hasher(u32);
        impl Write for Hasher {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0 = text.bytes().fold(self.0, |hash, byte| {
                    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
                });
                Ok(())
            }
        }
        let mut hasher = Hasher(0x811c_9dc5 ^ u32::from(retry == Retry::Displaced));
        // The hasher takes all.
        let _ = write!(hasher, "{reason}");
        self.0.replace(hasher.0) != Some(hasher.0)
    }
}

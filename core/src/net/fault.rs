//! Why a link failed: who is to blame, and a text that is reported once.

use core::fmt::{self, Display, Write};

use embedded_nal::{Dns, TcpClientStack, TcpError, TcpErrorKind};

use super::NetworkError;
use super::protocol::{ClosedBy, Protocol, Retry};
use crate::time::SECOND;

/// Why there is no connection (any more): an error of the network's sockets (`T`) or name look-up (`D`), or the protocol's reason (`C`).
pub(super) enum Fault<T, D, C> {
    Socket(T),
    LookUp(D),
    Protocol(C),
    /// A step of connecting took longer than `within` milliseconds.
    TimedOut {
        what: &'static str,
        within: u64,
    },
}

pub(super) type FaultOf<N, P> =
    Fault<<N as TcpClientStack>::Error, <N as Dns>::Error, <P as Protocol>::Close>;

impl<T: TcpError + NetworkError, D: NetworkError, C> Fault<T, D, C> {
    /// Whether the network knows that only a change of the configuration can help; of its own reasons the protocol judges.
    pub(super) fn is_permanent(&self) -> bool {
        match self {
            Fault::Socket(error) => error.is_permanent(),
            Fault::LookUp(error) => error.is_permanent(),
            Fault::Protocol(_) | Fault::TimedOut { .. } => false,
        }
    }

    pub(super) fn closed_by(self) -> ClosedBy<C> {
        match self {
            Fault::Protocol(close) => ClosedBy::Us(close),
            Fault::Socket(error) if error.kind() == TcpErrorKind::PipeClosed => ClosedBy::Peer,
            Fault::Socket(_) | Fault::LookUp(_) | Fault::TimedOut { .. } => ClosedBy::Network,
        }
    }
}

impl<T: Display, D: Display, C: Display> Display for Fault<T, D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Socket(error) => error.fmt(f),
            Fault::LookUp(error) => error.fmt(f),
            Fault::Protocol(close) => close.fmt(f),
            Fault::TimedOut { what, within } => write!(f, "{what} took over {} s", within / SECOND),
        }
    }
}

/// Hash of the last reason that was reported, so that it is reported once.
#[derive(Default)]
pub(super) struct Reported(Option<u32>);

/// The text of a reason whose value has to be given away before it is shown.
pub(super) struct ReasonText(heapless::String<320>);

impl ReasonText {
    pub(super) fn of(reason: &impl Display) -> Self {
        let mut text = heapless::String::new();
        // What does not fit is cut off: reasons are bounded far below.
        let _ = write!(text, "{reason}");
        ReasonText(text)
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

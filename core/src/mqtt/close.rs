//! Why a connection to a broker is to be closed, sorted by who is to blame.

use core::fmt;

use super::Refusal;
use super::v5;
use super::v5::reason::Reason;
use super::violation::Violation;
use crate::time::SECOND;

/// A reason to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The peer broke the protocol.
    Violation(Violation),
    /// The peer does not want us.
    Refused(Refusal),
    /// The peer does not want us any more: its DISCONNECT of MQTT 5.
    Disconnected(Reason),
    /// The peer or the network: no CONNACK in time, in milliseconds.
    NoConnack(u64),
    /// The same: nothing came in time after PINGREQ, in milliseconds.
    NoPingresp(u64),
    /// The peer: nothing was acknowledged in that time, in milliseconds.
    NoAcknowledgement(u64),
    /// Nobody: the session of an earlier process was wiped out, or is about to be; connect again.
    Wiped,
    /// Nobody: all is said.
    Finished,
    /// We: our buffer does not hold CONNECT; the bytes that it needs.
    ControlTooSmall(usize),
}

impl From<Violation> for Close {
    fn from(violation: Violation) -> Self {
        Close::Violation(violation)
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Half of a short keep-alive is less than a second.
        let seconds = |millis: u64| millis.div_ceil(SECOND);
        match *self {
            Close::Violation(Violation::TlsRecord) => {
                f.write_str("the broker speaks TLS on this port: set auth=tls")
            }
            Close::Violation(violation) => write!(f, "the broker breaks the protocol: {violation}"),
            Close::Refused(refusal) => refusal.fmt(f),
            Close::Disconnected(_) if !cfg!(feature = "mqtt5") => Ok(()),
            Close::Disconnected(reason) => v5::show_reason("the broker disconnects us", reason, f),
            Close::NoConnack(waited) => write!(f, "no CONNACK within {} s", seconds(waited)),
            Close::NoPingresp(waited) => write!(f, "no PINGRESP within {} s", seconds(waited)),
            Close::NoAcknowledgement(waited) => {
                write!(f, "no acknowledgement within {} s", seconds(waited))
            }
            Close::Wiped => f.write_str("an old session is being wiped out"),
            Close::Finished => f.write_str("disconnected"),
            Close::ControlTooSmall(needed) => {
                write!(
                    f,
                    "our control buffer is too small: CONNECT needs {needed} bytes"
                )
            }
        }
    }
}

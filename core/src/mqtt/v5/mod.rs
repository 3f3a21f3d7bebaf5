//! MQTT 5 for a client that only publishes: its packets, as far as they differ from those of 3.1.1.
//!
//! | module | question |
//! |---|---|
//! | [`property`] | what do the properties of a packet say? |
//! | [`encode`] | which properties does this client send? |
//! | [`decode`] | how is a packet of the broker's read? |
//! | [`reason`] | why did the other end do what it did? |
//! | [`breach`] | what may a broker not do? |
//!
//! The rest is one for all versions: the handshakes in [`delivery`](crate::delivery), the session in [`session`](super::session).

pub mod breach;
pub mod decode;
pub mod encode;
pub mod property;
pub mod reason;

use core::fmt;

use reason::Reason;

/// What the broker has done, why, and what to do about it.
pub(super) fn show_reason(what: &str, reason: Reason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // Without MQTT 5 there are no reasons, which the optimiser does not see.
    if !cfg!(feature = "mqtt5") {
        return Ok(());
    }
    write!(f, "{what}: {reason}")?;
    match reason.advice() {
        "" => Ok(()),
        advice => write!(f, "; {advice}"),
    }
}

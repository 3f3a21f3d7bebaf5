//! Why a link failed, as text that is reported once.

use core::fmt::{self, Display, Write};

use super::protocol::Retry;
use crate::time::SECOND;

/// Hash of the last reason that was reported, so that it is reported once.
#[derive(Default)]
pub(super) struct Reported(Option<u32>);

/// A step of connecting took too long.
pub(super) struct TimedOut<'w> {
    pub(super) what: &'w str,
    /// Milliseconds.
    pub(super) within: u64,
}

impl Display for TimedOut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} took over {} s", self.what, self.within / SECOND)
    }
}

/// The text of a reason whose value has to be given away before it is shown.
pub(super) struct ReasonText(heapless::String<200>);

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

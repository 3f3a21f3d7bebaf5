//! How does the daemon reach Redis and the brokers? Through one [`Stack`] per link, which is what the core asks a
//! port for: `embedded_nal`'s `TcpClientStack` and `Dns`, never waiting.
//!
//! - [`stack`]: the link's border to the core;
//! - [`stream`]: one connected descriptor, and what may be done with it without waiting;
//! - [`resolver`]: names to addresses, in a thread that ends with the answer;
//! - [`error`]: what went wrong, in words.
//!
//! TLS, on top of a stream, is in [`crate::tls`].
//!
//! The event loop waits on the process's one poller and hands every event to every stack's [`Stack::ready`]; then
//! it drives each link until that would wait. A finished look-up wakes the loop by `Poller::notify`, without an
//! event.

mod error;
mod resolver;
mod stack;
mod stream;

pub use error::Error;
pub use stack::{Stack, Transport};
#[cfg(feature = "tls")]
pub use stream::Stream;

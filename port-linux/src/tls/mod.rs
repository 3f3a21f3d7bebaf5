//! TLS to a broker (`auth`=`tls`): who are we, whom do we trust, and what goes wrong?
//!
//! - [`pem`]: what a file holds;
//! - [`certificate`]: what a certificate says about itself;
//! - [`identity`]: a device's files, checked, as what its connections are made with;
//! - [`own`]: the certificate and key that it shows;
//! - [`system`]: the public authorities that the system trusts;
//! - [`chain_only`]: how is a broker checked with `tls_verify_hostname`=0;
//! - [`weak`]: is it a short key that keeps a certificate from being accepted;
//! - [`setup`]: what its connections are made with, and when;
//! - [`entropy`]: has the system random numbers yet;
//! - [`resumption`]: which earlier session is offered to the broker, and until when;
//! - [`session`]: one connection, over one stream;
//! - [`fault`]: why a connection fails, in words that an integrator can act on.
//!
//! The protocol itself is rustls's, the cryptography ring's.

mod certificate;
mod chain_only;
mod entropy;
mod fault;
mod identity;
mod own;
mod pem;
mod resumption;
mod session;
mod setup;
mod system;
#[cfg(test)]
pub mod testing;
mod weak;

pub use fault::Fault;
pub use identity::Identity;
pub use session::{Handshakes, Session};
pub use system::SystemRoots;

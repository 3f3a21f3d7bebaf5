//! Which TLS session can a device's next connection resume? The last ones that its broker gave, until one of them does harm.
//!
//! A broker that does not take an offered session should make a full handshake of it; some break the connection off instead (OpenSSL without a
//! session id context, which asks for client certificates, does). Offered again, such a session would keep the link down for ever. So all of
//! them are forgotten after a connection that offered one and did not come as far as data from the broker.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// TLS 1.3 tickets that are kept; a broker sends two per connection, usually.
const TICKETS: usize = 8;

/// The sessions of one device. All of its connections have the same server name, so that it makes no difference here.
#[derive(Default)]
pub struct Sessions(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    key_exchange: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    /// The oldest first.
    tls13: VecDeque<Tls13ClientSessionValue>,
    /// The connection that was begun last has one of them.
    is_offered: bool,
}

impl Sessions {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that a connection has offered. Dropped, whatever ended the connection, it makes the next handshake a full one.
pub struct Offer {
    sessions: Arc<Sessions>,
    is_harmless: bool,
}

impl Offer {
    /// What the connection offers that was made from these sessions just now.
    pub fn of(sessions: &Arc<Sessions>) -> Option<Self> {
        let is_offered = mem::take(&mut sessions.kept().is_offered);
        is_offered.then(|| Offer {
            sessions: sessions.clone(),
            is_harmless: false,
        })
    }

    /// The connection carries data: the sessions are worth keeping.
    pub fn was_taken_well(mut self) {
        self.is_harmless = true;
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        if !self.is_harmless {
            *self.sessions.kept() = Kept::default();
        }
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.kept().key_exchange = Some(group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept().key_exchange
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.kept().tls12 = Some(session);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        let mut kept = self.kept();
        let session = kept.tls12.clone();
        kept.is_offered |= session.is_some();
        session
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.kept().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let tickets = &mut self.kept().tls13;
        if tickets.len() == TICKETS {
            tickets.pop_front();
        }
        tickets.push_back(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'_>) -> Option<Tls13ClientSessionValue> {
        let mut kept = self.kept();
        let ticket = kept.tls13.pop_back();
        kept.is_offered |= ticket.is_some();
        ticket
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

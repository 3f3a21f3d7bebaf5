//! Which address does a name have? One look-up of one link, from the question to the answer.
//!
//! Who gives up a look-up does not say so. The answer is kept for the next time the same name is asked for: a DNS server that is
//! slower than the link's patience would never be heard otherwise.

use core::net::Ipv4Addr;

use heapless::Vec;
use mqtt_client_core::index;
use mqtt_client_core::net::turns::Turns;
use mqtt_client_core::time::{Instant, SECOND};
use smoltcp::iface::Context;
use smoltcp::socket::dns::{GetQueryResultError, QueryHandle, Socket, StartQueryError};
use smoltcp::wire::{DnsQueryType, IpAddress};

use super::Error;

/// Addresses that nobody asked for in time are still good for so long, in milliseconds.
const ADDRESSES_KEEP: u64 = 60 * SECOND;

/// A failure that nobody asked for in so many milliseconds was for an attempt that has been given up: the next one looks again.
const FAILURE_KEEPS: u64 = SECOND;

/// smoltcp gives up a DNS server that has not answered for 10 s: that is, at a call so many milliseconds after it began with it.
const GIVEN_UP_AFTER: u64 = 10 * SECOND + 1;

/// Addresses of one answer that are kept: smoltcp's feature `dns-max-result-count-4`.
const ADDRESSES: usize = 4;

/// DNS servers that are asked, one after the other: smoltcp's feature `dns-max-server-count-3`.
pub(super) const SERVERS: usize = 3;

#[derive(Default)]
pub(super) struct Lookup {
    state: State,
    turns: Turns<Ipv4Addr>,
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Asked {
        name: u32,
        query: QueryHandle,
        at: Instant,
    },
    Answered {
        name: u32,
        at: Instant,
        answer: Result<Vec<Ipv4Addr, ADDRESSES>, Error>,
    },
}

impl Lookup {
    /// The address of `name`: the one that served last, else the next in turn; `None` if that is not known yet. Another name abandons the look-up.
    ///
    /// # Errors
    /// [`Error::BadName`], and what [`Lookup::settle`] has found.
    pub fn address(
        &mut self,
        name: &str,
        now: Instant,
        dns: &mut Socket<'_>,
        context: &mut Context,
    ) -> Result<Option<Ipv4Addr>, Error> {
        let hash = index::hash(&[name.as_bytes()]);
        match &self.state {
            State::Asked { name, .. } if *name == hash => return Ok(None),
            State::Answered { name, at, answer } if *name == hash => match answer {
                Ok(addresses) if now.since(*at) <= ADDRESSES_KEEP => {
                    let address = self.turns.next(addresses.iter().copied());
                    self.state = State::Idle;
                    return address.map(Some).ok_or(Error::UnknownName);
                }
                Err(error) if now.since(*at) <= FAILURE_KEEPS => {
                    let error = *error;
                    self.state = State::Idle;
                    return Err(error);
                }
                _ => {}
            },
            _ => {}
        }
        self.forget(dns);
        match dns.start_query(context, name, DnsQueryType::A) {
            Ok(query) => {
                self.state = State::Asked {
                    name: hash,
                    query,
                    at: now,
                };
                Ok(None)
            }
            // There is a place for each link's one query.
            Err(StartQueryError::NoFreeSlot) => Ok(None),
            Err(StartQueryError::InvalidName | StartQueryError::NameTooLong) => Err(Error::BadName),
        }
    }

    /// A connection to the address that was given last has held for so many milliseconds.
    pub fn held(&mut self, millis: u64) {
        self.turns.held(millis);
    }

    /// Takes over the answer, if there is one.
    pub fn settle(&mut self, now: Instant, servers: usize, dns: &mut Socket<'_>) {
        let State::Asked { name, query, at } = self.state else {
            return;
        };
        let answer = match dns.get_query_result(query) {
            Err(GetQueryResultError::Pending) => return,
            Ok(addresses) => Ok(addresses
                .iter()
                .map(|address| match address {
                    IpAddress::Ipv4(address) => *address,
                })
                .collect()),
            // smoltcp does not tell the two apart, but a silent server takes its time.
            Err(GetQueryResultError::Failed)
                if now.since(at) >= GIVEN_UP_AFTER * servers as u64 =>
            {
                Err(Error::NoAnswer)
            }
            Err(GetQueryResultError::Failed) => Err(Error::UnknownName),
        };
        self.state = State::Answered {
            name,
            at: now,
            answer,
        };
    }

    /// When smoltcp gives up the server that it asks, for which it does not ask to be called.
    pub fn deadline(&self, now: Instant) -> Instant {
        let State::Asked { at, .. } = self.state else {
            return Instant::NEVER;
        };
        let servers_done = now.since(at) / GIVEN_UP_AFTER;
        at + GIVEN_UP_AFTER * (servers_done + 1)
    }

    /// Abandons the look-up, and what it has found.
    pub fn forget(&mut self, dns: &mut Socket<'_>) {
        if let State::Asked { query, .. } = core::mem::take(&mut self.state) {
            dns.cancel_query(query);
        }
    }
}

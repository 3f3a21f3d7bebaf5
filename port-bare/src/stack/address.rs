//! Which address has the board, and since when not any more? One that is given, or a lease of DHCP.

use core::fmt::{self, Display, Formatter};
use core::net::Ipv4Addr;

use heapless::Vec;
use mqtt_client_core::time::{Instant, SECOND};
use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::{dhcpv4, dns};
use smoltcp::time::Duration;
use smoltcp::wire::{IpAddress, IpCidr, Ipv4Cidr};

use super::lookup::SERVERS;
use crate::log;

/// After the cable was pulled and plugged in again, DHCP is asked whether the address still holds. If that took no longer than so many
/// milliseconds, the address is kept until DHCP answers, for as long again: a short interruption costs no connection.
pub const KEEP: u64 = 30 * SECOND;

/// Between two DISCOVERs, in seconds.
const DISCOVER_EVERY: u64 = 5;

/// Where the address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    Dhcp,
    Static(StaticAddress),
}

/// An address that a host can have, its network, and who knows the way out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaticAddress {
    address: Ipv4Addr,
    prefix: u8,
    router: Option<Ipv4Addr>,
}

impl StaticAddress {
    /// `None` if `address` or `router` is no host's (unspecified, multicast, broadcast), or `prefix` has over 32 bits.
    #[must_use]
    pub const fn new(address: Ipv4Addr, prefix: u8, router: Option<Ipv4Addr>) -> Option<Self> {
        let is_right = match router {
            Some(router) => is_host(router),
            None => true,
        };
        if !is_right || !is_host(address) || prefix > 32 {
            return None;
        }
        Some(StaticAddress {
            address,
            prefix,
            router,
        })
    }
}

/// The board's address, or none at the moment.
pub(super) struct Address<'a> {
    source: Source,
    /// Asked instead of DHCP's, unless empty.
    dns_servers: &'a [Ipv4Addr],
    current: Option<Assigned>,
    /// While DHCP is asked whether the address still holds.
    keep_until: Option<Instant>,
}

enum Source {
    Dhcp(SocketHandle),
    Static(StaticAddress),
}

/// An address in use, and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Assigned {
    cidr: Ipv4Cidr,
    router: Option<Ipv4Addr>,
    dns_servers: Vec<Ipv4Addr, SERVERS>,
}

/// What became of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// The same address, with other DNS servers, or another way out.
    Surroundings,
    /// Another address, or none: connections of the old one are gone.
    Address,
}

impl<'a> Address<'a> {
    pub fn new(
        addressing: Addressing,
        dns_servers: &'a [Ipv4Addr],
        sockets: &mut SocketSet<'_>,
    ) -> Self {
        let source = match addressing {
            Addressing::Static(address) => Source::Static(address),
            Addressing::Dhcp => {
                let mut socket = dhcpv4::Socket::new();
                let mut retry = socket.get_retry_config();
                retry.discover_timeout = Duration::from_secs(DISCOVER_EVERY);
                socket.set_retry_config(retry);
                Source::Dhcp(sockets.add(socket))
            }
        };
        Address {
            source,
            dns_servers,
            current: None,
            keep_until: None,
        }
    }

    pub fn current(&self) -> Option<Ipv4Addr> {
        self.current
            .as_ref()
            .map(|assigned| assigned.cidr.address())
    }

    /// How many DNS servers there are to ask.
    pub fn dns_servers(&self) -> usize {
        self.current
            .as_ref()
            .map_or(0, |assigned| assigned.dns_servers.len())
    }

    /// The cable is plugged in again, perhaps somewhere else, after so many milliseconds.
    pub fn verify(&mut self, now: Instant, interruption: u64, sockets: &mut SocketSet<'_>) {
        if let Source::Dhcp(handle) = self.source {
            sockets.get_mut::<dhcpv4::Socket<'_>>(handle).reset();
            self.keep_until = (interruption <= KEEP).then(|| now + KEEP);
        }
    }

    /// Takes over what DHCP says.
    pub fn settle(
        &mut self,
        now: Instant,
        interface: &mut Interface,
        sockets: &mut SocketSet<'_>,
        dns: SocketHandle,
    ) -> Change {
        let next = match self.source {
            Source::Static(_) if self.current.is_some() => return Change::None,
            Source::Static(address) => Some(Assigned {
                cidr: Ipv4Cidr::new(address.address, address.prefix),
                router: address.router,
                dns_servers: first(self.dns_servers),
            }),
            Source::Dhcp(handle) => match sockets.get_mut::<dhcpv4::Socket<'_>>(handle).poll() {
                None if self.keep_until.is_some_and(|until| now >= until) => None,
                None => return Change::None,
                Some(dhcpv4::Event::Deconfigured) if self.keep_until.is_some() => {
                    return Change::None;
                }
                Some(dhcpv4::Event::Deconfigured) => None,
                Some(dhcpv4::Event::Configured(lease)) => Some(Assigned {
                    cidr: lease.address,
                    // smoltcp looks at all other addresses of a lease.
                    router: lease.router.filter(|router| is_host(*router)),
                    dns_servers: match self.dns_servers {
                        [] => first(&lease.dns_servers),
                        given => first(given),
                    },
                }),
            },
        };
        self.keep_until = None;
        let address = |assigned: &Option<Assigned>| assigned.as_ref().map(|assigned| assigned.cidr);
        let change = match (&self.current, &next) {
            (old, new) if old == new => return Change::None,
            (old, new) if address(old) == address(new) => Change::Surroundings,
            _ => Change::Address,
        };
        match &next {
            Some(assigned) => log::info(&format_args!("network: {assigned}")),
            None => log::warning(&"network: the address is gone: its lease has ended"),
        }
        self.current = next;
        self.apply(interface, sockets.get_mut(dns));
        change
    }

    fn apply(&self, interface: &mut Interface, dns: &mut dns::Socket<'_>) {
        let assigned = self.current.as_ref();
        interface.update_ip_addrs(|addresses| {
            addresses.clear();
            // There is room for one.
            addresses.extend(assigned.map(|assigned| IpCidr::Ipv4(assigned.cidr)));
        });
        interface.routes_mut().remove_default_ipv4_route();
        if let Some(router) = assigned.and_then(|assigned| assigned.router) {
            // There is room for one.
            let _ = interface.routes_mut().add_default_ipv4_route(router);
        }
        let servers: Vec<IpAddress, SERVERS> = assigned
            .into_iter()
            .flat_map(|assigned| &assigned.dns_servers)
            .map(|server| IpAddress::Ipv4(*server))
            .collect();
        dns.update_servers(&servers);
    }

    pub fn deadline(&self) -> Instant {
        self.keep_until.unwrap_or(Instant::NEVER)
    }
}

const fn is_host(address: Ipv4Addr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast()
}

fn first(servers: &[Ipv4Addr]) -> Vec<Ipv4Addr, SERVERS> {
    let servers = servers.iter().copied().filter(|server| is_host(*server));
    servers.take(SERVERS).collect()
}

impl Display for Assigned {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "address {}", self.cidr)?;
        if let Some(router) = self.router {
            write!(f, ", router {router}")?;
        }
        f.write_str(", DNS")?;
        for server in &self.dns_servers {
            write!(f, " {server}")?;
        }
        f.write_str(if self.dns_servers.is_empty() {
            " none"
        } else {
            ""
        })
    }
}

//! A DHCP server with one address to give.

use std::net::Ipv4Addr;

use smoltcp::wire::{DhcpMessageType, DhcpPacket, DhcpRepr};

pub struct Dhcp {
    /// What it gives; with nothing to give it is silent.
    pub lease: Option<Lease>,
    /// What it was told.
    pub heard: Vec<DhcpMessageType>,
}

#[derive(Debug, Clone)]
pub struct Lease {
    pub address: Ipv4Addr,
    pub router: Option<Ipv4Addr>,
    pub dns_servers: Vec<Ipv4Addr>,
    pub seconds: u32,
}

impl Dhcp {
    pub fn new() -> Self {
        Dhcp {
            lease: None,
            heard: Vec::new(),
        }
    }

    pub fn answer(&mut self, server: Ipv4Addr, packet: &[u8]) -> Option<Vec<u8>> {
        let packet = DhcpPacket::new_checked(packet).expect("a DHCP packet");
        let asked = DhcpRepr::parse(&packet).expect("a DHCP message");
        self.heard.push(asked.message_type);
        let lease = self.lease.as_ref()?;
        let wanted = asked.requested_ip.unwrap_or(asked.client_ip);
        let message_type = match asked.message_type {
            DhcpMessageType::Discover => DhcpMessageType::Offer,
            DhcpMessageType::Request if wanted == lease.address => DhcpMessageType::Ack,
            DhcpMessageType::Request => DhcpMessageType::Nak,
            other => panic!("a client says {other:?}"),
        };
        let answer = DhcpRepr {
            message_type,
            your_ip: lease.address,
            server_ip: server,
            router: lease.router,
            subnet_mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
            requested_ip: None,
            client_identifier: None,
            server_identifier: Some(server),
            parameter_request_list: None,
            dns_servers: Some(lease.dns_servers.iter().copied().collect()),
            max_size: None,
            lease_duration: Some(lease.seconds),
            additional_options: &[],
            ..asked
        };
        let mut bytes = vec![0; answer.buffer_len()];
        let mut packet = DhcpPacket::new_unchecked(&mut bytes);
        answer.emit(&mut packet).expect("room");
        Some(bytes)
    }
}

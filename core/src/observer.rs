//! The window for whoever debugs a link: the manual's options `-r` and `-m`.

use crate::mqtt::packet::Packet;

/// Sees every Redis message and every MQTT packet. All methods do nothing unless they are written.
pub trait Observer {
    /// A message came from Redis, whether or not it is forwarded.
    fn redis_message(&mut self, _channel: &[u8], _message: &[u8]) {}

    /// Whether the two methods below do anything; if not, packets are not taken apart for them.
    fn sees_packets(&self) -> bool {
        false
    }

    /// A packet is on its way to the broker of this `device_alias`.
    fn packet_sent(&mut self, _device: &str, _packet: &Packet<'_>) {}

    /// A packet came from that broker.
    fn packet_received(&mut self, _device: &str, _packet: &Packet<'_>) {}
}

/// Sees nothing.
impl Observer for () {}

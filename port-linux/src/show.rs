//! What an engineer sees on standard output: every Redis message (`-r`), every MQTT packet (`-m`).

use std::io::{self, BufWriter, Stdout, Write};

use mqtt_client_core::log::Text;
use mqtt_client_core::mqtt::packet::Packet;
use mqtt_client_core::observer::Observer;

/// Prints what the options ask for. A closed standard output is not an error: the bridge goes on.
pub struct Show {
    redis: bool,
    mqtt: bool,
    output: BufWriter<Stdout>,
}

impl Show {
    pub fn new(redis: bool, mqtt: bool) -> Self {
        Show {
            redis,
            mqtt,
            output: BufWriter::new(io::stdout()),
        }
    }

    /// Call it before waiting: lines are collected, so that a busy bridge does not write each on its own.
    pub fn flush(&mut self) {
        if self.redis || self.mqtt {
            let _ = self.output.flush();
        }
    }
}

impl Observer for Show {
    fn redis_message(&mut self, channel: &[u8], message: &[u8]) {
        if self.redis {
            let _ = writeln!(self.output, "REDIS < {} {}", Text(channel), Text(message));
        }
    }

    fn sees_packets(&self) -> bool {
        self.mqtt
    }

    fn packet_sent(&mut self, device: &str, packet: &Packet<'_>) {
        if self.mqtt {
            let _ = writeln!(self.output, "MQTT > {} {device}{packet}", packet.name());
        }
    }

    fn packet_received(&mut self, device: &str, packet: &Packet<'_>) {
        if self.mqtt {
            let _ = writeln!(self.output, "MQTT < {} {device}{packet}", packet.name());
        }
    }
}

//! Why did the other end do what it did? The reason codes of MQTT 5 (2.4), with their names in the standard.

use core::fmt;

/// A reason code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Reason(pub u8);

/// Those that this client has something to do about.
impl Reason {
    pub const SUCCESS: Reason = Reason(0x00);
    pub const MALFORMED_PACKET: Reason = Reason(0x81);
    pub const PROTOCOL_ERROR: Reason = Reason(0x82);
    pub const UNSUPPORTED_PROTOCOL_VERSION: Reason = Reason(0x84);
    pub const SERVER_UNAVAILABLE: Reason = Reason(0x88);
    pub const TOPIC_ALIAS_INVALID: Reason = Reason(0x94);
    pub const PACKET_TOO_LARGE: Reason = Reason(0x95);
    pub const QUOTA_EXCEEDED: Reason = Reason(0x97);
    pub const RETAIN_NOT_SUPPORTED: Reason = Reason(0x9a);
    pub const QOS_NOT_SUPPORTED: Reason = Reason(0x9b);
}

/// Code, name in the standard (table 2-6), and what to do about it here, if that is not in the name. By code.
const REASONS: [(u8, &str, &str); 43] = [
    (0x00, "Success", ""),
    (0x01, "Granted QoS 1", ""),
    (0x02, "Granted QoS 2", ""),
    (0x04, "Disconnect with Will Message", ""),
    (0x10, "No matching subscribers", ""),
    (0x11, "No subscription existed", ""),
    (0x18, "Continue authentication", ""),
    (0x19, "Re-authenticate", ""),
    (0x80, "Unspecified error", ""),
    (0x81, "Malformed Packet", ""),
    (0x82, "Protocol Error", ""),
    (0x83, "Implementation specific error", ""),
    (0x84, "Unsupported Protocol Version", "see mqtt_version"),
    (0x85, "Client Identifier not valid", "see client_id"),
    (0x86, "Bad User Name or Password", "see username, password"),
    (0x87, "Not authorized", "may this user do that?"),
    (0x88, "Server unavailable", ""),
    (0x89, "Server busy", ""),
    (0x8a, "Banned", ""),
    (0x8b, "Server shutting down", ""),
    (0x8c, "Bad authentication method", ""),
    (
        0x8d,
        "Keep Alive timeout",
        "it heard nothing for too long: see keep_alive, or the line",
    ),
    (
        0x8e,
        "Session taken over",
        "another client uses this client_id",
    ),
    (0x8f, "Topic Filter invalid", ""),
    (0x90, "Topic Name invalid", "see topic, last_will_topic"),
    (0x91, "Packet Identifier in use", ""),
    (0x92, "Packet Identifier not found", ""),
    (
        0x93,
        "Receive Maximum exceeded",
        "a lower max_inflight may help",
    ),
    (0x94, "Topic Alias invalid", "see topic_alias"),
    (0x95, "Packet too large", ""),
    (0x96, "Message rate too high", "see max_rate"),
    (0x97, "Quota exceeded", "see max_rate"),
    (0x98, "Administrative action", ""),
    (0x99, "Payload format invalid", ""),
    (
        0x9a,
        "Retain not supported",
        "see mqtt_retain, last_will_retain",
    ),
    (0x9b, "QoS not supported", "see mqtt_qos, last_will_qos"),
    (0x9c, "Use another server", "see ip"),
    (0x9d, "Server moved", "see ip"),
    (0x9e, "Shared Subscriptions not supported", ""),
    (0x9f, "Connection rate exceeded", ""),
    (0xa0, "Maximum connect time", ""),
    (0xa1, "Subscription Identifiers not supported", ""),
    (0xa2, "Wildcard Subscriptions not supported", ""),
];

impl Reason {
    /// Whether it says that something failed (2.4).
    #[must_use]
    pub const fn is_failure(self) -> bool {
        self.0 >= 0x80
    }

    /// Whether only a change of the configuration, here or at the broker, can help.
    #[must_use]
    pub const fn is_permanent(self) -> bool {
        cfg!(feature = "mqtt5")
            && matches!(
                self.0,
                0x84..=0x87 | 0x8a | 0x8c | 0x90 | 0x95 | 0x99..=0x9b | 0x9d
            )
    }

    /// Whether a broker may close a connection with it because of a message that it was sent.
    #[must_use]
    pub const fn may_blame_a_message(self) -> bool {
        cfg!(feature = "mqtt5")
            && matches!(self.0, 0x80..=0x83 | 0x87 | 0x90 | 0x94 | 0x95 | 0x99..=0x9b)
    }

    /// What to do about it; empty if the name says it.
    #[must_use]
    pub fn advice(self) -> &'static str {
        self.known().map_or("", |known| known.2)
    }

    fn known(self) -> Option<&'static (u8, &'static str, &'static str)> {
        if !cfg!(feature = "mqtt5") {
            return None;
        }
        REASONS.iter().find(|known| known.0 == self.0)
    }
}

/// `Not authorized (0x87)`.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.known().map_or("unknown reason", |known| known.1);
        write!(f, "{name} ({:#04x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_reason_is_said_with_its_name_and_number_in_the_standard() {
        assert_eq!(Reason(0x87).to_string(), "Not authorized (0x87)");
        assert_eq!(Reason(0x00).to_string(), "Success (0x00)");
        assert_eq!(Reason(0xfe).to_string(), "unknown reason (0xfe)");
    }

    #[test]
    fn each_code_stands_once_and_in_order() {
        assert!(REASONS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn what_is_permanent_is_a_failure() {
        for code in 0..=u8::MAX {
            let reason = Reason(code);
            assert!(reason.is_failure() || !reason.is_permanent(), "{code:#x}");
            assert!(
                reason.is_failure() || !reason.may_blame_a_message(),
                "{code:#x}"
            );
        }
    }
}

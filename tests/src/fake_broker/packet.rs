//! What the packets of a publisher say, read as the standard lays them out.
//!
//! [MQTT 3.1.1](https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html), chapters 3.1 and 3.3.

/// A packet that a publisher sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    Connect(Connect),
    Publish(Publish),
    Pubrel(u16),
    Pingreq,
    Disconnect,
}

/// What a CONNECT says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    pub protocol: String,
    pub level: u8,
    pub clean_session: bool,
    /// In seconds.
    pub keep_alive: u16,
    pub client_id: String,
    pub will: Option<Will>,
    pub username: Option<String>,
    pub password: Option<String>,
}

/// The Last Will in a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    pub topic: String,
    pub message: String,
    pub qos: u8,
    pub retain: bool,
}

/// What a PUBLISH says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    pub dup: bool,
    pub qos: u8,
    pub retain: bool,
    pub topic: String,
    /// Absent at QoS 0.
    pub id: Option<u16>,
    pub payload: String,
}

/// Reads a packet from its first byte, and from what follows its remaining length.
///
/// # Panics
///
/// If it is no packet of a publisher, or a malformed one.
pub(super) fn decode(first: u8, body: &[u8]) -> Packet {
    let mut fields = Fields(body);
    let packet = match (first >> 4, first & 0x0f) {
        (1, 0) => Packet::Connect(connect(&mut fields)),
        (3, flags) => Packet::Publish(publish(flags, &mut fields)),
        (6, 2) => Packet::Pubrel(fields.number()),
        (12, 0) => Packet::Pingreq,
        (14, 0) => Packet::Disconnect,
        _ => panic!("not a packet of a publisher: {first:#04x} {body:02x?}"),
    };
    assert!(fields.0.is_empty(), "{:02x?} after {packet:?}", fields.0);
    packet
}

fn connect(fields: &mut Fields<'_>) -> Connect {
    let protocol = fields.text();
    let level = fields.byte();
    let flags = fields.byte();
    let keep_alive = fields.number();
    let client_id = fields.text();
    let has = |bit: u8| flags & bit != 0;
    let will = has(0x04).then(|| Will {
        topic: fields.text(),
        message: fields.text(),
        qos: flags >> 3 & 3,
        retain: has(0x20),
    });
    Connect {
        protocol,
        level,
        clean_session: has(0x02),
        keep_alive,
        client_id,
        will,
        username: has(0x80).then(|| fields.text()),
        password: has(0x40).then(|| fields.text()),
    }
}

fn publish(flags: u8, fields: &mut Fields<'_>) -> Publish {
    let qos = flags >> 1 & 3;
    Publish {
        dup: flags & 0x08 != 0,
        qos,
        retain: flags & 0x01 != 0,
        topic: fields.text(),
        id: (qos > 0).then(|| fields.number()),
        payload: fields.rest(),
    }
}

/// The fields of a packet, read from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take(&mut self, count: usize) -> &[u8] {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .expect("a packet that is long enough");
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn text(&mut self) -> String {
        let length = usize::from(self.number());
        String::from_utf8(self.take(length).to_vec()).expect("text in UTF-8")
    }

    fn rest(&mut self) -> String {
        String::from_utf8(self.take(self.0.len()).to_vec()).expect("text in UTF-8")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_with_everything_is_read_as_the_standard_lays_it_out() {
        let bytes = b"\x00\x04MQTT\x04\xec\x00\x3c\x00\x02id\x00\x01w\x00\x03bye\x00\x01u\x00\x01p";
        let expected = Connect {
            protocol: String::from("MQTT"),
            level: 4,
            clean_session: false,
            keep_alive: 60,
            client_id: String::from("id"),
            will: Some(Will {
                topic: String::from("w"),
                message: String::from("bye"),
                qos: 1,
                retain: true,
            }),
            username: Some(String::from("u")),
            password: Some(String::from("p")),
        };
        assert_eq!(decode(0x10, bytes), Packet::Connect(expected));
    }

    #[test]
    fn a_publish_is_read_with_its_flags_and_identifier() {
        let expected = Publish {
            dup: true,
            qos: 2,
            retain: true,
            topic: String::from("t"),
            id: Some(258),
            payload: String::from("x"),
        };
        assert_eq!(
            decode(0x3d, b"\x00\x01t\x01\x02x"),
            Packet::Publish(expected)
        );
    }
}

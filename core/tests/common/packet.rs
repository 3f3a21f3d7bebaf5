//! What a client said, as a broker reads it: independent of the core's own encoder, and strict. Bytes that are not the
//! packets of a publishing client, one after the other, make it panic: a control packet inside a PUBLISH does.

use std::fmt::{self, Display, Formatter};

/// A packet from a client that only publishes (MQTT 3.1.1, chapter 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientPacket {
    Connect(Connect),
    Publish(Publish),
    Pubrel {
        id: u16,
        dup: bool,
    },
    /// Of a message that the broker sent, like the next two.
    Puback {
        id: u16,
    },
    Pubrec {
        id: u16,
    },
    Pubcomp {
        id: u16,
    },
    Pingreq,
    Disconnect,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// 3 for MQTT 3.1, 4 for 3.1.1.
    pub level: u8,
    pub clean_session: bool,
    pub client_id: String,
    pub keep_alive: u16,
    pub will: Option<Will>,
    pub username: Option<String>,
    pub password: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    pub topic: String,
    pub message: String,
    pub qos: u8,
    pub retain: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    pub qos: u8,
    pub dup: bool,
    pub retain: bool,
    pub id: Option<u16>,
    pub topic: String,
    pub payload: String,
}

/// Takes the first packet off `bytes`, if it is whole.
pub fn take_packet(bytes: &mut Vec<u8>) -> Option<ClientPacket> {
    let first = *bytes.first()?;
    let mut length = 0;
    let mut header = 1;
    loop {
        let byte = *bytes.get(header)?;
        length |= usize::from(byte & 0x7f) << (7 * (header - 1));
        header += 1;
        if byte & 0x80 == 0 {
            break;
        }
        assert!(header < 5, "Remaining Length is over four bytes");
    }
    if bytes.len() < header + length {
        return None;
    }
    let packet: Vec<u8> = bytes.drain(..header + length).collect();
    let mut body = Body(&packet[header..]);
    let parsed = match (first >> 4, first & 0x0f) {
        (1, 0) => ClientPacket::Connect(connect(&mut body)),
        (3, flags) => ClientPacket::Publish(publish(flags, &mut body)),
        (6, flags @ (0b0010 | 0b1010)) => ClientPacket::Pubrel {
            id: body.id(),
            dup: flags & 8 != 0,
        },
        (4, 0) => ClientPacket::Puback { id: body.id() },
        (5, 0) => ClientPacket::Pubrec { id: body.id() },
        (7, 0) => ClientPacket::Pubcomp { id: body.id() },
        (12, 0) => ClientPacket::Pingreq,
        (14, 0) => ClientPacket::Disconnect,
        _ => panic!(
            "no packet of a publishing client: {}",
            packet.escape_ascii()
        ),
    };
    assert!(
        body.0.is_empty(),
        "bytes are left over in {}",
        packet.escape_ascii()
    );
    Some(parsed)
}

fn connect(body: &mut Body<'_>) -> Connect {
    let (name, level) = (body.string(), body.byte());
    assert!(
        matches!((name.as_str(), level), ("MQIsdp", 3) | ("MQTT", 4)),
        "{name} {level}"
    );
    let flags = body.byte();
    assert_eq!(flags & 1, 0, "a reserved bit [MQTT-3.1.2-3]");
    let keep_alive = body.number();
    let client_id = body.string();
    let has_will = flags & 0x04 != 0;
    assert!(
        has_will || flags & 0x38 == 0,
        "flags of a will that is not there [MQTT-3.1.2-11]"
    );
    Connect {
        level,
        clean_session: flags & 0x02 != 0,
        client_id,
        keep_alive,
        will: has_will.then(|| Will {
            topic: body.string(),
            message: body.string(),
            qos: flags >> 3 & 3,
            retain: flags & 0x20 != 0,
        }),
        username: (flags & 0x80 != 0).then(|| body.string()),
        password: (flags & 0x40 != 0).then(|| body.string()),
    }
}

fn publish(flags: u8, body: &mut Body<'_>) -> Publish {
    let qos = flags >> 1 & 3;
    assert!(qos < 3, "QoS 3 [MQTT-3.3.1-4]");
    let dup = flags & 8 != 0;
    assert!(qos > 0 || !dup, "DUP at QoS 0 [MQTT-3.3.1-2]");
    let topic = body.string();
    let id = (qos > 0).then(|| body.id());
    Publish {
        qos,
        dup,
        retain: flags & 1 != 0,
        id,
        topic,
        payload: text(std::mem::take(&mut body.0)),
    }
}

/// What is left of a packet.
struct Body<'p>(&'p [u8]);

impl Body<'_> {
    fn bytes(&mut self, count: usize) -> &[u8] {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .expect("the packet ends early");
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.bytes(1)[0]
    }

    fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn id(&mut self) -> u16 {
        let id = self.number();
        assert_ne!(id, 0, "packet identifier 0 [MQTT-2.3.1-1]");
        id
    }

    fn string(&mut self) -> String {
        let len = usize::from(self.number());
        text(self.bytes(len))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text is UTF-8")
}

/// As short as a trace needs it: `CONNECT 4 clean`, `PUBLISH 7+ 12.5,1,1` (`+` for DUP), `PUBREL 7`.
impl Display for ClientPacket {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ClientPacket::Connect(connect) => {
                let clean = if connect.clean_session { " clean" } else { "" };
                write!(f, "CONNECT {}{clean}", connect.level)
            }
            ClientPacket::Publish(publish) => {
                f.write_str("PUBLISH ")?;
                if let Some(id) = publish.id {
                    write!(f, "{id}{} ", if publish.dup { "+" } else { "" })?;
                }
                f.write_str(&publish.payload)
            }
            ClientPacket::Pubrel { id, dup } => {
                write!(f, "PUBREL {id}{}", if *dup { "+" } else { "" })
            }
            ClientPacket::Puback { id } => write!(f, "PUBACK {id}"),
            ClientPacket::Pubrec { id } => write!(f, "PUBREC {id}"),
            ClientPacket::Pubcomp { id } => write!(f, "PUBCOMP {id}"),
            ClientPacket::Pingreq => f.write_str("PINGREQ"),
            ClientPacket::Disconnect => f.write_str("DISCONNECT"),
        }
    }
}

//! What a client said, as a broker reads it: independent of the core's own encoder, and strict. Bytes that are not the
//! packets of a publishing client, one after the other, make it panic: a control packet inside a PUBLISH does.

use std::fmt::{self, Display, Formatter};

/// A packet from a client that only publishes (MQTT 3.1.1 and 5, chapter 3).
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
    /// Of MQTT 5, with this reason.
    DisconnectFor(u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.
    pub level: u8,
    pub clean_session: bool,
    pub client_id: String,
    pub keep_alive: u16,
    pub will: Option<Will>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub properties: Properties,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    pub topic: String,
    pub message: String,
    pub qos: u8,
    pub retain: bool,
    pub properties: Properties,
}

/// Numbers by the identifiers of MQTT 5 (2.2.2.2): a publishing client sends no other properties.
pub type Properties = std::collections::BTreeMap<u8, u32>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    pub qos: u8,
    pub dup: bool,
    pub retain: bool,
    pub id: Option<u16>,
    /// Empty where an alias stands for it.
    pub topic: String,
    pub properties: Properties,
    pub payload: String,
}

/// Takes the first packet off `bytes`, if it is whole. Of MQTT 5 only CONNECT is taken; see [`take_packet_v5`].
pub fn take_packet(bytes: &mut Vec<u8>) -> Option<ClientPacket> {
    take(bytes, false)
}

/// The same on a connection of MQTT 5.
pub fn take_packet_v5(bytes: &mut Vec<u8>) -> Option<ClientPacket> {
    take(bytes, true)
}

fn take(bytes: &mut Vec<u8>, is_v5: bool) -> Option<ClientPacket> {
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
        (3, flags) => ClientPacket::Publish(publish(flags, &mut body, is_v5)),
        (6, flags @ (0b0010 | 0b1010)) => ClientPacket::Pubrel {
            id: body.id(),
            dup: flags & 8 != 0,
        },
        (4, 0) => ClientPacket::Puback { id: body.id() },
        (5, 0) => ClientPacket::Pubrec { id: body.id() },
        (7, 0) => ClientPacket::Pubcomp { id: body.id() },
        (12, 0) => ClientPacket::Pingreq,
        (14, 0) if is_v5 && !body.0.is_empty() => {
            let reason = body.byte();
            assert!(reason >= 0x80, "DISCONNECT for {reason:#x} needs no reason");
            ClientPacket::DisconnectFor(reason)
        }
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
        matches!((name.as_str(), level), ("MQIsdp", 3) | ("MQTT", 4 | 5)),
        "{name} {level}"
    );
    let flags = body.byte();
    assert_eq!(flags & 1, 0, "a reserved bit [MQTT-3.1.2-3]");
    let keep_alive = body.number();
    let properties = body.properties(level == 5, &[0x11, 0x17, 0x21, 0x22, 0x27]);
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
            properties: body.properties(level == 5, &[0x18]),
            topic: body.string(),
            message: body.string(),
            qos: flags >> 3 & 3,
            retain: flags & 0x20 != 0,
        }),
        username: (flags & 0x80 != 0).then(|| body.string()),
        password: (flags & 0x40 != 0).then(|| body.string()),
        properties,
    }
}

fn publish(flags: u8, body: &mut Body<'_>, is_v5: bool) -> Publish {
    let qos = flags >> 1 & 3;
    assert!(qos < 3, "QoS 3 [MQTT-3.3.1-4]");
    let dup = flags & 8 != 0;
    assert!(qos > 0 || !dup, "DUP at QoS 0 [MQTT-3.3.1-2]");
    let topic = body.string();
    let id = (qos > 0).then(|| body.id());
    let properties = body.properties(is_v5, &[0x02, 0x23]);
    let alias = properties.get(&0x23);
    assert!(alias != Some(&0), "Topic Alias 0 [MQTT-3.3.2-8]");
    assert!(
        !topic.is_empty() || alias.is_some(),
        "PUBLISH without topic and alias (MQTT 5, 3.3.2.1)"
    );
    Publish {
        qos,
        dup,
        retain: flags & 1 != 0,
        id,
        topic,
        properties,
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

    /// A list of properties, each once and among those `allowed`, if the packet has one at all.
    fn properties(&mut self, is_v5: bool, allowed: &[u8]) -> Properties {
        let mut properties = Properties::new();
        if !is_v5 {
            return properties;
        }
        let len = usize::from(self.byte());
        assert!(len < 0x80, "such a list is short");
        let mut list = Body(self.bytes(len));
        while !list.0.is_empty() {
            let id = list.byte();
            assert!(
                allowed.contains(&id),
                "property {id:#x} does not belong there"
            );
            let bytes = match id {
                0x17 => 1,
                0x21..=0x23 => 2,
                _ => 4,
            };
            let value = list.bytes(bytes).iter();
            let value = value.fold(0, |sum, byte| sum << 8 | u32::from(*byte));
            assert_eq!(properties.insert(id, value), None, "property {id:#x} twice");
        }
        properties
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
                for (id, value) in &publish.properties {
                    let name = if *id == 2 { "expiry" } else { "alias" };
                    write!(f, "{name}={value} ")?;
                }
                if publish.properties.contains_key(&0x23) {
                    write!(f, "{:?} ", publish.topic)?;
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
            ClientPacket::DisconnectFor(reason) => write!(f, "DISCONNECT {reason:#x}"),
        }
    }
}

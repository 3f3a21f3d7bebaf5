//! What does the broker of MQTT 5 allow (3.2.2.3), and what of it is not as the mapping table has it?

use super::Session;
use crate::config::{Device, Will};
use crate::delivery::QoS;
use crate::log::{Text, info, warning};
use crate::mqtt::close::Close;
use crate::mqtt::decode::Accepted;
use crate::mqtt::v5::property::{
    ASSIGNED_CLIENT_IDENTIFIER, MAXIMUM_PACKET_SIZE, MAXIMUM_QOS, Properties, RECEIVE_MAXIMUM,
    RETAIN_AVAILABLE, SERVER_KEEP_ALIVE, SESSION_EXPIRY, TOPIC_ALIAS_MAXIMUM,
};
use crate::mqtt::v5::reason::Reason;
use crate::time::Instant;

/// What holds on a connection. With 3.1 and 3.1.1 it is what the device asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) qos: QoS,
    pub(super) may_retain: bool,
    /// Messages of QoS 1 and 2 that the broker takes at a time.
    pub(super) receive_maximum: u16,
    /// Bytes of the longest packet that it takes.
    pub(super) maximum_packet_size: u32,
}

/// What a broker has left of the Last Will. It tells of that no earlier than by refusing CONNECT.
#[derive(Debug, Clone, Copy)]
pub(super) struct WillBounds {
    qos: QoS,
    may_retain: bool,
}

impl WillBounds {
    /// A broker that has refused nothing.
    pub(super) const NONE: WillBounds = WillBounds {
        qos: QoS::ExactlyOnce,
        may_retain: true,
    };

    pub(super) fn bound(self, will: &mut Will<'_>) {
        will.qos = will.qos.min(self.qos);
        will.retain &= self.may_retain;
    }
}

/// What was said, once in the life of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said {
    qos: bool,
    retain: bool,
    keep_alive: bool,
    session_expiry: bool,
}

impl Agreed {
    pub(super) fn with(device: &Device<'_>) -> Self {
        Agreed {
            qos: device.qos,
            may_retain: true,
            receive_maximum: u16::MAX,
            maximum_packet_size: u32::MAX,
        }
    }

    fn of(device: &Device<'_>, properties: &Properties<'_>) -> Self {
        let qos = match properties.number(MAXIMUM_QOS) {
            Some(0) => QoS::AtMostOnce,
            Some(_) => QoS::AtLeastOnce,
            None => QoS::ExactlyOnce,
        };
        let receive_maximum = properties.number(RECEIVE_MAXIMUM);
        Agreed {
            qos: device.qos.min(qos),
            may_retain: properties.number(RETAIN_AVAILABLE) != Some(0),
            receive_maximum: receive_maximum.map_or(u16::MAX, |number| number as u16),
            maximum_packet_size: properties.number(MAXIMUM_PACKET_SIZE).unwrap_or(u32::MAX),
        }
    }
}

impl Session<'_> {
    /// CONNACK of MQTT 5 without a refusal.
    #[cold]
    #[inline(never)]
    pub(super) fn accept_v5(
        &mut self,
        session_present: bool,
        properties: &Properties<'_>,
        now: Instant,
    ) -> Result<(), Close> {
        let agreed = Agreed::of(self.device, properties);
        if agreed.qos != self.qos() {
            if self.outbox.in_flight() > 0 {
                // What is in flight goes at another QoS from now on, which it can only in another session.
                self.state.forgets_flight = true;
                self.state.attempts.begin_anew(true);
                return self.accept(Accepted { session_present }, now);
            }
            self.outbox.set_qos(agreed.qos);
        }
        self.state.v5.agreed = agreed;
        self.outbox.limit_repeated(agreed.receive_maximum);
        if let Some(keep_alive) = properties.number(SERVER_KEEP_ALIVE).filter(|it| *it > 0) {
            self.state.liveness.is_asked_for(keep_alive as u16, now);
        }
        let most = properties.number(TOPIC_ALIAS_MAXIMUM).unwrap_or(0);
        self.state.v5.aliases.begin(if self.device.topic_alias {
            most as u16
        } else {
            0
        });
        self.accept(Accepted { session_present }, now)?;
        self.say_terms(properties);
        Ok(())
    }

    /// Warns, once, of what the broker makes different from what the mapping table says.
    fn say_terms(&mut self, properties: &Properties<'_>) {
        let (device, agreed) = (self.device, self.state.v5.agreed);
        let said = &mut self.state.v5.said;
        if agreed.qos < device.qos && !core::mem::replace(&mut said.qos, true) {
            warning!(
                "{}: the broker takes no message above QoS {}: they go at that, whatever mqtt_qos={} says",
                device.alias,
                agreed.qos as u8,
                device.qos as u8
            );
        }
        if device.retain && !agreed.may_retain && !core::mem::replace(&mut said.retain, true) {
            warning!(
                "{}: the broker retains no messages: mqtt_retain=1 has no effect",
                device.alias
            );
        }
        if let Some(keep_alive) = properties.number(SERVER_KEEP_ALIVE)
            && keep_alive != u32::from(device.keep_alive)
            && !core::mem::replace(&mut said.keep_alive, true)
        {
            warning!(
                "{}: the broker asks for a keep-alive of {} s, not the {} s of keep_alive",
                device.alias,
                keep_alive,
                device.keep_alive
            );
        }
        if let Some(seconds) = properties.number(SESSION_EXPIRY)
            && device.qos != QoS::AtMostOnce
            && seconds != device.session_expiry
            && !core::mem::replace(&mut said.session_expiry, true)
        {
            warning!(
                "{}: the broker keeps the session for {} s, not the {} s of session_expiry",
                device.alias,
                seconds,
                device.session_expiry
            );
        }
        if agreed.receive_maximum < device.max_inflight && device.qos != QoS::AtMostOnce {
            info!(
                "{}: the broker takes {} messages at a time (Receive Maximum)",
                device.alias, agreed.receive_maximum
            );
        }
        if let Some(assigned) = properties.text(ASSIGNED_CLIENT_IDENTIFIER) {
            self.take_client_id(assigned);
        }
    }

    /// The broker refuses CONNECT: whether that is for what the will asks for, and the next CONNECT asks for less.
    #[cold]
    #[inline(never)]
    pub(super) fn lower_will(&mut self, reason: Reason) -> bool {
        let Some(Will { qos, retain, .. }) = self.connect().will else {
            return false;
        };
        let bounds = &mut self.state.v5.will;
        match reason {
            Reason::QOS_NOT_SUPPORTED if qos == QoS::ExactlyOnce => {
                bounds.qos = QoS::AtLeastOnce;
            }
            Reason::QOS_NOT_SUPPORTED if qos == QoS::AtLeastOnce => {
                bounds.qos = QoS::AtMostOnce;
            }
            Reason::RETAIN_NOT_SUPPORTED if retain => bounds.may_retain = false,
            _ => return false,
        }
        warning!(
            "{}: the broker refuses the Last Will as it is: from now on its QoS is {} at most{}",
            self.device.alias,
            bounds.qos as u8,
            if bounds.may_retain {
                ""
            } else {
                ", and it is not retained"
            }
        );
        true
    }

    /// A name that nobody asked for: it is kept for the life of this process, as far as there is room for it.
    fn take_client_id(&mut self, assigned: &[u8]) {
        let kept = core::str::from_utf8(assigned)
            .ok()
            .and_then(|text| heapless::String::try_from(text).ok());
        if kept != self.state.v5.assigned {
            warning!(
                "{}: the broker calls this client {}{}",
                self.device.alias,
                Text(assigned),
                if kept.is_some() {
                    ""
                } else {
                    ", which is too long to be kept"
                }
            );
        }
        self.state.v5.assigned = kept.or(self.state.v5.assigned.take());
    }
}

//! Brokers that are met in the field: what each does beside what the standard says, or where the standard leaves it a choice.

use fastrand::Rng;

/// Named after the broker in which it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Does what the standard says.
    Plain,
    /// As it is shipped: holds 20 QoS 2 messages that come in, and throws away what exceeds them; its answers do not show it.
    Mosquitto,
    /// Keeps nothing that it knew when it crashes.
    Forgetful,
    /// The same; besides, it sends its retained messages to everybody who connects, and never answers the PUBREL of an identifier that it
    /// does not know.
    Amqtt,
    /// Forgets with each connection which QoS 2 messages it holds, calls the session present all the same, and closes on their PUBREL.
    Rumqttd,
    /// Has no QoS 2: answers it with PUBACK.
    RabbitMq,
    /// Never calls a session present that has no subscriptions, and keeps it: the next client of that name, another process too, meets
    /// its identifiers.
    Aedes,
}

const ODD: [Kind; 6] = [
    Kind::Mosquitto,
    Kind::Forgetful,
    Kind::Amqtt,
    Kind::Rumqttd,
    Kind::RabbitMq,
    Kind::Aedes,
];

impl Kind {
    /// One that is not plain.
    #[must_use]
    pub fn draw_odd(rng: &mut Rng) -> Self {
        ODD[rng.usize(..ODD.len())]
    }

    /// QoS 2 messages that it holds for the client.
    pub(super) fn most_incoming(self) -> usize {
        if self == Kind::Mosquitto {
            20
        } else {
            usize::MAX
        }
    }

    /// Whether a crash takes all that it knew in any case.
    #[must_use]
    pub fn is_forgetful(self) -> bool {
        matches!(self, Kind::Forgetful | Kind::Amqtt)
    }

    /// Whether it forgets the QoS 2 messages of a connection with that connection.
    #[must_use]
    pub fn forgets_what_it_holds(self) -> bool {
        self == Kind::Rumqttd
    }

    #[must_use]
    pub fn has_qos_2(self) -> bool {
        self != Kind::RabbitMq
    }

    pub(super) fn sends_retained_to_all(self) -> bool {
        self == Kind::Amqtt
    }

    pub(super) fn ignores_unknown_pubrel(self) -> bool {
        self == Kind::Amqtt
    }

    /// Whether it closes on the PUBREL of an identifier that it does not know.
    #[must_use]
    pub fn closes_on_unknown_pubrel(self) -> bool {
        self == Kind::Rumqttd
    }

    /// Whether CONNACK says that a session is present.
    #[must_use]
    pub fn tells_of_sessions(self) -> bool {
        self != Kind::Aedes
    }
}

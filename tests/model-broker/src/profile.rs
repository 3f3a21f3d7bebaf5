//! What does a broker refuse, and how?

/// The rules of one broker. [`Profile::open`] has none.
#[derive(Clone, Debug)]
pub struct Profile {
    /// `None`: it speaks MQTT without TLS.
    pub tls: Option<Tls>,
    pub login: Login,
    /// The only client identifier that is let in, if it is not any.
    pub client_id: Option<String>,
    /// Bytes of a client identifier, at most.
    pub longest_client_id: usize,
    /// Seconds; a CONNECT that asks for more is closed.
    pub longest_keep_alive: u16,
    pub qos_2: Qos2,
    pub retained: Retained,
    pub topics: Topics,
    /// What happens to a message on another topic.
    pub wrong_topic: WrongTopic,
    pub payload: Payload,
    /// Messages in any second, at most; what exceeds it is neither taken nor acknowledged.
    pub rate: Option<usize>,
}

/// What a client has to say in the TLS handshake.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The name that it has to ask for (SNI), if it has to.
    pub name: Option<String>,
    /// The protocol names (ALPN), of which it has to offer one; none: it need not.
    pub protocols: Vec<&'static str>,
    /// Whether it has to show a certificate.
    pub certificate: bool,
}

/// Who is let in, beside what TLS asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    Anybody,
    /// This user name, whatever the password.
    Username(String),
    Password(String, String),
}

/// What becomes of a message at QoS 2, and of a Last Will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos2 {
    /// As the standard says.
    Take,
    /// Neither PUBREC nor PUBACK.
    NeverAcknowledge,
    Close,
    /// PUBACK, as if it were QoS 1.
    Puback,
}

/// What becomes of a message with the retain flag, and of a Last Will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retained {
    Keep,
    /// It is taken, and not kept.
    HandOn,
    Close,
}

/// The topics that may be published to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topics {
    Any,
    /// At most so many `/`, not counting `$aws/rules/<rule>/`.
    Slashes(usize),
    /// Those that begin with one of these.
    Under(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongTopic {
    Close,
    /// It is acknowledged and thrown away.
    Discard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    Any,
    /// The connection is closed at a message that is no JSON object or array.
    Json,
}

impl Profile {
    /// A broker that takes all that MQTT 3.1.1 allows, without TLS.
    #[must_use]
    pub fn open() -> Self {
        Self {
            tls: None,
            login: Login::Anybody,
            client_id: None,
            longest_client_id: usize::from(u16::MAX),
            longest_keep_alive: u16::MAX,
            qos_2: Qos2::Take,
            retained: Retained::Keep,
            topics: Topics::Any,
            wrong_topic: WrongTopic::Close,
            payload: Payload::Any,
            rate: None,
        }
    }
}

impl Topics {
    /// Whether this is one of them.
    #[must_use]
    pub fn hold(&self, topic: &str) -> bool {
        match self {
            Topics::Any => true,
            Topics::Slashes(most) => {
                let rule = topic.strip_prefix("$aws/rules/");
                let counted = rule.and_then(|rest| rest.split_once('/'));
                let counted = counted.map_or(topic, |(_, rest)| rest);
                counted.matches('/').count() <= *most
            }
            Topics::Under(starts) => starts.iter().any(|start| topic.starts_with(start.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_of_basic_ingest_does_not_count() {
        let topics = Topics::Slashes(1);
        for (topic, holds) in [
            ("a", true),
            ("a/b", true),
            ("a/b/c", false),
            ("$aws/rules/r/a/b", true),
            ("$aws/rules/r/a/b/c", false),
        ] {
            assert_eq!(topics.hold(topic), holds, "{topic}");
        }
    }
}

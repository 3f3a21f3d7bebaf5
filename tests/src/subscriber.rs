//! An MQTT client that is not our own code: it says what a broker really delivers, with QoS, retain flag and order.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rumqttc::{Client, Connection, ConnectionError, Event, MqttOptions, Packet, QoS};

use crate::wait;

/// How every subscriber's client identifier starts.
pub const CLIENT_ID: &str = "test-subscriber";

/// One message, as it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The topic.
    pub topic: String,
    /// The message; the bridge's are all text.
    pub payload: String,
    /// The quality of service: the lower of the sender's and the subscription's.
    pub qos: u8,
    /// Whether it is one that the broker had kept from before the subscription.
    pub retained: bool,
    /// Whether the **broker** says that it sends this again: not the bridge's doing.
    pub again: bool,
}

/// A subscriber to be: which broker, as whom.
pub struct Options {
    options: MqttOptions,
    filter: &'static str,
    qos: QoS,
}

/// A subscriber to all topics of the broker at `port`, at QoS 2, unless told otherwise.
#[must_use]
pub fn to(port: u16) -> Options {
    let id = format!("{CLIENT_ID}-{:08x}", fastrand::u32(..));
    let mut options = MqttOptions::new(id, "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(60));
    Options {
        options,
        filter: "#",
        qos: QoS::ExactlyOnce,
    }
}

impl Options {
    /// With a user name and a password.
    #[must_use]
    pub fn user(mut self, user: &str, password: &str) -> Self {
        self.options.set_credentials(user, password);
        self
    }

    /// To the topics of this filter only.
    #[must_use]
    pub fn only(mut self, filter: &'static str) -> Self {
        self.filter = filter;
        self
    }

    /// With a session that outlives a connection, so that nothing is missed while the broker restarts.
    ///
    /// At QoS 1, since this client does not resume QoS 2 deliveries: with [`Delivery::again`] the broker's own repetitions can be told from
    /// the bridge's.
    #[must_use]
    pub fn lasting(mut self) -> Self {
        self.options.set_clean_session(false);
        self.qos = QoS::AtLeastOnce;
        self
    }

    /// Connects, subscribes, and waits until the broker has confirmed the subscription.
    ///
    /// # Panics
    ///
    /// If it does not within [`wait::LIMIT`].
    #[must_use]
    pub fn connect(self) -> Subscriber {
        let is_lasting = !self.options.clean_session();
        let (client, connection) = Client::new(self.options, 64);
        let shared = Arc::new(Mutex::new(Shared::default()));
        let subscriber = Subscriber {
            client: client.clone(),
            shared: Arc::clone(&shared),
        };
        let (filter, qos) = (self.filter, self.qos);
        thread::spawn(move || receive(connection, &client, filter, qos, is_lasting, &shared));
        wait::until("the subscription", || {
            wait::holds(subscriber.locked().subscribed)
        });
        subscriber
    }
}

/// A client that is subscribed to everything, and remembers what it receives.
pub struct Subscriber {
    client: Client,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    subscribed: bool,
    closing: bool,
    lost_sessions: usize,
    deliveries: Vec<Delivery>,
    /// For each delivery, whether `expect` has used it up.
    expected: Vec<bool>,
}

impl Subscriber {
    /// All deliveries so far, in order.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.locked().deliveries.clone()
    }

    /// How many deliveries there are so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.locked().deliveries.len()
    }

    /// The deliveries that came after the first `count`, in order.
    #[must_use]
    pub fn deliveries_after(&self, count: usize) -> Vec<Delivery> {
        self.locked().deliveries[count..].to_vec()
    }

    /// The messages on `topic` so far, in order.
    #[must_use]
    pub fn payloads(&self, topic: &str) -> Vec<String> {
        let shared = self.locked();
        let on_topic = shared.deliveries.iter().filter(|one| one.topic == topic);
        on_topic.map(|one| one.payload.clone()).collect()
    }

    /// The next message on `topic` that no earlier call returned. Waits for it.
    ///
    /// # Panics
    ///
    /// If none comes within [`wait::LIMIT`].
    #[track_caller]
    pub fn next(&self, topic: &str) -> Delivery {
        wait::until(format_args!("a message on {topic}; so far: {self}"), || {
            let mut shared = self.locked();
            let shared = &mut *shared;
            let mut all = shared.deliveries.iter().zip(&mut shared.expected);
            let (delivery, expected) =
                all.find(|(one, expected)| one.topic == topic && !**expected)?;
            *expected = true;
            Some(delivery.clone())
        })
    }

    /// The next message on `topic` is this one: not merely a later one.
    ///
    /// # Panics
    ///
    /// If it is another, or none comes within [`wait::LIMIT`].
    #[track_caller]
    pub fn expect(&self, topic: &str, payload: &str) -> Delivery {
        let delivery = self.next(topic);
        assert_eq!(delivery.payload, payload, "the next message on {topic}");
        delivery
    }

    /// Waits for `payload` on `topic`, whatever comes before it.
    ///
    /// # Panics
    ///
    /// If it does not come within [`wait::LIMIT`].
    #[track_caller]
    pub fn wait_for(&self, topic: &str, payload: &str) {
        wait::until(format_args!("{payload} on {topic}"), || {
            let shared = self.locked();
            let mut all = shared.deliveries.iter();
            wait::holds(all.any(|one| one.topic == topic && one.payload == payload))
        });
    }

    /// How often the broker has forgotten the session of a [lasting](Options::lasting) subscriber, and with it what waited there.
    #[must_use]
    pub fn lost_sessions(&self) -> usize {
        self.locked().lost_sessions
    }

    /// Publishes a message: for what is not there, there must be something that comes after it.
    pub fn publish(&self, topic: &str, payload: &str) {
        let sent = self.client.publish(topic, QoS::AtLeastOnce, false, payload);
        sent.expect("the client runs");
    }

    fn locked(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("the receiver does not panic")
    }
}

impl fmt::Display for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.locked();
        let count = shared.deliveries.len();
        write!(f, "{count} messages")?;
        if let Some(last) = shared.deliveries.last() {
            write!(f, ", the last {} {}", last.topic, last.payload)?;
        }
        Ok(())
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.locked().closing = true;
        // Wakes the receiver. It may have no connection, and then sees the flag.
        let _ = self.client.try_disconnect();
    }
}

fn receive(
    mut connection: Connection,
    client: &Client,
    filter: &str,
    qos: QoS,
    is_lasting: bool,
    shared: &Mutex<Shared>,
) {
    for event in connection.iter() {
        let mut shared = shared.lock().expect("no test thread panics with it");
        match event {
            Ok(Event::Incoming(Packet::ConnAck(answer))) if answer.session_present => {
                shared.subscribed = true;
            }
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                // Only the first one is to be new.
                shared.lost_sessions += usize::from(is_lasting && shared.subscribed);
                let sent = client.try_subscribe(filter, qos);
                sent.expect("room in the client's own queue");
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => shared.subscribed = true,
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                shared.deliveries.push(Delivery {
                    topic: publish.topic,
                    payload: String::from_utf8_lossy(&publish.payload).into_owned(),
                    qos: publish.qos as u8,
                    retained: publish.retain,
                    again: publish.dup,
                });
                shared.expected.push(false);
            }
            Ok(_) => {}
            Err(ConnectionError::RequestsDone) => return,
            Err(_) if shared.closing => return,
            Err(_) => {
                // The broker is away. The next turn of the loop connects again.
                drop(shared);
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

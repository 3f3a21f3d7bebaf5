//! What is answered to a client's packets?

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PingResp, PubAck, PubComp, PubRec, Publish,
};
use rumqttc::mqttbytes::{Error, QoS};

use crate::Shared;
use crate::link::{Door, Greeting, Link};
use crate::profile::{Login, Payload, Profile, Qos2, Retained, WrongTopic};

/// Bytes of a packet, at most.
const MAX_PACKET: usize = 256 * 1024;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The TLS handshake has ended well.
    Secured(Greeting),
    /// A client was let in.
    Connected {
        client_id: String,
        /// In seconds.
        keep_alive: u16,
    },
    /// A message is complete: at QoS 2 with PUBREL.
    Taken(Message),
    /// A message was acknowledged and thrown away.
    Discarded(Message),
    /// A message was neither taken nor acknowledged.
    Ignored(Message),
    /// Why a connection was closed, or a CONNECT refused.
    Refused(Refusal),
    /// The connection has ended, whoever closed it.
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: String,
    pub qos: u8,
    /// Whether it is kept for later subscribers.
    pub kept: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No TLS handshake came about: a client that speaks none, or shows no certificate, or offers no protocol that is spoken here.
    Handshake,
    /// The client did not ask for the broker's name (SNI).
    Name,
    /// It offered no protocol name (ALPN).
    Protocol,
    /// The first packet is not a CONNECT of MQTT 3.1.1.
    NotConnect,
    Login,
    ClientId,
    KeepAlive,
    Qos2,
    Retained,
    Topic,
    Payload,
    /// The client was silent for longer than its keep-alive allows [MQTT-3.1.2-24].
    Silence,
    /// What came is no packet of a publisher.
    Packet,
}

/// Serves one client until its connection ends.
pub fn serve(stream: TcpStream, door: &Door, profile: &Profile, shared: &Shared) {
    let Ok(socket) = stream.try_clone() else {
        return;
    };
    match door.open(stream) {
        Ok((link, greeting)) => {
            let mut session = Session {
                link,
                socket: &socket,
                received: BytesMut::new(),
                profile,
                shared,
                recent: VecDeque::new(),
                unreleased: HashMap::new(),
            };
            if let Err(End::Refused(refusal)) = session.run(&greeting) {
                shared.tell(Event::Refused(refusal));
            }
        }
        Err(_) => shared.tell(Event::Refused(Refusal::Handshake)),
    }
    // There are other handles of it: to drop ours would not close it.
    let _ = socket.shutdown(Shutdown::Both);
    shared.tell(Event::Closed);
}

/// Why a session ends.
enum End {
    Refused(Refusal),
    /// The client's doing: DISCONNECT, or a link that is gone.
    Gone,
}

struct Session<'a> {
    link: Link,
    /// The link's, for its time limit.
    socket: &'a TcpStream,
    received: BytesMut,
    profile: &'a Profile,
    shared: &'a Shared,
    /// When the messages of the last second came.
    recent: VecDeque<Instant>,
    /// Messages at QoS 2 between PUBREC and PUBREL.
    unreleased: HashMap<u16, Message>,
}

impl Session<'_> {
    fn run(&mut self, greeting: &Greeting) -> Result<(), End> {
        self.greeted(greeting)?;
        let first = self.packet()?;
        let Packet::Connect(connect) = first else {
            return Err(End::Refused(Refusal::NotConnect));
        };
        self.connect(&connect)?;
        loop {
            match self.packet()? {
                Packet::Publish(publish) => self.publish(&publish)?,
                Packet::PubRel(release) => {
                    if let Some(message) = self.unreleased.remove(&release.pkid) {
                        self.shared.tell(Event::Taken(message));
                    }
                    self.send(|to| PubComp::new(release.pkid).write(to))?;
                }
                Packet::PingReq => self.send(|to| PingResp.write(to))?,
                Packet::Disconnect => return Ok(()),
                _ => return Err(End::Refused(Refusal::Packet)),
            }
        }
    }

    fn greeted(&mut self, greeting: &Greeting) -> Result<(), End> {
        let Some(tls) = &self.profile.tls else {
            return Ok(());
        };
        self.shared.tell(Event::Secured(greeting.clone()));
        if tls.name.is_some() && tls.name != greeting.name {
            return Err(End::Refused(Refusal::Name));
        }
        if !tls.protocols.is_empty() && greeting.protocol.is_none() {
            return Err(End::Refused(Refusal::Protocol));
        }
        Ok(())
    }

    fn connect(&mut self, connect: &Connect) -> Result<(), End> {
        let Profile {
            login,
            client_id,
            longest_client_id,
            longest_keep_alive,
            ..
        } = self.profile;
        let (username, password) = match &connect.login {
            Some(login) => (login.username.as_str(), login.password.as_str()),
            None => ("", ""),
        };
        let may_enter = match login {
            Login::Anybody => true,
            Login::Username(name) => username == name,
            Login::Password(name, secret) => username == name && password == secret,
        };
        if !may_enter {
            return self.refuse(ConnectReturnCode::BadUserNamePassword, Refusal::Login);
        }
        let is_known = client_id.as_ref().is_none_or(|id| *id == connect.client_id);
        if !is_known || connect.client_id.len() > *longest_client_id {
            return self.refuse(ConnectReturnCode::BadClientId, Refusal::ClientId);
        }
        if connect.keep_alive > *longest_keep_alive {
            return Err(End::Refused(Refusal::KeepAlive));
        }
        if let Some(will) = &connect.last_will {
            self.check(&will.topic, will.qos, will.retain)?;
        }
        let limit = Duration::from_millis(1500 * u64::from(connect.keep_alive));
        let limit = Some(limit).filter(|limit| !limit.is_zero());
        (self.socket.set_read_timeout(limit)).map_err(|_| End::Gone)?;
        self.shared.tell(Event::Connected {
            client_id: connect.client_id.clone(),
            keep_alive: connect.keep_alive,
        });
        self.send(|to| ConnAck::new(ConnectReturnCode::Success, false).write(to))
    }

    fn refuse(&mut self, code: ConnectReturnCode, refusal: Refusal) -> Result<(), End> {
        self.send(|to| ConnAck::new(code, false).write(to))?;
        Err(End::Refused(refusal))
    }

    /// What closes the connection, at a message as at a Last Will.
    fn check(&self, topic: &str, qos: QoS, retain: bool) -> Result<(), End> {
        let profile = self.profile;
        if qos == QoS::ExactlyOnce && profile.qos_2 == Qos2::Close {
            return Err(End::Refused(Refusal::Qos2));
        }
        if retain && profile.retained == Retained::Close {
            return Err(End::Refused(Refusal::Retained));
        }
        if profile.wrong_topic == WrongTopic::Close && !profile.topics.hold(topic) {
            return Err(End::Refused(Refusal::Topic));
        }
        Ok(())
    }

    fn publish(&mut self, publish: &Publish) -> Result<(), End> {
        self.check(&publish.topic, publish.qos, publish.retain)?;
        let message = Message {
            topic: publish.topic.clone(),
            payload: String::from_utf8_lossy(&publish.payload).into_owned(),
            qos: publish.qos as u8,
            kept: publish.retain && self.profile.retained == Retained::Keep,
        };
        if self.is_too_fast() {
            self.shared.tell(Event::Ignored(message));
            return Ok(());
        }
        if !self.profile.topics.hold(&message.topic) {
            self.shared.tell(Event::Discarded(message));
            return self.puback(publish);
        }
        let is_json = || {
            let value = serde_json::from_str::<serde_json::Value>(&message.payload);
            value.is_ok_and(|value| value.is_object() || value.is_array())
        };
        if self.profile.payload == Payload::Json && !is_json() {
            return Err(End::Refused(Refusal::Payload));
        }
        match (publish.qos, self.profile.qos_2) {
            (QoS::ExactlyOnce, Qos2::NeverAcknowledge) => {
                self.shared.tell(Event::Ignored(message));
                Ok(())
            }
            (QoS::ExactlyOnce, Qos2::Take | Qos2::Close) => {
                self.unreleased.insert(publish.pkid, message);
                self.send(|to| PubRec::new(publish.pkid).write(to))
            }
            _ => {
                self.shared.tell(Event::Taken(message));
                self.puback(publish)
            }
        }
    }

    fn is_too_fast(&mut self) -> bool {
        let Some(most) = self.profile.rate else {
            return false;
        };
        let now = Instant::now();
        let is_old = |at: &Instant| now.duration_since(*at) >= Duration::from_secs(1);
        while self.recent.pop_front_if(|at| is_old(at)).is_some() {}
        if self.recent.len() >= most {
            return true;
        }
        self.recent.push_back(now);
        false
    }

    fn puback(&mut self, publish: &Publish) -> Result<(), End> {
        match publish.qos {
            QoS::AtMostOnce => Ok(()),
            _ => self.send(|to| PubAck::new(publish.pkid).write(to)),
        }
    }

    fn send(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> Result<usize, Error>,
    ) -> Result<(), End> {
        let mut bytes = BytesMut::new();
        write(&mut bytes).map_err(|_| End::Gone)?;
        let sent = self.link.write_all(&bytes).and_then(|()| self.link.flush());
        sent.map_err(|_| End::Gone)
    }

    /// Waits for the next packet.
    fn packet(&mut self) -> Result<Packet, End> {
        loop {
            match Packet::read(&mut self.received, MAX_PACKET) {
                Ok(packet) => return Ok(packet),
                Err(Error::InsufficientBytes(_)) => {}
                Err(_) => return Err(End::Refused(Refusal::Packet)),
            }
            let mut bytes = [0; 4096];
            match self.link.read(&mut bytes) {
                Ok(0) => return Err(End::Gone),
                Ok(count) => self.received.extend_from_slice(&bytes[..count]),
                Err(error) => match error.kind() {
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
                        return Err(End::Refused(Refusal::Silence));
                    }
                    std::io::ErrorKind::Interrupted => {}
                    _ => return Err(End::Gone),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModelBroker;

    /// Sends a packet, and reads until the broker closes.
    fn answer_to(profile: Profile, packet: &Packet) -> (ModelBroker, Vec<u8>) {
        let broker = ModelBroker::start(profile, None).unwrap();
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, MAX_PACKET).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", broker.port())).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        client.write_all(&bytes).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        (broker, answer)
    }

    #[test]
    fn a_client_that_is_silent_for_one_and_a_half_keep_alives_is_closed() {
        let mut connect = Connect::new("gateway");
        connect.keep_alive = 1;
        let (broker, answer) = answer_to(Profile::open(), &Packet::Connect(connect));
        assert_eq!(answer, [0x20, 2, 0, 0]);
        assert!(broker.has_refused(Refusal::Silence));
    }

    #[test]
    fn a_wrong_password_and_a_wrong_identifier_are_told_and_closed() {
        let login = Login::Password(String::from("user"), String::from("right"));
        let profile = Profile {
            login,
            client_id: Some(String::from("gateway")),
            ..Profile::open()
        };
        for (password, id, code, refusal) in [
            ("wrong", "gateway", 4, Refusal::Login),
            ("right", "another", 2, Refusal::ClientId),
        ] {
            let mut connect = Connect::new(id);
            connect.set_login("user", password);
            let (broker, answer) = answer_to(profile.clone(), &Packet::Connect(connect));
            assert_eq!(answer, [0x20, 2, 0, code]);
            assert!(broker.has_refused(refusal), "{:?}", broker.events());
        }
    }

    #[test]
    fn what_is_no_connect_is_closed_without_a_word() {
        let (broker, answer) = answer_to(Profile::open(), &Packet::PingReq);
        assert!(answer.is_empty(), "{answer:?}");
        assert!(broker.has_refused(Refusal::NotConnect));
    }
}

//! What the client says, packet by packet, against what the ledger says that it must be.

use super::Fate;
use super::{Ledger, Stage, Wire};
use crate::line::Tap;
use crate::packet::{ClientPacket, Connect, Publish, take_packet, take_packet_v5};
use crate::property;
use crate::trace;
use crate::world::{Device, SECRETS};

impl Tap for Ledger {
    fn opened(&mut self, connection: u32) {
        self.wire = Wire {
            connection,
            is_open: true,
            last_written: self.clock.get(),
            ..Wire::default()
        };
        self.postpones_until = None;
        // What was acknowledged while it was half repeated is not finished any more.
        self.free_complete();
        trace::note(|| (self.name(), format!("connection {connection} is open")));
    }

    fn wrote(&mut self, bytes: &[u8]) {
        self.settle();
        self.check_silence();
        self.wire.last_written = self.clock.get();
        self.wire.excused = false;
        // The rest of a sample's packet comes by itself.
        let is_status = self.wire.status.decided > 0 && self.wire.half.is_none();
        self.wire.rest.extend_from_slice(bytes);
        let take = if self.device.v5.is_some() {
            take_packet_v5
        } else {
            take_packet
        };
        while let Some(mut packet) = take(&mut self.wire.rest) {
            if let Some(spelling) = &self.spelling {
                spelling.restore(&mut packet);
            }
            if packet != ClientPacket::Pingreq {
                trace::note(|| (self.name(), format!("<- {packet}")));
            }
            self.packet(packet);
        }
        let first = self.wire.rest.first().copied().unwrap_or_default();
        let is_publish = first >> 4 == 3 && !(is_status && self.wire.status.decided > 0);
        if is_publish && first & 8 == 0 && self.wire.half.is_none() {
            self.take_back_postponed();
        }
        self.wire.half = self.next().filter(|_| is_publish);
    }

    fn refused_to_write(&mut self) {
        self.wire.excused = true;
        self.wire.was_stalled = true;
    }

    fn closed(&mut self) {
        self.check_silence();
        self.note_unanswered();
        self.ends += u32::from(self.wire.let_in);
        self.wire.is_open = false;
        let owed = self.wire.connection;
        trace::note(|| (self.name(), format!("connection {owed} is closed by us")));
    }
}

impl Ledger {
    fn packet(&mut self, packet: ClientPacket) {
        let wire = &self.wire;
        let in_turn = match packet {
            ClientPacket::Connect(_) => !wire.greeted,
            ClientPacket::Disconnect | ClientPacket::DisconnectFor(_) => {
                wire.greeted && !wire.said_goodbye
            }
            // A status that ends what CONNECT began.
            ClientPacket::Publish(ref publish) if publish.payload == "offline" => {
                wire.greeted && !wire.said_goodbye
            }
            _ => wire.let_in && !wire.said_goodbye,
        };
        let is_status = matches!(&packet, ClientPacket::Publish(publish) if self.is_status(publish.topic.as_bytes()));
        let property = if wire.greeted {
            property::TURN
        } else {
            property::CONNECT
        };
        self.verdict
            .require(property, in_turn, || format!("{packet} out of turn"));
        if packet != ClientPacket::Disconnect {
            self.wire.status.is_last_offline = false;
        }
        match packet {
            ClientPacket::Publish(publish) if is_status => self.status(&publish),
            ClientPacket::Connect(connect) => self.connect(&connect),
            ClientPacket::Publish(publish) => self.publish(&publish),
            ClientPacket::Pubrel { id, dup } => self.pubrel(id, dup),
            // Whether acknowledgements are right is for the broker to say, which sent what they acknowledge.
            ClientPacket::Pingreq
            | ClientPacket::Puback { .. }
            | ClientPacket::Pubrec { .. }
            | ClientPacket::Pubcomp { .. } => {}
            ClientPacket::Disconnect => self.disconnect(),
            // Whatever the broker did: the connection ends with it.
            ClientPacket::DisconnectFor(_) => self.wire.said_goodbye = true,
        }
    }

    /// [`property::CONNECT`]
    fn connect(&mut self, connect: &Connect) {
        let device = &self.device;
        let levels: &[u8] = match device.version {
            "3.1" => &[3],
            "3.1.1" => &[4],
            "5" => &[5],
            _ => &[3, 4],
        };
        let password = device.password.then(|| SECRETS[1].to_string());
        // Whatever was refused before it was sent counts as sent.
        let sent = self.counters.sent - self.counters.refused;
        let may_be_clean = device.qos == 0 || sent == 0 || self.begins_anew;
        let right = levels.contains(&connect.level)
            && u64::from(connect.keep_alive) * 1000 == self.asked_keep_alive
            && connect.will.is_some() == (device.will || device.status)
            && connect.username.is_some() == device.password
            && connect.password == password
            && connect.client_id == format!("{}-00c0ffee", Device::alias(self.number))
            && (!connect.clean_session || may_be_clean)
            && (connect.clean_session || device.qos > 0);
        self.verdict.require(property::CONNECT, right, || {
            format!(
                "{connect:?} of {device:?}, after {} messages",
                self.counters.sent
            )
        });
        self.wire.greeted = true;
        self.wire.clean = connect.clean_session;
        self.wire.old = connect.level == 3;
    }

    /// The properties of PUBLISH.
    fn publish(&mut self, publish: &Publish) {
        self.free_kept();
        self.pass_aside();
        if let Some(index) = self.next() {
            self.pass_over_up_to(index, &publish.payload);
        }
        self.pass_what_is_not_sent(publish);
        let Some(index) = self.next() else {
            self.verdict.require(property::NOT_AGAIN, false, || {
                format!("{} though all is done with", publish.payload)
            });
            return;
        };
        let wanted = &self.samples[self.items[index].sample];
        // Whether it is the topic that the alias stands for is for the broker to say.
        let is_named = wanted.topic == publish.topic
            || publish.topic.is_empty() && publish.properties.contains_key(&0x23);
        let same = wanted.payload == publish.payload && is_named;
        if !same {
            let waits = self.items.iter().any(|item| {
                item.stage != Stage::Complete
                    && self.samples[item.sample].payload == publish.payload
            });
            let property = if waits {
                property::NEXT_PUBLISH
            } else {
                property::NOT_AGAIN
            };
            self.verdict.require(property, false, || {
                format!("{} {}, not {wanted:?}", publish.topic, publish.payload)
            });
            return;
        }
        let item = &self.items[index];
        let verdict = &self.verdict;
        let may_go_on = self.wire.half.is_some() || item.stage != Stage::Released;
        verdict.require(property::PUBREL, may_go_on, || {
            format!("PUBLISH {} again, though it is PUBREL's turn", item.id)
        });
        let as_configured = publish.qos == self.device.qos
            && (publish.retain == self.device.retain || self.may_be_unretained(index));
        verdict.require(
            property::CONNECT,
            as_configured && (!self.wire.clean || publish.qos == 0 || self.device.v5.is_some()),
            || format!("{publish:?} of {:?}", self.device),
        );
        let again = item.stage != Stage::Queued;
        verdict.require(property::DUP, publish.dup == again, || {
            format!("{publish:?}")
        });
        if let Some(id) = publish.id {
            if !self.has_said_identifier {
                // Once in a life it may be chance: there are 65,535 places to begin at.
                let is_fresh = !self.first_ids.contains(&id)
                    || !std::mem::replace(&mut self.has_begun_where_another_did, true);
                verdict.require(property::FRESH_IDENTIFIERS, is_fresh, || {
                    format!("{id} is where an earlier process began, not for the first time")
                });
                self.first_ids.push(id);
                self.has_said_identifier = true;
            }
            let others = self.items.iter().enumerate();
            let mut others = others
                .filter(|(other, _)| *other != index)
                .map(|(_, other)| other);
            let taken = others.any(|other| {
                other.stage != Stage::Queued && other.stage != Stage::Complete && other.id == id
            });
            verdict.require(
                property::IDENTIFIER,
                !taken && (!again || id == item.id),
                || format!("{publish:?}, before it had {}", item.id),
            );
        }
        let before = self.items.iter().take(index);
        let unacknowledged = before.filter(|item| item.stage != Stage::Complete).count();
        verdict.require(
            property::WINDOW,
            self.device.qos == 0
                || again && self.device.v5.is_none()
                || unacknowledged < self.device.max_inflight,
            || {
                format!(
                    "{publish:?} with {unacknowledged} in flight of {}",
                    self.device.max_inflight
                )
            },
        );
        self.check_expiry(publish, index);
        self.check_rate();
        if !again {
            self.check_status_before_sample();
            self.check_retained(index, publish.retain);
            self.check_replay(index);
        }
        self.written_whole(index, publish.id);
    }

    /// [`property::RATE`]
    pub(super) fn check_rate(&mut self) {
        let now = self.clock.get();
        while self.written.front().is_some_and(|at| at + 1000 < now) {
            self.written.pop_front();
        }
        self.written.push_back(now);
        let (count, most) = (self.written.len(), self.device.max_rate);
        self.verdict
            .require(property::RATE, most == 0 || count <= most, || {
                format!("{count} messages in a second, of at most {most}")
            });
    }

    fn written_whole(&mut self, index: usize, id: Option<u16>) {
        let item = &mut self.items[index];
        if item.stage == Stage::Queued {
            item.stage = Stage::Published;
            self.counters.sent += 1;
        }
        item.id = id.unwrap_or(0);
        item.since = self.clock.get();
        item.overtaken = None;
        item.is_postponed = false;
        self.samples[item.sample].fate = Fate::Sent(self.wire.connection);
        if let Some(spool) = &mut self.spool {
            spool.is_sent(item.sample);
        }
        self.wire.half = None;
        if self.device.qos == 0 {
            if let Some(spool) = &mut self.spool {
                spool.is_done_with(item.sample, self.clock.get());
            }
            self.kept = self.items.remove(index);
        } else {
            self.wire.cursor = index + 1;
        }
        self.free_complete();
    }

    /// [`property::PUBREL`]: the client decides to say it. When it is written, much may have changed.
    pub fn decides_on_pubrel(&mut self, id: u16) {
        if self.wire.owed.front() == Some(&id) {
            self.wire.owed.pop_front();
            self.wire.pubrels.push_back((id, false));
            return;
        }
        let next = self.next();
        let repeats = next.is_some_and(|index| {
            let item = &self.items[index];
            item.stage == Stage::Released && item.id == id
        });
        self.verdict.require(property::PUBREL, repeats, || {
            format!("PUBREL {id}, owed are {:?}", self.wire.owed)
        });
        if let (true, Some(index)) = (repeats, next) {
            self.items[index].since = self.clock.get();
            self.wire.cursor = index + 1;
            self.wire.pubrels.push_back((id, self.wire.old));
        }
    }

    /// [`property::PUBREL`]: it is written.
    fn pubrel(&mut self, id: u16, dup: bool) {
        let decided = self.wire.pubrels.pop_front();
        self.verdict
            .require(property::PUBREL, decided == Some((id, dup)), || {
                format!("PUBREL {id} {dup} is written, not {decided:?}")
            });
    }

    /// [`property::DISCONNECT`]
    fn disconnect(&mut self) {
        self.check_status_before_disconnect();
        self.wire.said_goodbye = true;
        let wipes = self.device.qos > 0 && (self.counters.sent == 0 || self.begins_anew);
        let stops = self.stop_by.is_some_and(|stop_by| {
            self.items.len() <= self.in_log()
                || self.has_nothing_to_send()
                || self.clock.get() >= stop_by
        });
        self.verdict.require(
            property::DISCONNECT,
            wipes || stops || self.may_leave,
            || {
                format!(
                    "DISCONNECT with {} messages left, to stop by {:?}",
                    self.items.len(),
                    self.stop_by
                )
            },
        );
    }
}

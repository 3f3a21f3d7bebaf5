//! What a session tells its owner.

use super::Session;
use super::status::Said;
use crate::mqtt::Ack;
use crate::mqtt::decode::Incoming;
use crate::mqtt::packet::Packet;
use crate::mqtt::v5::decode::decode;
use crate::mqtt::v5::reason::Reason;

/// What a session has to tell, see [`Session::poll_event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'s> {
    /// The broker may not have the last value of any signal any more: the next sample of each is to be sent.
    ValuesLost,
    /// The topic of this signal is set aside: what is queued for it from now on has to say so, see [`Session::queue`].
    SetAside(u32),
    /// No topic is set aside any more.
    TakenBack,
    /// A packet is on its way to the broker; only of a session that is [watched](Session::watch).
    Sent(Packet<'s>),
    /// A packet came from the broker; likewise.
    Received(Packet<'s>),
}

/// Packets that wait to be shown. A status comes beside the others.
const MOST_SHOWN: usize = if cfg!(feature = "status") { 8 } else { 4 };

/// What has happened and is not told yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Events {
    pub(super) values_lost: bool,
    pub(super) set_aside: Option<u32>,
    pub(super) taken_back: bool,
    is_watched: bool,
    packets: heapless::Deque<Shown, MOST_SHOWN>,
}

/// A packet to be shown; PUBLISH is shown from where it lies.
#[derive(Debug, Clone, Copy)]
enum Shown {
    Sent(Control),
    Received(Incoming),
    /// Of MQTT 5: at the front of the input.
    Lying,
}

/// A packet that is not PUBLISH, on its way to the broker.
#[derive(Debug, Clone, Copy)]
pub(super) enum Control {
    Connect,
    Pubrel(u16),
    Answer(Ack, u16),
    Pingreq,
    Disconnect(Option<Reason>),
    Status(Said),
}

impl Events {
    /// Whether there is room for what one more packet from the broker may bring: itself, its answer, and what goes on our own account.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        !self.is_watched() || self.packets.len() + MOST_SHOWN / 2 <= MOST_SHOWN
    }

    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        cfg!(feature = "watch") && self.is_watched
    }

    #[inline]
    pub(super) fn sent(&mut self, packet: Control) {
        if self.is_watched() {
            // There is room for it, or the owner does not look.
            let _ = self.packets.push_back(Shown::Sent(packet));
        }
    }

    #[inline]
    pub(super) fn received(&mut self, packet: Incoming) {
        if self.is_watched() {
            let _ = self.packets.push_back(Shown::Received(packet));
        }
    }

    /// A packet of MQTT 5 came, and is shown from where it lies.
    pub(super) fn received_lying(&mut self) {
        let _ = self.packets.push_back(Shown::Lying);
    }

    /// Whether that is not shown yet.
    pub(super) fn is_lying(&self) -> bool {
        self.is_watched()
            && self
                .packets
                .iter()
                .any(|shown| matches!(shown, Shown::Lying))
    }

    /// Whether [`Session::poll_event`] has something.
    #[inline]
    fn is_empty(&self) -> bool {
        !(self.is_watched() || self.values_lost || self.taken_back || self.set_aside.is_some())
    }
}

impl<'a> Session<'a> {
    /// From now on each packet is an event, or no more so: nothing without the feature `watch`.
    pub fn watch(&mut self, is_watched: bool) {
        self.state.events.is_watched = is_watched;
    }

    /// The next thing that the session has to tell. Every other method that takes `&mut self` may add one.
    #[inline]
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        if self.state.events.is_empty() {
            None
        } else {
            self.next_event()
        }
    }

    /// Whether [`Session::poll_event`] comes first.
    pub(super) fn has_packets_to_show(&self) -> bool {
        self.transmit.is_unshown() || !self.state.events.packets.is_empty()
    }

    #[cold]
    #[inline(never)]
    fn next_event(&mut self) -> Option<Event<'_>> {
        let events = &mut self.state.events;
        if core::mem::take(&mut events.values_lost) {
            return Some(Event::ValuesLost);
        }
        if core::mem::take(&mut events.taken_back) {
            return Some(Event::TakenBack);
        }
        if let Some(signal) = events.set_aside.take() {
            return Some(Event::SetAside(signal));
        }
        if !events.is_watched() {
            return None;
        }
        if self.transmit.is_unshown() {
            let level = self.state.attempts.level();
            let publish = self.transmit.next_shown(level)?;
            return Some(Event::Sent(Packet::Publish(publish)));
        }
        match events.packets.pop_front()? {
            Shown::Received(packet) => Some(Event::Received(Packet::Incoming(packet))),
            Shown::Lying if !self.state.attempts.level().is_v5() => None,
            Shown::Lying => {
                let input = self.input.get(..self.state.v5.lying)?;
                let (packet, _) = decode(input, input.len()).ok()??;
                Some(Event::Received(Packet::IncomingV5(packet)))
            }
            Shown::Sent(packet) => Some(Event::Sent(self.shown(packet))),
        }
    }

    fn shown(&self, packet: Control) -> Packet<'_> {
        match packet {
            Control::Connect => Packet::Connect(self.connect()),
            Control::Pubrel(packet_id) => Packet::Pubrel { packet_id },
            Control::Answer(ack, packet_id) => Packet::Answer { ack, packet_id },
            Control::Pingreq => Packet::Pingreq,
            Control::Disconnect(reason) => Packet::Disconnect(reason),
            Control::Status(said) => Packet::Publish(self.shown_status(said)),
        }
    }
}

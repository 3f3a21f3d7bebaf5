//! How does a frame get in and out?

use smoltcp::phy::{self, Checksum, ChecksumCapabilities, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

use super::registers::{
    Register, RxStatus, is_transmit_error, transmit_room, tx_command_a, tx_command_b,
    waiting_statuses,
};
use super::{Lan9118, MAX_FRAME, Registers};

/// Bytes of the checksum behind a received frame.
const CHECKSUM: usize = 4;
/// Damaged frames in a row that one look for a frame skips, so that its time is bounded.
const MAX_SKIPPED: usize = 16;
/// The longest frames that fit into the chip's 10,560 bytes for received ones, with something left for others' broadcasts.
const BURST: usize = 5;
/// Bytes of the FIFO that a frame takes at most, with its two command words.
const MAX_ROOM: u32 = MAX_FRAME.next_multiple_of(4) as u32 + 8;

impl<R: Registers> phy::Device for Lan9118<'_, R> {
    type RxToken<'a>
        = RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<'a, R>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_>, TxToken<'_, R>)> {
        // Without room for the answer, the frame waits in the chip.
        if !self.has_transmit_room() {
            return None;
        }
        let length = self.take_frame()?;
        let received = RxToken {
            frame: &self.frames.received[..length],
        };
        let sending = TxToken {
            registers: &mut self.registers,
            frame: &mut self.frames.sending,
        };
        Some((received, sending))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_, R>> {
        self.has_transmit_room().then_some(TxToken {
            registers: &mut self.registers,
            frame: &mut self.frames.sending,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MAX_FRAME;
        capabilities.max_burst_size = Some(BURST);
        capabilities.checksum = checksums();
        capabilities
    }
}

/// The chip knows Ethernet's checksum only.
fn checksums() -> ChecksumCapabilities {
    let mut checksums = ChecksumCapabilities::default();
    for protocol in [
        &mut checksums.ipv4,
        &mut checksums.udp,
        &mut checksums.tcp,
        &mut checksums.icmpv4,
    ] {
        *protocol = Checksum::Both;
    }
    checksums
}

impl<R: Registers> Lan9118<'_, R> {
    /// Copies the next good frame, and returns its length.
    fn take_frame(&mut self) -> Option<usize> {
        for _ in 0..MAX_SKIPPED {
            if !self.has_frame() {
                return None;
            }
            let status = RxStatus(self.registers.read(Register::RxStatusFifo));
            let words = status.length().div_ceil(4);
            let length = status.length().checked_sub(CHECKSUM);
            match length.filter(|&length| length <= MAX_FRAME && !status.is_error()) {
                Some(length) => {
                    self.read_frame(length, words);
                    return Some(length);
                }
                None => {
                    // Read, rather than skipped with RX_FFWD, which must not be used below four words.
                    self.read_frame(0, words);
                    self.errors.received = self.errors.received.wrapping_add(1);
                }
            }
        }
        None
    }

    /// Takes `words` out of the FIFO, and keeps the first `length` bytes.
    fn read_frame(&mut self, length: usize, words: usize) {
        let mut chunks = self.frames.received[..length].chunks_mut(4);
        for _ in 0..words {
            let word = self.registers.read(Register::RxDataFifo).to_le_bytes();
            if let Some(chunk) = chunks.next() {
                chunk.copy_from_slice(&word[..chunk.len()]);
            }
        }
    }

    fn has_transmit_room(&mut self) -> bool {
        let information = self.registers.read(Register::TxFifoInf);
        // A full status FIFO would stop the transmitter.
        for _ in 0..waiting_statuses(information) {
            if is_transmit_error(self.registers.read(Register::TxStatusFifo)) {
                self.errors.sent = self.errors.sent.wrapping_add(1);
            }
        }
        transmit_room(information) >= MAX_ROOM
    }
}

/// A frame that was received.
pub struct RxToken<'a> {
    frame: &'a [u8],
}

impl phy::RxToken for RxToken<'_> {
    fn consume<T, F: FnOnce(&[u8]) -> T>(self, f: F) -> T {
        f(self.frame)
    }
}

/// Room for a frame to be sent.
pub struct TxToken<'a, R> {
    registers: &'a mut R,
    frame: &'a mut [u8; MAX_FRAME],
}

impl<R: Registers> phy::TxToken for TxToken<'_, R> {
    /// `length` is at most the `max_transmission_unit` of the device's capabilities: smoltcp's promise.
    fn consume<T, F: FnOnce(&mut [u8]) -> T>(self, length: usize, f: F) -> T {
        let frame = &mut self.frame[..length];
        let result = f(frame);
        // At most `MAX_FRAME`.
        let length = length as u32;
        let mut push = |word| self.registers.write(Register::TxDataFifo, word);
        push(tx_command_a(length));
        push(tx_command_b(length));
        for chunk in frame.chunks(4) {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            push(u32::from_le_bytes(word));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use std::boxed::Box;
    use std::vec;
    use std::vec::Vec;

    use smoltcp::phy::{Device as _, RxToken as _, TxToken as _};

    use super::super::model::{Model, Registers as ModelRegisters};
    use super::*;

    const NOW: Instant = Instant::ZERO;

    type Chip = Lan9118<'static, ModelRegisters>;

    fn started() -> (Model, Chip) {
        let model = Model::new();
        let frames = Box::leak(Box::default());
        let chip = Lan9118::start(model.registers(), frames).unwrap();
        (model, chip)
    }

    fn frame(length: usize) -> Vec<u8> {
        (0..length).map(|at| at as u8).collect()
    }

    fn received(chip: &mut Chip) -> Option<Vec<u8>> {
        let (token, _) = chip.receive(NOW)?;
        Some(token.consume(<[u8]>::to_vec))
    }

    fn send(chip: &mut Chip, bytes: &[u8]) {
        let token = chip.transmit(NOW).expect("room");
        token.consume(bytes.len(), |frame| frame.copy_from_slice(bytes));
    }

    #[test]
    fn frames_of_every_length_come_in_whole_and_in_order() {
        let (model, mut chip) = started();
        for length in 14..=MAX_FRAME {
            model.arrives(&frame(length));
            model.arrives(&frame(60));
            assert_eq!(received(&mut chip), Some(frame(length)));
            assert_eq!(received(&mut chip), Some(frame(60)));
            assert_eq!(received(&mut chip), None);
        }
        assert_eq!(chip.errors(), Default::default());
    }

    #[test]
    fn frames_of_every_length_go_out_whole_and_in_order() {
        let (model, mut chip) = started();
        for length in 14..=MAX_FRAME {
            send(&mut chip, &frame(length));
            send(&mut chip, &frame(60));
            assert_eq!(model.sent(), [frame(length), frame(60)]);
        }
    }

    #[test]
    fn a_damaged_or_overlong_frame_is_counted_and_the_next_one_read() {
        let (model, mut chip) = started();
        model.arrives_damaged(&frame(100));
        model.arrives(&frame(MAX_FRAME + 1));
        model.arrives_damaged(&[]);
        model.arrives(&frame(61));
        assert_eq!(received(&mut chip), Some(frame(61)));
        assert_eq!(chip.errors().received, 3);
    }

    #[test]
    fn a_flood_of_damaged_frames_ends_a_look_in_bounded_time() {
        let (model, mut chip) = started();
        for _ in 0..MAX_SKIPPED {
            model.arrives_damaged(&frame(64));
        }
        model.arrives(&frame(64));
        assert_eq!(received(&mut chip), None);
        assert!(chip.has_frame());
        assert_eq!(received(&mut chip), Some(frame(64)));
    }

    #[test]
    fn an_answer_can_be_sent_while_the_question_is_being_read() {
        let (model, mut chip) = started();
        model.arrives(&frame(80));
        let (question, answer) = chip.receive(NOW).unwrap();
        question.consume(|bytes| answer.consume(bytes.len(), |out| out.copy_from_slice(bytes)));
        assert_eq!(model.sent(), [frame(80)]);
    }

    #[test]
    fn nothing_is_taken_in_or_sent_without_room_to_send() {
        let (model, mut chip) = started();
        model.stop_sending();
        model.arrives(&frame(60));
        while chip.transmit(NOW).is_some() {
            send(&mut chip, &frame(1000));
        }
        assert_eq!(received(&mut chip), None);
        model.go_on_sending();
        assert_eq!(received(&mut chip), Some(frame(60)));
    }

    #[test]
    fn statuses_of_sent_frames_are_taken_out_and_errors_counted() {
        let (model, mut chip) = started();
        model.lose_carrier();
        for _ in 0..300 {
            send(&mut chip, &frame(60));
        }
        assert!(chip.transmit(NOW).is_some());
        assert_eq!(model.waiting_statuses(), 0);
        assert_eq!(chip.errors().sent, 300);
    }

    #[test]
    fn the_interrupt_line_rises_for_a_frame_and_falls_when_acknowledged() {
        let (model, mut chip) = started();
        assert!(!model.interrupt_line());
        model.arrives(&frame(60));
        assert!(model.interrupt_line());
        chip.acknowledge();
        assert!(!model.interrupt_line());
        // What came before the acknowledgement is still there, and what comes after it raises the line again.
        assert!(chip.has_frame());
        model.arrives(&frame(60));
        assert!(model.interrupt_line());
    }

    #[test]
    fn a_cable_that_is_pulled_and_put_back_raises_the_line_and_is_seen() {
        let (model, mut chip) = started();
        for up in [false, true, false, true] {
            model.set_link(up);
            assert!(model.interrupt_line());
            chip.acknowledge();
            assert_eq!(chip.is_link_up(), up);
            assert!(!model.interrupt_line());
        }
    }

    #[test]
    fn the_mac_is_told_the_duplex_that_was_negotiated() {
        let (model, mut chip) = started();
        for full in [false, true] {
            model.set_link(false);
            chip.acknowledge();
            model.set_partner(full);
            model.set_link(true);
            chip.acknowledge();
            assert_eq!(model.is_full_duplex(), full);
        }
        let empty: Vec<Vec<u8>> = vec![];
        assert_eq!(model.sent(), empty);
    }
}

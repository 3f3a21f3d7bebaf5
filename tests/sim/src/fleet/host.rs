//! The broker of a fleet: it admits so many CONNECTs in a second, and takes so many messages in a second from each client.

use std::collections::VecDeque;

use super::Fleet;
use super::gateway::{Met, Wire};

/// See the module's page.
pub struct Host {
    is_up: bool,
    /// `None` while it admits all.
    admits: Option<usize>,
    throttle: usize,
    wanted_admits: usize,
    /// When it admitted those of the last second.
    admitted: VecDeque<u64>,
    seats: Vec<Seat>,
    refused: Vec<usize>,
    pub passed_over: usize,
    pub taken_twice: usize,
}

/// What it knows of one client.
#[derive(Default)]
struct Seat {
    input: Vec<u8>,
    is_let_in: bool,
    has_session: bool,
    /// When it took its messages of the last second.
    recent: VecDeque<u64>,
    /// One bit for each sample that it has taken.
    taken: Vec<u64>,
}

impl Host {
    /// One that is up, and admits all.
    pub fn new(fleet: &Fleet) -> Self {
        Host {
            is_up: true,
            admits: None,
            throttle: fleet.throttle,
            wanted_admits: fleet.admits,
            admitted: VecDeque::new(),
            seats: (0..fleet.bridges).map(|_| Seat::default()).collect(),
            refused: vec![0; fleet.bridges],
            passed_over: 0,
            taken_twice: 0,
        }
    }

    /// It goes down. What it knows of sessions stays.
    pub fn shut(&mut self) {
        self.is_up = false;
        for seat in &mut self.seats {
            seat.input.clear();
            seat.is_let_in = false;
        }
    }

    /// It is back, and admits only so many in a second from now on.
    pub fn open(&mut self) {
        self.is_up = true;
        self.admits = Some(self.wanted_admits);
    }

    pub fn has_let_in(&self, number: usize) -> bool {
        self.seats[number].is_let_in
    }

    /// CONNECTs that were not admitted, of each client.
    pub fn refused(&self) -> &[usize] {
        &self.refused
    }

    /// Samples that it has taken from this client.
    pub fn taken(&self, number: usize) -> u64 {
        let words = self.seats[number].taken.iter();
        words.map(|word| u64::from(word.count_ones())).sum()
    }

    /// Does what this client asks for; whether there was something.
    pub fn serve(&mut self, number: usize, wire: &Wire, now: u64) -> bool {
        match wire.meet() {
            Met::Nothing => return false,
            Met::New if self.is_up => {
                self.seats[number] = Seat {
                    input: Vec::new(),
                    is_let_in: false,
                    ..std::mem::take(&mut self.seats[number])
                };
                wire.accept();
            }
            Met::New => wire.refuse(),
            Met::Bytes(bytes) => {
                self.seats[number].input.extend_from_slice(&bytes);
                self.take(number, wire, now);
            }
        }
        true
    }

    fn take(&mut self, number: usize, wire: &Wire, now: u64) {
        let input = std::mem::take(&mut self.seats[number].input);
        let mut rest = input.as_slice();
        let mut answers = Vec::new();
        while let Some((first, body)) = next_packet(&mut rest) {
            match first >> 4 {
                1 => match self.greet(number, body, now) {
                    Some(connack) => answers.extend(connack),
                    None => return wire.server_close(),
                },
                3 => answers.extend(self.publish(number, body, now).into_iter().flatten()),
                12 => answers.extend([0xd0, 0]),
                14 => {
                    self.seats[number].is_let_in = false;
                    return wire.server_close();
                }
                other => panic!("packet type {other}"),
            }
        }
        self.seats[number].input = rest.to_vec();
        if !answers.is_empty() {
            wire.server_write(&answers);
        }
    }

    /// CONNACK, if this one is admitted.
    fn greet(&mut self, number: usize, body: &[u8], now: u64) -> Option<[u8; 4]> {
        if let Some(most) = self.admits {
            forget_old(&mut self.admitted, now);
            if self.admitted.len() >= most {
                self.refused[number] += 1;
                return None;
            }
            self.admitted.push_back(now);
        }
        // Behind the protocol's name and level.
        let name = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let is_clean = body[2 + name + 1] & 2 != 0;
        let seat = &mut self.seats[number];
        let is_present = seat.has_session && !is_clean;
        seat.has_session = !is_clean;
        seat.is_let_in = true;
        Some([0x20, 2, u8::from(is_present), 0])
    }

    /// PUBACK, if this one is taken.
    fn publish(&mut self, number: usize, body: &[u8], now: u64) -> Option<[u8; 4]> {
        let seat = &mut self.seats[number];
        forget_old(&mut seat.recent, now);
        if seat.recent.len() >= self.throttle {
            self.passed_over += 1;
            return None;
        }
        seat.recent.push_back(now);
        let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let (header, payload) = body.split_at(2 + topic + 2);
        let value = payload.split(|byte| *byte == b',').next().expect("a value");
        let digits = value.iter().map(|digit| usize::from(digit - b'0'));
        let sample = digits.fold(0, |number, digit| number * 10 + digit);
        let (word, bit) = (sample / 64, 1 << (sample % 64));
        if seat.taken.len() <= word {
            seat.taken.resize(word + 1, 0);
        }
        self.taken_twice += usize::from(seat.taken[word] & bit != 0);
        seat.taken[word] |= bit;
        Some([0x40, 2, header[2 + topic], header[2 + topic + 1]])
    }
}

/// Only what happened within the last second counts.
fn forget_old(times: &mut VecDeque<u64>, now: u64) {
    while times.front().is_some_and(|at| at + 1000 <= now) {
        times.pop_front();
    }
}

/// The first byte and the body of the next packet, if it is whole.
fn next_packet<'i>(input: &mut &'i [u8]) -> Option<(u8, &'i [u8])> {
    let (first, len, from) = match **input {
        [first, low, ..] if low < 0x80 => (first, usize::from(low), 2),
        [first, low, high, ..] => (first, usize::from(low & 0x7f) + 128 * usize::from(high), 3),
        _ => return None,
    };
    let body = input.get(from..from + len)?;
    *input = &input[from + len..];
    Some((first, body))
}

//! What does the broker say, and is every message right? A broker that knows one publisher, and takes a [`Workload`] from it.

use super::workload::Workload;

/// The broker's side of one connection, without I/O.
///
/// All packets of one read are answered in one piece, as a broker on a fast machine does.
pub struct Sink {
    qos: u8,
    /// Received bytes; the first `filled` are the beginning of a packet.
    input: Vec<u8>,
    filled: usize,
    output: Vec<u8>,
    connected: bool,
    /// The publisher speaks MQTT 5.
    is_v5: bool,
    /// PUBLISH packets.
    received: u64,
    /// Messages whose handshake has ended, as far as the broker is concerned.
    complete: u64,
}

/// Bytes of one read.
const INPUT: usize = 256 * 1024;

impl Sink {
    /// A broker that expects messages of this QoS.
    #[must_use]
    pub fn new(qos: u8) -> Self {
        Self {
            qos,
            input: vec![0; INPUT],
            filled: 0,
            output: Vec::with_capacity(INPUT),
            connected: false,
            is_v5: false,
            received: 0,
            complete: 0,
        }
    }

    /// Whether the publisher has been let in.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Messages that came whole and right; at QoS 2, those that PUBREL has released.
    #[must_use]
    pub fn complete(&self) -> u64 {
        self.complete
    }

    /// Where received bytes go.
    pub fn input(&mut self) -> &mut [u8] {
        &mut self.input[self.filled..]
    }

    /// So many bytes were received into the input.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn received(&mut self, count: usize, workload: &Workload) -> Result<(), String> {
        let end = self.filled + count;
        let mut at = 0;
        while let Some((body, next)) = packet(&self.input[at..end]) {
            let (first, body) = (self.input[at], at + body..at + next);
            at += next;
            self.take(first, body, workload)?;
        }
        self.input.copy_within(at..end, 0);
        self.filled = end - at;
        Ok(())
    }

    /// What to send next; then call [`sent`](Self::sent).
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// So many bytes of the output were sent.
    pub fn sent(&mut self, count: usize) {
        self.output.drain(..count);
    }

    fn take(
        &mut self,
        first: u8,
        body: std::ops::Range<usize>,
        workload: &Workload,
    ) -> Result<(), String> {
        let body = &self.input[body];
        match (first >> 4, body) {
            (1, connect) => {
                self.connected = true;
                self.is_v5 = connect.get(6) == Some(&5);
                let connack: &[u8] = match self.is_v5 {
                    true => &[0x20, 3, 0, 0, 0],
                    false => &[0x20, 2, 0, 0],
                };
                self.output.extend_from_slice(connack);
            }
            (3, body) => {
                let id = self.check(first, body, workload)?;
                self.received += 1;
                match id {
                    None => self.complete += 1,
                    Some([high, low]) if self.qos == 1 => {
                        self.complete += 1;
                        self.output.extend_from_slice(&[0x40, 2, high, low]);
                    }
                    Some([high, low]) => self.output.extend_from_slice(&[0x50, 2, high, low]),
                }
            }
            // Others say in MQTT 5 that all is well, where it may be left out.
            (6, &[high, low] | &[high, low, 0] | &[high, low, 0, 0]) => {
                self.complete += 1;
                self.output.extend_from_slice(&[0x70, 2, high, low]);
            }
            (12, []) => self.output.extend_from_slice(&[0xd0, 0]),
            (14, []) => {}
            _ => {
                return Err(format!(
                    "a packet that no publisher sends: {first:#04x} {body:02x?}"
                ));
            }
        }
        if self.complete > self.received {
            return Err(String::from("more PUBREL than PUBLISH"));
        }
        Ok(())
    }

    /// The packet identifier of the PUBLISH that comes next.
    fn check(
        &self,
        first: u8,
        body: &[u8],
        workload: &Workload,
    ) -> Result<Option<[u8; 2]>, String> {
        let expected = workload.expected(self.received);
        let topic_end = 2 + expected.topic.len();
        let id_end = topic_end + if self.qos == 0 { 0 } else { 2 };
        // An empty list of properties.
        let payload = id_end + usize::from(self.is_v5);
        let is_right = first == 0x30 | self.qos << 1
            && body.get(2..topic_end) == Some(&expected.topic[..])
            && (!self.is_v5 || body.get(id_end) == Some(&0))
            && body.get(payload..) == Some(&expected.payload[..]);
        if !is_right {
            return Err(format!(
                "message {} is {first:#04x} {}, not {} {} at QoS {}",
                self.received,
                body.escape_ascii(),
                expected.topic.escape_ascii(),
                expected.payload.escape_ascii(),
                self.qos
            ));
        }
        Ok(body
            .get(topic_end..id_end)
            .and_then(|id| id.try_into().ok()))
    }
}

/// Where the body of the first packet begins, and where the packet ends; `None` if it is not whole.
fn packet(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for (place, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let body = 2 + place;
            return (body + length <= bytes.len()).then_some((body, body + length));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &[u8] = b"\x10\x00";

    fn publish(qos: u8, id: &[u8], expected: &super::super::workload::Expected) -> Vec<u8> {
        let topic = &expected.topic;
        let len = 2 + topic.len() + id.len() + expected.payload.len();
        let head = [0x30 | qos << 1, len as u8, 0, topic.len() as u8];
        [&head, &topic[..], id, &expected.payload].concat()
    }

    fn feed(sink: &mut Sink, workload: &Workload, bytes: &[u8]) -> Result<(), String> {
        sink.input()[..bytes.len()].copy_from_slice(bytes);
        sink.received(bytes.len(), workload)
    }

    #[test]
    fn every_handshake_is_answered_in_one_piece_however_it_is_cut() {
        let workload = Workload::new();
        for (qos, id, more, answer) in [
            (0, &b""[..], &b""[..], &b""[..]),
            (1, b"\x00\x07", b"", b"\x40\x02\x00\x07"),
            (
                2,
                b"\x00\x07",
                b"\x62\x02\x00\x07",
                b"\x50\x02\x00\x07\x70\x02\x00\x07",
            ),
        ] {
            let message = publish(qos, id, workload.expected(0));
            let all = [CONNECT, &message, more].concat();
            for cut in 0..=all.len() {
                let mut sink = Sink::new(qos);
                feed(&mut sink, &workload, &all[..cut]).expect("right so far");
                feed(&mut sink, &workload, &all[cut..]).expect("right");
                assert_eq!(sink.output(), [b"\x20\x02\x00\x00", answer].concat());
                assert_eq!((sink.is_connected(), sink.complete()), (true, 1));
            }
        }
    }

    #[test]
    fn a_message_that_is_lost_or_repeated_or_of_another_qos_is_an_error() {
        let workload = Workload::new();
        let first = publish(0, b"", workload.expected(0));
        let lost = publish(0, b"", workload.expected(1));
        let other_qos = publish(1, b"\x00\x01", workload.expected(0));
        for bytes in [lost, [&first[..], &first].concat(), other_qos] {
            assert!(feed(&mut Sink::new(0), &workload, &bytes).is_err());
        }
    }
}

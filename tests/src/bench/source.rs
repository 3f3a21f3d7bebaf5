//! What does Redis say? A server that knows one subscriber, and publishes a [`Workload`] to it.

use super::workload::Workload;

/// The server's side of one connection, without I/O.
#[derive(Default)]
pub struct Source {
    commands: Vec<u8>,
    replies: Vec<u8>,
    subscribed: usize,
    /// Bytes of the workload that were sent.
    sent: u64,
}

impl Source {
    /// Takes what the subscriber has sent.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.commands.extend_from_slice(bytes);
        while let Some((words, len)) = command(&self.commands) {
            self.commands.drain(..len);
            self.answer(&words);
        }
    }

    /// Channels that are subscribed to.
    #[must_use]
    pub fn subscribed(&self) -> usize {
        self.subscribed
    }

    /// What to send next, of the answers and then of the first `messages` messages; then call [`sent`](Self::sent).
    #[must_use]
    pub fn output<'a>(&'a self, workload: &'a Workload, messages: u64) -> &'a [u8] {
        if !self.replies.is_empty() {
            return &self.replies;
        }
        let len = workload.resp().len() as u64;
        let end = workload.bytes_of(messages).max(self.sent);
        let from = self.sent % len;
        let to = (from + end - self.sent).min(len);
        &workload.resp()[from as usize..to as usize]
    }

    /// So many bytes of the output were sent.
    pub fn sent(&mut self, count: usize) {
        if self.replies.is_empty() {
            self.sent += count as u64;
        } else {
            self.replies.drain(..count);
        }
    }

    fn answer(&mut self, words: &[Vec<u8>]) {
        let name = words.first().map(|name| name.to_ascii_uppercase());
        match name.as_deref() {
            Some(b"SUBSCRIBE") => {
                for channel in &words[1..] {
                    self.subscribed += 1;
                    let head = format!("*3\r\n$9\r\nsubscribe\r\n${}\r\n", channel.len());
                    self.replies.extend_from_slice(head.as_bytes());
                    self.replies.extend_from_slice(channel);
                    let tail = format!("\r\n:{}\r\n", self.subscribed);
                    self.replies.extend_from_slice(tail.as_bytes());
                }
            }
            Some(b"PING") if self.subscribed > 0 => {
                self.replies
                    .extend_from_slice(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n");
            }
            // Clients introduce themselves in several ways (CLIENT SETINFO, SELECT); all are welcome.
            _ => self.replies.extend_from_slice(b"+OK\r\n"),
        }
    }
}

/// The words of the command at the front, and its length; `None` if it is not whole.
fn command(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let (count, mut at) = number_after(b'*', bytes, 0)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (len, from) = number_after(b'$', bytes, at)?;
        at = from + len + 2;
        words.push(bytes.get(from..at)?[..len].to_vec());
    }
    Some((words, at))
}

/// The number in the line at `at`, behind its mark, and where the next line begins.
fn number_after(mark: u8, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let line = bytes.get(at..)?;
    let end = line.iter().position(|byte| *byte == b'\n')?;
    let digits = line[..end].strip_prefix(&[mark]).expect("a RESP command");
    let text = std::str::from_utf8(digits).expect("a RESP number");
    Some((text.trim().parse().expect("a RESP number"), at + end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_in_pieces_is_confirmed_channel_by_channel() {
        let mut source = Source::default();
        for byte in b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n$2\r\nbc\r\n" {
            source.receive(&[*byte]);
        }
        assert_eq!(source.subscribed(), 2);
        assert_eq!(
            source.output(&Workload::new(), 0),
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$2\r\nbc\r\n:2\r\n"
        );
    }

    #[test]
    fn no_message_is_sent_beyond_the_limit_and_all_are_up_to_it() {
        let workload = Workload::new();
        let mut source = Source::default();
        let mut sent = Vec::new();
        for limit in [0, 3, 3, 2, 6_400, 6_405] {
            while let count @ 1.. = source.output(&workload, limit).len().min(70_000) {
                sent.extend_from_slice(&source.output(&workload, limit)[..count]);
                source.sent(count);
            }
            assert_eq!(
                workload.messages_in(sent.len() as u64),
                limit.max(if limit == 2 { 3 } else { 0 })
            );
        }
        assert!(sent.starts_with(workload.resp()));
        assert!(workload.resp().starts_with(&sent[workload.resp().len()..]));
    }
}

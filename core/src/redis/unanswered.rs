//! Which command does the server's next reply answer?
//!
//! Replies come in the order of the commands, and each command that is said here gets exactly one. An error does not name what it
//! answers, and means another thing for each: so the commands are kept in mind until they are answered.

/// A command that the server owes a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// AUTH or SELECT.
    Setup,
    /// SUBSCRIBE of one channel.
    Subscribe,
    /// UNSUBSCRIBE of one channel.
    Unsubscribe,
    Ping,
}

/// Most commands that may wait for their replies.
pub const MOST: u32 = u64::BITS / BITS;

/// Bits of a command in [`Unanswered`].
const BITS: u32 = 2;

/// The commands that wait for their replies.
#[derive(Debug, Clone, Default)]
pub struct Unanswered {
    /// The oldest command is in the lowest bits.
    commands: u64,
    count: u32,
}

impl Unanswered {
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count >= MOST
    }

    /// This command is said; without room for it nothing happens.
    pub fn push(&mut self, command: Command) {
        if !self.is_full() {
            self.commands |= (command as u64) << (BITS * self.count);
            self.count += 1;
        }
    }

    /// The command that the next reply answers.
    #[must_use]
    pub fn oldest(&self) -> Option<Command> {
        self.iter().next()
    }

    /// The same, which is answered now.
    pub fn take(&mut self) -> Option<Command> {
        let oldest = self.oldest()?;
        self.commands >>= BITS;
        self.count -= 1;
        Some(oldest)
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Command> {
        let commands = self.commands;
        (0..self.count).map(move |place| match commands >> (BITS * place) & 3 {
            0 => Command::Setup,
            1 => Command::Subscribe,
            2 => Command::Unsubscribe,
            _ => Command::Ping,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn commands_are_answered_in_the_order_in_which_they_were_said() {
        let all = [
            Command::Setup,
            Command::Subscribe,
            Command::Unsubscribe,
            Command::Ping,
        ];
        for first in 0..all.len() {
            let said = || all.iter().copied().cycle().skip(first);
            let mut unanswered = Unanswered::default();
            assert_eq!(unanswered.take(), None);
            for command in said().take(MOST as usize) {
                assert!(!unanswered.is_full());
                unanswered.push(command);
            }
            assert!(unanswered.is_full());
            unanswered.push(Command::Ping);
            let kept: Vec<Command> = unanswered.iter().collect();
            assert!(said().take(MOST as usize).eq(kept));
            // The one that is taken makes room for one more.
            for (oldest, next) in said().zip(said().skip(MOST as usize)).take(100) {
                assert_eq!(unanswered.oldest(), Some(oldest));
                assert_eq!(unanswered.take(), Some(oldest));
                unanswered.push(next);
            }
        }
    }
}

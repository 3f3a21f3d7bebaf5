//! Commands, written into a bounded buffer (RESP2: arrays of bulk strings).

use crate::bytes::put;

/// Commands that wait to be written to the server.
pub struct Commands<'a> {
    bytes: &'a mut [u8],
    start: usize,
    end: usize,
}

/// The command does not fit now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

impl<'a> Commands<'a> {
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Commands {
            bytes,
            start: 0,
            end: 0,
        }
    }

    /// Bytes that a command of these argument lengths takes.
    #[must_use]
    pub fn encoded_len(arguments: impl Iterator<Item = usize>) -> usize {
        let (count, bytes) = arguments.fold((0, 0), |(count, bytes), len| {
            (count + 1, bytes + bulk_len(len))
        });
        head_len(count) + bytes
    }

    /// Adds a command, whole or not at all. Each argument is given in pieces.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn push(&mut self, arguments: &[&[&[u8]]]) -> Result<(), NoRoom> {
        let end = self.end;
        let result = self.push_pieces(arguments);
        if result.is_err() {
            self.end = end;
        }
        result
    }

    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub fn written(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.clear();
        }
    }

    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    fn push_pieces(&mut self, arguments: &[&[&[u8]]]) -> Result<(), NoRoom> {
        self.head(b'*', arguments.len())?;
        arguments
            .iter()
            .try_for_each(|argument| self.bulk(argument))
    }

    fn bulk(&mut self, pieces: &[&[u8]]) -> Result<(), NoRoom> {
        self.head(b'$', pieces_len(pieces))?;
        pieces.iter().try_for_each(|piece| self.put(piece))?;
        self.put(b"\r\n")
    }

    fn head(&mut self, kind: u8, number: usize) -> Result<(), NoRoom> {
        let mut text = [0; 20];
        let mut rest = number;
        let mut digits = 0;
        for slot in text.iter_mut().rev() {
            *slot = b'0' + (rest % 10) as u8;
            rest /= 10;
            digits += 1;
            if rest == 0 {
                break;
            }
        }
        self.put(&[kind])?;
        self.put(text.get(text.len() - digits..).unwrap_or_default())?;
        self.put(b"\r\n")
    }

    fn put(&mut self, piece: &[u8]) -> Result<(), NoRoom> {
        self.end = put(self.bytes, self.end, piece).ok_or(NoRoom)?;
        Ok(())
    }
}

fn pieces_len(pieces: &[&[u8]]) -> usize {
    pieces.iter().map(|piece| piece.len()).sum()
}

fn bulk_len(content: usize) -> usize {
    head_len(content) + content + 2
}

/// `$`, the digits of `number`, and the line end.
fn head_len(number: usize) -> usize {
    let mut digits = 1;
    let mut rest = number / 10;
    while rest > 0 {
        digits += 1;
        rest /= 10;
    }
    digits + 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_bulk_strings_and_fits_whole_or_not_at_all() {
        let arguments: [&[&[u8]]; 3] =
            [&[b"AUTH"], &[b"us", b"er"], &[b"a secret of 24 bytes ..."]];
        let expected = b"*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$24\r\na secret of 24 bytes ...\r\n";
        let lens = arguments.iter().map(|argument| pieces_len(argument));
        assert_eq!(Commands::encoded_len(lens), expected.len());
        for room in 0..expected.len() {
            let mut storage = std::vec![0; room];
            let mut commands = Commands::new(&mut storage);
            assert_eq!(commands.push(&arguments), Err(NoRoom));
            assert_eq!(commands.pending(), b"");
        }
        let mut storage = std::vec![0; expected.len()];
        let mut commands = Commands::new(&mut storage);
        assert_eq!(commands.push(&arguments), Ok(()));
        assert_eq!(commands.pending(), expected);
        commands.written(4);
        assert_eq!(commands.pending(), &expected[4..]);
        commands.written(expected.len());
        assert_eq!(commands.pending(), b"");
        assert_eq!(commands.push(&arguments), Ok(()));
    }
}

//! What does the board's log say? The board sends numbers (defmt); the texts that they stand for are in the image's file.

use std::io::{self, Read};

use defmt_decoder::{DecodeError, Frame, StreamDecoder};

use super::image::Image;

/// A log as text.
pub struct Decoded<S> {
    source: S,
    decoder: Box<dyn StreamDecoder + Send + Sync>,
    /// Decoded, and not read yet.
    text: Vec<u8>,
}

impl<S> Decoded<S> {
    /// The log that a board which runs `image` writes to `source`.
    pub fn new(image: &'static Image, source: S) -> Self {
        Self {
            source,
            decoder: image.table.new_stream_decoder(),
            text: Vec::new(),
        }
    }

    fn decode(&mut self) {
        loop {
            let line = match self.decoder.decode() {
                Ok(frame) => line_of(&frame),
                Err(DecodeError::UnexpectedEof) => return,
                // A test that looks for anything else will show it.
                Err(DecodeError::Malformed) => String::from("(not decodable)"),
            };
            self.text.extend(line.replace('\n', " ").bytes());
            self.text.push(b'\n');
        }
    }
}

impl<S: Read> Read for Decoded<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.text.is_empty() {
            let mut bytes = [0; 1024];
            let count = self.source.read(&mut bytes)?;
            if count == 0 {
                return Ok(0);
            }
            self.decoder.received(&bytes[..count]);
            self.decode();
        }
        let count = self.text.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.text[..count]);
        self.text.drain(..count);
        Ok(count)
    }
}

fn line_of(frame: &Frame<'_>) -> String {
    let time = frame.display_timestamp();
    let time = time.map_or(String::new(), |time| time.to_string());
    let level = frame.level().map_or("-", |level| level.as_str());
    let level = level[..1].to_uppercase();
    format!("{time} {level} {}", frame.display_message())
}

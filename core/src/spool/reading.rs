//! Which sample comes next? The oldest that nobody has taken: from storage as far as that goes, then from what waits in memory.

use embedded_nal::nb;

use super::block::Head;
use super::entry::{Decoder, Entry};
use super::log::{Event, Log, take_first};
use super::staging::NOBODY;
use super::walk::{Found, Position};
use super::{Fault, Storage};
use crate::sample::{MAX_TEXT, Quality, Sample};

/// A sample that waits in the log, see [`Log::next_sample`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spooled<'s> {
    /// `None`: nobody knows this signal any more.
    pub signal: Option<u32>,
    /// When it was accepted, in seconds.
    pub second: u64,
    pub sample: Sample<'s>,
}

/// How far the block is read that has the next sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Where the next block lies that has to be read from storage.
    pub(super) position: Position,
    /// The block that is being read.
    block: Option<Head>,
    /// It lies at that place, and not in memory.
    is_on_storage: bool,
    decoder: Decoder,
    /// Number of the sample that the decoder gives next.
    number: u64,
    second: u64,
    /// The sample that was given and not taken.
    given: Option<Given>,
    text: [u8; MAX_TEXT],
    /// Somebody waits for a block that is on storage.
    pub(super) is_wanted: bool,
}

#[derive(Debug, Clone, Copy)]
struct Given {
    number: u64,
    signal: u32,
    quality: Quality,
    len: usize,
}

impl Reading {
    pub(super) const NOTHING: Reading = Reading {
        position: Position { segment: 0, at: 0 },
        block: None,
        is_on_storage: false,
        decoder: Decoder::START,
        number: 0,
        second: 0,
        given: None,
        text: [0; MAX_TEXT],
        is_wanted: false,
    };

    /// The next block is looked for from this place on.
    pub(super) fn go_to(&mut self, position: Position) {
        self.position = position;
        self.forget();
    }

    /// What was decoded is not what comes next.
    pub(super) fn forget(&mut self) {
        self.block = None;
        self.given = None;
    }

    fn begin(&mut self, head: Head, is_on_storage: bool) {
        self.block = Some(head);
        self.is_on_storage = is_on_storage;
        self.decoder = Decoder::START;
        self.number = head.first;
        self.second = 0;
    }
}

impl Log<'_> {
    /// The oldest sample that was not [taken](Log::take), if it is here already: `find` knows the number of the signal of a name. `None` while it
    /// has to be read from storage, which [`Log::poll`] does from now on, and if there is none.
    pub fn next_sample(
        &mut self,
        find: &mut dyn FnMut(&[u8]) -> Option<u32>,
    ) -> Option<Spooled<'_>> {
        let given = loop {
            match self.at.reading.given {
                Some(given) if given.number == self.at.next => break given,
                _ => self.at.reading.given = self.decode(find)?,
            }
        };
        let text = self.at.reading.text.get(..given.len)?;
        Some(Spooled {
            signal: (given.signal != NOBODY).then_some(given.signal),
            second: self.at.reading.second,
            sample: Sample::of_text(text, given.quality)?,
        })
    }

    /// The sample that [`Log::next_sample`] gave is taken: it waits elsewhere from now on.
    pub fn take(&mut self) {
        self.advance(self.at.next.saturating_add(1).min(self.end()));
    }

    /// Decodes up to the next sample; `None` if there is none here.
    #[expect(
        clippy::option_option,
        reason = "nothing decoded, and nothing to decode"
    )]
    fn decode(&mut self, find: &mut dyn FnMut(&[u8]) -> Option<u32>) -> Option<Option<Given>> {
        // What is on storage comes before what came since.
        if self.at.next >= self.end() || self.is_opening() {
            return None;
        }
        let (head, entries, is_on_storage) = match self.staging.block_of(self.at.next) {
            Some((head, entries)) => (head, entries, false),
            None if self.at.next >= self.at.written => {
                // What was to come was never put into a block.
                let start = self.staging.start().max(self.at.written);
                self.lose_up_to(start.max(self.at.next + 1).min(self.end()));
                return Some(None);
            }
            None => {
                let head = self.at.reading.block.filter(|head| {
                    self.at.reading.is_on_storage
                        && (head.first..head.end()).contains(&self.at.next)
                });
                let entries = head.and_then(|head| {
                    let entries = self.window.entries(self.at.reading.position, &head)?;
                    Some((head, entries, true))
                });
                let Some(block) = entries else {
                    self.at.reading.is_wanted = true;
                    return None;
                };
                block
            }
        };
        let reading = &mut self.at.reading;
        let is_same = reading.block.is_some_and(|block| block.first == head.first)
            && reading.is_on_storage == is_on_storage;
        if !is_same || reading.number > self.at.next {
            reading.begin(head, is_on_storage);
            self.names.fill(NOBODY);
        }
        match reading.decoder.next(entries, &mut reading.text) {
            Some(Entry::Name { place, name }) => {
                if let Some(slot) = self.names.get_mut(place as usize) {
                    *slot = find(name).unwrap_or(NOBODY);
                }
            }
            Some(Entry::Second(second)) => reading.second = second,
            Some(Entry::Sample {
                place,
                quality,
                text,
            }) => {
                let signal = self.names.get(place as usize).copied();
                let number = reading.number;
                let len = text.len();
                reading.number += 1;
                return Some(Some(Given {
                    number,
                    signal: signal.unwrap_or(NOBODY),
                    quality,
                    len,
                }));
            }
            // Its checksum holds, and it was not written by this program.
            None => {
                let end = head.end().min(self.end());
                self.lose_up_to(end.max(self.at.next + 1));
            }
        }
        Some(None)
    }

    /// Looks for the block with the next sample.
    pub(super) fn read_on(&mut self, storage: &mut dyn Storage) -> nb::Result<(), Fault> {
        loop {
            let position = self.at.reading.position;
            let Some(end) = self.write_position().filter(|end| *end > position) else {
                // All that is left of what was written is lost.
                self.at.reading.is_wanted = false;
                self.lose_up_to(self.at.written);
                return Ok(());
            };
            let Some(found) = self.window.look(position) else {
                let len = storage.read(position.segment, position.at, self.window.room())?;
                self.window.fill(position, len);
                continue;
            };
            let len = match found {
                Found::Block(stored) => match self.numbered(stored) {
                    Some(head) if head.end() > self.at.next && head.count > 0 => {
                        self.lose_up_to_block(&head);
                        self.at.reading.begin(head, true);
                        self.names.fill(NOBODY);
                        self.at.reading.given = None;
                        self.at.reading.is_wanted = false;
                        return Ok(());
                    }
                    _ => stored.block_len(),
                },
                Found::Damaged(head) => {
                    self.at.damaged_blocks += 1;
                    head.block_len()
                }
                Found::SegmentHead(_) | Found::Garbage | Found::Erased => super::block::HEAD,
                Found::End => {
                    let next = storage.next_segment(Some(position.segment))?;
                    let next = next.map(|segment| Position { segment, at: 0 });
                    self.at.reading.go_to(next.unwrap_or(end));
                    continue;
                }
            };
            self.at.reading.go_to(position.behind(len));
        }
    }

    /// A block of later samples comes next: those before it are lost, but for those that were done with when it was written.
    fn lose_up_to_block(&mut self, head: &Head) {
        if head.first > self.at.next {
            self.advance(head.done.min(head.first));
            self.lose_up_to(head.first);
        }
    }

    /// The samples below this number that nobody has taken are lost.
    pub(super) fn lose_up_to(&mut self, number: u64) {
        let lost = self.advance(number);
        if lost > 0 {
            self.tell(Event::Lost(lost));
        }
    }

    /// The next sample is the one of this number, or the one behind those that are skipped. How many were passed over that are not.
    pub(super) fn advance(&mut self, number: u64) -> u64 {
        let mut passed = number.saturating_sub(self.at.next);
        let before = self.at.next;
        self.at.next = before.max(number);
        while let Some(&(from, to)) = self.at.skipped.first()
            && self.at.next >= from
        {
            take_first(&mut self.at.skipped);
            let next = self.at.next;
            // Of those that were passed over, these were to be.
            passed = passed.saturating_sub(next.min(to).saturating_sub(from.max(before)));
            self.at.next = next.max(to);
        }
        passed
    }
}

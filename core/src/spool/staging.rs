//! What waits in memory to be written: blocks, of which the newest is being filled.

use super::NAMES;
use super::block::{BLOCK, HEAD, Head};
use super::entry::{Context, Encoder, MAX_NAME, MAX_SAMPLE, MAX_SECOND};
use crate::sample::Sample;

/// A sample fits into an empty block in any case.
const _: () = assert!(HEAD + MAX_NAME + MAX_SECOND + MAX_SAMPLE <= BLOCK);

/// No signal.
pub(super) const NOBODY: u32 = u32::MAX;

/// Blocks that may wait, at most.
pub const MAX_BLOCKS: usize = 16;

/// The blocks, oldest first, in a ring of slots.
pub(super) struct Staging<'a> {
    slots: &'a mut [[u8; BLOCK]],
    /// Whose name stands at each place of the block that is being filled.
    places: &'a mut [u32; NAMES],
    at: State,
}

/// Where the blocks lie: together with the same slots it makes the same staging again.
pub(super) struct State {
    /// Of the sealed blocks, each in its slot.
    heads: [Head; MAX_BLOCKS],
    /// Slot of the oldest block.
    oldest: usize,
    /// Blocks that nothing more is put into.
    sealed: usize,
    filling: Filling,
    /// Number that the next sample has.
    end: u64,
}

impl State {
    /// No blocks; the first sample has this number.
    pub(super) fn empty(end: u64) -> Self {
        State {
            heads: [Head::default(); MAX_BLOCKS],
            oldest: 0,
            sealed: 0,
            filling: Filling::default(),
            end,
        }
    }
}

/// The block that is being filled.
#[derive(Debug, Clone, Copy, Default)]
struct Filling {
    len: usize,
    count: u16,
    context: Context,
}

/// A sample, and what it is to be found by.
#[derive(Debug, Clone, Copy)]
pub struct Numbered<'s> {
    pub number: u64,
    pub signal: u32,
    /// Of the signal, at most 255 bytes.
    pub name: &'s [u8],
    /// When it was accepted, in seconds.
    pub second: u64,
    pub sample: Sample<'s>,
}

impl<'a> Staging<'a> {
    /// The blocks that [`Staging::suspend`] ended, in the same slots.
    pub(super) fn resume(
        slots: &'a mut [[u8; BLOCK]],
        places: &'a mut [u32; NAMES],
        at: State,
    ) -> Self {
        let most = slots.len().min(MAX_BLOCKS);
        Staging {
            slots: slots.get_mut(..most).unwrap_or_default(),
            places,
            at,
        }
    }

    /// Ends them here: nothing more is put into the newest.
    pub(super) fn suspend(mut self) -> State {
        self.seal();
        self.at
    }

    /// Number behind the newest sample.
    pub(super) fn end(&self) -> u64 {
        self.at.end
    }

    /// The samples from here on have these numbers.
    pub(super) fn skip_to(&mut self, number: u64) {
        if self.at.filling.count > 0 {
            self.seal();
        }
        self.at.end = self.at.end.max(number);
    }

    /// If nothing is here, the samples from here on have these numbers, or higher ones.
    pub(super) fn skip_over(&mut self, number: u64) {
        if self.at.sealed == 0 && self.at.filling.count == 0 {
            self.at.end = self.at.end.max(number);
        }
    }

    /// Puts a sample behind all others. `false`, and nothing has changed, if there is no room.
    pub(super) fn push(&mut self, sample: &Numbered<'_>) -> bool {
        if sample.number != self.at.end {
            self.skip_to(sample.number);
        }
        if self.put(sample).is_some() {
            return true;
        }
        if self.at.filling.count == 0 {
            return false;
        }
        self.seal();
        self.put(sample).is_some()
    }

    fn put(&mut self, new: &Numbered<'_>) -> Option<()> {
        if self.at.filling.count == 0 {
            self.places.fill(NOBODY);
        }
        let Filling {
            len,
            count,
            mut context,
        } = self.at.filling;
        if self.at.sealed >= self.slots.len() {
            return None;
        }
        let slot = self.slot(self.at.sealed);
        let place = new.signal % NAMES as u32;
        let owner = self.places.get_mut(place as usize)?;
        let mut encoder = Encoder::new(self.slots.get_mut(slot)?, HEAD + len);
        if *owner != new.signal {
            encoder.name(place, new.name)?;
        }
        encoder.second(&mut context, new.second)?;
        encoder.sample(&mut context, place, &new.sample)?;
        *owner = new.signal;
        self.at.filling = Filling {
            len: encoder.at() - HEAD,
            count: count.checked_add(1)?,
            context,
        };
        self.at.end += 1;
        Some(())
    }

    /// Nothing more is put into the newest block.
    pub(super) fn seal(&mut self) {
        let head = self.newest();
        let slot = self.slot(self.at.sealed);
        if head.count > 0
            && let Some(slot) = self.at.heads.get_mut(slot)
        {
            *slot = head;
            self.at.sealed += 1;
        }
        self.at.filling = Filling::default();
    }

    /// Whether there is no block that one more sample would surely fit into.
    pub(super) fn is_crowded(&self) -> bool {
        self.at.sealed > 0 && self.at.sealed >= self.slots.len().saturating_sub(1)
    }

    /// The oldest block, if it is sealed, with its head.
    pub(super) fn oldest(&self) -> Option<Head> {
        (self.at.sealed > 0).then(|| self.head(0))
    }

    /// Its bytes, as they are to lie on storage under this head.
    pub(super) fn oldest_bytes(&mut self, head: &Head) -> Option<&[u8]> {
        let slot = self.slots.get_mut(self.at.oldest)?;
        let (len, end) = (HEAD + usize::from(head.len), head.block_len());
        head.write(slot)?;
        slot.get_mut(len..end)?.fill(0);
        slot.get(..end)
    }

    /// The oldest block is not needed any more.
    pub(super) fn drop_oldest(&mut self) {
        if self.at.sealed > 0 {
            self.at.sealed -= 1;
            let is_empty = self.at.sealed == 0 && self.at.filling.count == 0;
            // Slots that were never used may be memory that nobody has taken yet.
            self.at.oldest = if is_empty { 0 } else { self.slot(1) };
        }
    }

    /// Forgets samples that are done with, as far as whole blocks are.
    pub(super) fn forget_below(&mut self, number: u64) {
        while self.oldest().is_some_and(|head| head.end() <= number) {
            self.drop_oldest();
        }
        if self.at.sealed == 0 && self.at.end <= number {
            self.at.filling = Filling::default();
        }
    }

    /// The block with the sample of this number: its head, and its entries.
    pub(super) fn block_of(&self, number: u64) -> Option<(Head, &[u8])> {
        for index in 0..=self.at.sealed {
            let head = self.head(index);
            if (head.first..head.end()).contains(&number) {
                let slot = self.slots.get(self.slot(index))?;
                let entries = slot.get(HEAD..HEAD + usize::from(head.len))?;
                return Some((head, entries));
            }
        }
        None
    }

    /// Number of the oldest sample that is here.
    pub(super) fn start(&self) -> u64 {
        self.head(0).first
    }

    fn head(&self, index: usize) -> Head {
        if index >= self.at.sealed {
            return self.newest();
        }
        let head = self.at.heads.get(self.slot(index));
        head.copied().unwrap_or_default()
    }

    fn newest(&self) -> Head {
        Head {
            len: self.at.filling.len as u16,
            count: self.at.filling.count,
            first: self.at.end.saturating_sub(self.at.filling.count.into()),
            done: 0,
        }
    }

    fn slot(&self, index: usize) -> usize {
        let slot = self.at.oldest + index;
        slot.checked_sub(self.slots.len()).unwrap_or(slot)
    }
}

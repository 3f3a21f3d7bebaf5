//! What is on storage at the start? The newest segment is looked through, and no other: its blocks say where the log ended, and below which number
//! all samples were done with.

use embedded_nal::nb;

use super::block::HEAD;
use super::walk::{Found, Position, Window};
use super::{Fault, Storage, WORD};

/// How far it has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Opening {
    step: Step,
    found: OnStorage,
    /// The segment before the newest.
    before: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Step {
    #[default]
    Oldest,
    Following,
    Walk(Position),
}

/// What was found, in the numbers that are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OnStorage {
    pub(super) oldest: Option<u32>,
    pub(super) newest: Option<u32>,
    /// Where more can be written in the newest segment.
    pub(super) free_from: u32,
    /// Number behind the last sample.
    pub(super) end: u64,
    /// All samples below this number are done with.
    pub(super) done: u64,
    /// The last thing that was written is not whole.
    pub(super) is_torn: bool,
}

impl Opening {
    /// Goes on; what was found, in the end.
    pub(super) fn poll(
        &mut self,
        storage: &mut dyn Storage,
        window: &mut Window<'_>,
    ) -> nb::Result<OnStorage, Fault> {
        loop {
            match self.step {
                Step::Oldest => {
                    let Some(oldest) = storage.next_segment(None)? else {
                        return Ok(self.found);
                    };
                    self.found.oldest = Some(oldest);
                    self.found.newest = Some(oldest);
                    self.step = Step::Following;
                }
                Step::Following => {
                    let newest = self.found.newest.unwrap_or_default();
                    match storage.next_segment(Some(newest))? {
                        Some(next) => {
                            self.before = Some(newest);
                            self.found.newest = Some(next);
                        }
                        None => {
                            window.forget();
                            self.step = Step::Walk(Position {
                                segment: newest,
                                at: 0,
                            });
                        }
                    }
                }
                Step::Walk(position) => match window.look(position) {
                    None => {
                        let len = storage.read(position.segment, position.at, window.room())?;
                        window.fill(position, len);
                    }
                    Some(Found::End) => match self.before.take() {
                        // Nothing in the newest segment says where the log stands.
                        Some(before) if self.found.end == 0 => {
                            self.step = Step::Walk(Position {
                                segment: before,
                                at: 0,
                            });
                        }
                        _ => return Ok(self.found),
                    },
                    Some(found) => {
                        let len = self.pass(position, found);
                        self.step = Step::Walk(position.behind(len));
                    }
                },
            }
        }
    }

    /// Takes in what lies at this place; its length.
    fn pass(&mut self, position: Position, found: Found) -> usize {
        let here = &mut self.found;
        let len = match found {
            Found::SegmentHead(head) => {
                here.end = here.end.max(head.first);
                here.done = here.done.max(head.done);
                HEAD
            }
            Found::Block(head) => {
                here.end = here.end.max(head.end());
                here.done = here.done.max(head.done);
                here.is_torn = false;
                head.block_len()
            }
            // The last block that is whole says where the log ended.
            Found::Damaged(head) => {
                here.is_torn = true;
                head.block_len()
            }
            Found::Garbage => {
                here.is_torn = true;
                HEAD
            }
            Found::Erased => return HEAD,
            Found::End => return 0,
        };
        if here.newest == Some(position.segment) {
            here.free_from = position.at.saturating_add(len as u32);
        }
        len
    }
}

const _: () = assert!(HEAD == WORD as usize);

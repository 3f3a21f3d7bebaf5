//! The spool of one device: a log of samples on storage that survives a power cut.
//!
//! ```text
//!   oldest                                       newest
//!   | segment | segment | segment (being written) |      in memory: | block | block being filled |
//!   segment: head | block | block | ...      block: head with a checksum | entries
//! ```
//!
//! Samples are numbered in the order in which they were accepted. Blocks are put together in memory, and written only when somebody asks for it
//! ([`Log::flush`]) or when there is no room for more. Every word of storage is written once, and freed with its whole segment, so that the same
//! log suits files and raw NOR flash. A block has the names of its signals with it: so it can be read alone, whatever became of those before it.
//! Each block also says below which number all samples were done with when it was written: after a power cut the log goes on from there.
//!
//! The log opens nothing and waits for nothing: [`Log::poll`] asks the port's [`Storage`] for one operation at a time, and goes on when that is
//! done. Whatever it finds on storage, it starts: a torn end is passed over, a damaged block is skipped, and what was lost is told.
//!
//! | file | question |
//! |---|---|
//! | `entry` | how does a sample lie in a block? |
//! | `block` | what is the head of a block, and of a segment? |
//! | `staging` | what waits in memory to be written? |
//! | `walk` | what lies at this place of a segment? |
//! | `opening` | what is on storage at the start? |
//! | `log` | what is put in, what is asked of it, and where does it stand? |
//! | `operations` | which operation on storage comes next? |
//! | `reading` | which sample comes next? |

mod block;
mod entry;
mod log;
mod opening;
mod operations;
mod reading;
mod staging;
mod walk;

pub use block::{BLOCK, SegmentHead};
pub use log::{Buffers, Event, Log, Suspended};
pub use reading::Spooled;
pub use staging::{MAX_BLOCKS, Numbered};

use core::fmt::{self, Display, Formatter};

use embedded_nal::nb;

/// What storage is written in: the words of the STM32H7's flash, whose error correction lets each be written once. Everything begins at a
/// multiple of it.
pub const WORD: u32 = 32;

/// Signals that have a place of their own in one block; more than that share them. A block has hardly room for more names.
pub const NAMES: usize = 256;

/// Storage for the log of one device, as segments that count up from the oldest.
///
/// An operation that answers [`WouldBlock`](nb::Error::WouldBlock) is under way: it is asked for again, with the same arguments, until it has
/// another answer. After an error, [`next_segment`](Storage::next_segment) of `None` begins anew; so it does where the log has
/// [given up](Log::give_up) to wait: then it is under way itself as long as the operation before.
pub trait Storage {
    /// Bytes of a segment that is begun now, a multiple of [`WORD`] and at least two [blocks](BLOCK).
    fn segment_len(&self) -> u32;

    /// Whether there is room for one more segment.
    fn has_room(&mut self) -> bool;

    /// Bytes on storage that segments take now, as far as they are known.
    #[cfg(feature = "health")]
    fn used(&self) -> u64 {
        0
    }

    /// The oldest segment, or the one that follows this one.
    ///
    /// # Errors
    /// What keeps the storage from being used, here and below.
    fn next_segment(&mut self, after: Option<u32>) -> nb::Result<Option<u32>, Fault>;

    /// Reads bytes of a segment from `at` on: how many, fewer than asked for at its end.
    fn read(&mut self, segment: u32, at: u32, out: &mut [u8]) -> nb::Result<usize, Fault>;

    /// Writes whole words to a segment, behind all that it has; the first ones make it.
    fn append(&mut self, segment: u32, at: u32, bytes: &[u8]) -> nb::Result<(), Fault>;

    /// Frees a segment, the oldest.
    fn erase(&mut self, segment: u32) -> nb::Result<(), Fault>;

    /// Returns once all that was done before will survive a power cut.
    fn sync(&mut self) -> nb::Result<(), Fault>;
}

/// Why storage cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fault {
    Missing,
    NotOurs,
    InUse,
    Full,
    ReadOnly,
    Hanging,
    /// With the system's number of the error.
    Failing(i32),
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Missing => "it is missing",
            Fault::NotOurs => "it belongs to another user",
            Fault::InUse => "another process uses it",
            Fault::Full => "it is full",
            Fault::ReadOnly => "it is read-only",
            Fault::Hanging => "it does not answer",
            Fault::Failing(error) => return write!(f, "it fails (error {error})"),
        })
    }
}

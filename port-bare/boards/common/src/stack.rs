//! How much of the stack has ever been used?
//!
//! `cortex-m-rt` (feature `paint-stack`) fills the stack with a pattern before `main`. What no longer holds the pattern has been used.

/// The pattern, `cortex_m_rt::STACK_PAINT_VALUE`.
#[cfg(any(test, target_os = "none"))]
const PAINT: u32 = 0xcccc_cccc;

/// The stack's size, and how much of it has been used at most, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    pub size: usize,
    pub used: usize,
}

impl Stack {
    /// Of the words from the stack's lowest address on. The deepest word counts as used from the first that is not painted: a word
    /// that was reserved and never written hides among those below it.
    #[cfg(any(test, target_os = "none"))]
    fn of(words: impl ExactSizeIterator<Item = u32>) -> Self {
        let count = words.len();
        let painted = words.take_while(|&word| word == PAINT).count();
        let word = size_of::<u32>();
        Self {
            size: count * word,
            used: (count - painted) * word,
        }
    }

    /// Of this program. Reads the unused part of the stack: some 2 cycles a byte.
    #[cfg(target_os = "none")]
    #[must_use]
    pub fn now() -> Self {
        unsafe extern "C" {
            static _stack_end: u32;
            static _stack_start: u32;
        }
        let (lowest, top) = (&raw const _stack_end, &raw const _stack_start);
        // SAFETY: both are set by the linker script to the bounds of the stack's memory.
        let words = unsafe { top.offset_from_unsigned(lowest) };
        Self::of((0..words).map(|at| {
            // SAFETY: within the stack's memory, aligned. Volatile, since what is read below the stack pointer is nobody's, and above
            // it belongs to functions that are running.
            unsafe { lowest.add(at).read_volatile() }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_above_the_deepest_change_has_been_used() {
        for (words, used) in [
            ([PAINT; 4], 0),
            ([PAINT, PAINT, PAINT, 1], 4),
            ([PAINT, 1, PAINT, 1], 12),
            ([1, 1, 1, 1], 16),
        ] {
            assert_eq!(Stack::of(words.into_iter()), Stack { size: 16, used });
        }
    }
}

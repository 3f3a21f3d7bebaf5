//! How are registers reached? On the system bus, by volatile 32-bit accesses.

use core::ptr::NonNull;

/// A block of a device's registers.
#[derive(Debug)]
pub struct Block {
    base: NonNull<u32>,
    length: usize,
}

impl Block {
    /// The block of `length` bytes at `base`.
    ///
    /// # Safety
    ///
    /// Registers that can be read and written at all times are there, and nothing else uses them as long as this lives.
    #[must_use]
    pub const unsafe fn at(base: NonNull<u32>, length: usize) -> Self {
        Self { base, length }
    }

    /// Reads the register `offset` bytes into the block.
    ///
    /// # Panics
    ///
    /// If `offset` is outside, or no multiple of 4.
    #[must_use]
    #[inline]
    pub fn read(&mut self, offset: usize) -> u32 {
        // SAFETY: a register, aligned and ours, as `at` was promised.
        unsafe { self.register(offset).read_volatile() }
    }

    /// Writes the register `offset` bytes into the block.
    ///
    /// # Panics
    ///
    /// If `offset` is outside, or no multiple of 4.
    #[inline]
    pub fn write(&mut self, offset: usize, value: u32) {
        // SAFETY: as above.
        unsafe { self.register(offset).write_volatile(value) }
    }

    #[inline]
    fn register(&mut self, offset: usize) -> NonNull<u32> {
        assert!(offset < self.length && offset.is_multiple_of(4));
        // SAFETY: inside the block, as was just checked.
        unsafe { self.base.byte_add(offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_is_found_by_its_offset() {
        let mut memory = [0_u32; 4];
        let base = NonNull::from(&mut memory).cast();
        // SAFETY: the array is readable and writable, and used by the block alone until the block's last use.
        let mut block = unsafe { Block::at(base, 16) };
        block.write(8, 7);
        assert_eq!((block.read(8), block.read(12)), (7, 0));
        assert_eq!(memory, [0, 0, 7, 0]);
    }

    #[test]
    #[should_panic(expected = "offset < self.length")]
    fn what_is_outside_is_not_reached() {
        let mut memory = [0_u32; 4];
        // SAFETY: as above.
        let mut block = unsafe { Block::at(NonNull::from(&mut memory).cast(), 16) };
        let _ = block.read(16);
    }
}

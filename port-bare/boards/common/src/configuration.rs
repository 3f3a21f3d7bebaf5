//! Where in flash is the mapping table, and how long is it?
//!
//! The table is the same JSON file that the daemon reads, written into a region of flash of its own: so one image serves every plant, and a new
//! table needs no new image. The linker script gives the region's bounds (`__configuration_start`, `__configuration_end`).

/// The text in a region: up to the first byte that no JSON text holds, such as those of erased flash (`0xff`) and of memory that was never
/// written (0). Empty if nothing was written there.
#[must_use]
pub fn text_in(region: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| matches!(byte, 0 | 0xff);
    let length = region.iter().position(is_end).unwrap_or(region.len());
    &region[..length]
}

/// The text in the region that the linker script names.
#[cfg(target_os = "none")]
#[must_use]
pub fn text() -> &'static [u8] {
    unsafe extern "C" {
        static __configuration_start: u8;
        static __configuration_end: u8;
    }
    let (start, end) = (
        &raw const __configuration_start,
        &raw const __configuration_end,
    );
    // SAFETY: the linker script sets the symbols to the bounds of a region of flash, which always can be read, and which nothing
    // writes to while the program runs.
    text_in(unsafe { core::slice::from_raw_parts(start, end.byte_offset_from_unsigned(start)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_at_erased_or_unwritten_memory_or_with_the_region() {
        for (region, text) in [
            (&b"{}\xff\xff"[..], &b"{}"[..]),
            (b"{}\0\0", b"{}"),
            (b"{}", b"{}"),
            (
                b"{\"name\": \"\xc2\xb0C\"}\n\xff",
                b"{\"name\": \"\xc2\xb0C\"}\n",
            ),
            (b"\xff\xff{}", b""),
            (b"", b""),
        ] {
            assert_eq!(text_in(region), text);
        }
    }
}

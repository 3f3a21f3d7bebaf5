//! What does an executable's header say: which byte order, whether it needs other files, and how much of its memory can be written?

/// A 32-bit ELF executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elf {
    /// 1 little-endian, 2 big-endian.
    pub data: u8,
    /// The processor: 8 is MIPS.
    pub machine: u16,
    /// Whether it runs without a dynamic linker.
    pub is_static: bool,
    /// Bytes that the file holds of its memory: code, constants and initialised data.
    pub loaded: u32,
    /// Bytes that are writable from the start: initialised and zeroed data.
    pub writable: u32,
}

/// Segments, from the ELF specification: `PT_LOAD`, `PT_INTERP`, and the flag for writing.
const LOAD: u32 = 1;
const INTERPRETER: u32 = 3;
const WRITABLE: u32 = 2;

impl Elf {
    /// Reads the headers; `None` if this is no 32-bit ELF file.
    #[must_use]
    pub fn of(file: &[u8]) -> Option<Self> {
        // "\x7fELF", then the class: 1 is 32-bit.
        let data = *file.strip_prefix(b"\x7fELF\x01")?.first()?;
        let half = |at: usize| -> Option<u16> {
            let bytes = file.get(at..at + 2)?.try_into().ok()?;
            Some(match data {
                2 => u16::from_be_bytes(bytes),
                _ => u16::from_le_bytes(bytes),
            })
        };
        let word = |at: usize| -> Option<u32> {
            let bytes = file.get(at..at + 4)?.try_into().ok()?;
            Some(match data {
                2 => u32::from_be_bytes(bytes),
                _ => u32::from_le_bytes(bytes),
            })
        };
        let (table, size, count) = (word(28)? as usize, half(42)?.into(), half(44)?.into());
        let mut elf = Self {
            data,
            machine: half(18)?,
            is_static: true,
            loaded: 0,
            writable: 0,
        };
        for header in (table..).step_by(size).take(count) {
            match word(header)? {
                INTERPRETER => elf.is_static = false,
                LOAD => {
                    elf.loaded += word(header + 16)?;
                    if word(header + 24)? & WRITABLE != 0 {
                        elf.writable += word(header + 20)?;
                    }
                }
                _ => {}
            }
        }
        Some(elf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF header with one program header behind it: half of its memory is in the file.
    fn file(data: u8, kind: u32, flags: u32, memory: u32) -> Vec<u8> {
        let half = |value: u16| match data {
            2 => value.to_be_bytes(),
            _ => value.to_le_bytes(),
        };
        let word = |value: u32| match data {
            2 => value.to_be_bytes(),
            _ => value.to_le_bytes(),
        };
        let mut file = vec![0; 52 + 32];
        file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 1, data]);
        file[18..20].copy_from_slice(&half(8));
        file[28..32].copy_from_slice(&word(52));
        file[42..44].copy_from_slice(&half(32));
        file[44..46].copy_from_slice(&half(1));
        file[52..56].copy_from_slice(&word(kind));
        file[68..72].copy_from_slice(&word(memory / 2));
        file[72..76].copy_from_slice(&word(memory));
        file[76..80].copy_from_slice(&word(flags));
        file
    }

    #[test]
    fn both_byte_orders_are_read() {
        for data in [1, 2] {
            let elf = Elf::of(&file(data, LOAD, WRITABLE, 4711)).unwrap();
            assert_eq!((elf.data, elf.machine, elf.writable), (data, 8, 4711));
        }
    }

    #[test]
    fn only_an_interpreter_makes_it_dynamic_and_only_writable_memory_counts() {
        for (kind, flags, is_static, loaded, writable) in [
            (LOAD, 5, true, 50, 0),
            (LOAD, 5 | WRITABLE, true, 50, 100),
            (INTERPRETER, WRITABLE, false, 0, 0),
        ] {
            let elf = Elf::of(&file(2, kind, flags, 100)).unwrap();
            assert_eq!((elf.is_static, elf.writable), (is_static, writable));
            assert_eq!(elf.loaded, loaded);
        }
    }

    #[test]
    fn whatever_is_cut_short_is_no_elf_file() {
        let whole = file(1, LOAD, WRITABLE, 1);
        for length in 0..80 {
            assert_eq!(Elf::of(&whole[..length]), None, "{length} bytes");
        }
    }
}

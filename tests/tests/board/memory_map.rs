//! Is everything in both boards' images where it belongs? Of the real board's image, which cannot be run here, that is what can be said.

use std::ops::Range;

use mqtt_client_tests::board::image::{self, EMULATED, EMULATED_WITH_SPOOL, Firmware, REAL};
use object::read::elf::{ElfFile32, SectionHeader as _};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, elf};

/// A board's memory, from its manual; not from the linker script, which is what is tested.
struct Board {
    firmware: Firmware,
    flash: Range<u64>,
    configuration: u64,
    /// What the processor alone uses: variables, and the stack below them.
    ram: Range<u64>,
    /// Where the Ethernet controller's own DMA reads and writes.
    dma: Option<Range<u64>>,
    /// Where samples are kept over a reset: nothing of the image is there.
    spool: Option<Range<u64>>,
}

/// ARM application note 385: 4 MB at 0, 4 MB at 0x2000_0000, of which the image may have what a small microcontroller has.
fn mps2_an385() -> Board {
    Board {
        firmware: EMULATED,
        flash: 0..101 * 1024,
        configuration: 101 * 1024,
        ram: 0x2000_0000..0x2000_0000 + 48 * 1024,
        dma: None,
        spool: None,
    }
}

/// The same with a spool: the image may have more of either, and 16 MB of PSRAM are at 0x2100_0000.
fn mps2_an385_with_spool() -> Board {
    Board {
        firmware: EMULATED_WITH_SPOOL,
        flash: 0..144 * 1024,
        configuration: 144 * 1024,
        ram: 0x2000_0000..0x2000_0000 + 80 * 1024,
        spool: Some(0x2100_0000..0x2100_0000 + 16 * 1024 * 1024),
        ..mps2_an385()
    }
}

/// Reference manual RM0433, tables 7 and 8: 2 MB of flash in sectors of 128 KB, 128 KB of DTCM, 512 KB of AXI SRAM.
fn nucleo_h743zi2() -> Board {
    Board {
        firmware: REAL,
        flash: 0x0800_0000..0x0800_0000 + 7 * 128 * 1024,
        configuration: 0x0800_0000 + 7 * 128 * 1024,
        ram: 0x2000_0000..0x2000_0000 + 128 * 1024,
        dma: Some(0x2400_0000..0x2400_0000 + 512 * 1024),
        // Bank 2, whole sectors of it.
        spool: Some(0x0810_0000..0x0810_0000 + 8 * 128 * 1024),
    }
}

fn check(board: &Board) {
    let path = image::build(board.firmware).unwrap();
    let file = std::fs::read(path).unwrap();
    let elf: ElfFile32<'_> = ElfFile32::parse(&*file).unwrap();
    let symbol = |name: &str| {
        let symbol = elf.symbol_by_name(name);
        symbol.unwrap_or_else(|| panic!("no {name}")).address()
    };

    for section in elf.sections() {
        let header = section.elf_section_header();
        let flags = header.sh_flags(elf.endian());
        if !flags.contains(elf::SHF_ALLOC) || section.size() == 0 {
            continue;
        }
        let name = section.name().unwrap();
        // The texts of the log, which stay in the file.
        if name.starts_with(".defmt") {
            continue;
        }
        let place = match (name, &board.dma) {
            (".ethernet", Some(dma)) => dma,
            _ if flags.contains(elf::SHF_WRITE) => &board.ram,
            _ => &board.flash,
        };
        let range = section.address()..section.address() + section.size();
        assert!(
            place.start <= range.start && range.end <= place.end,
            "{name} at {range:#x?} is not in {place:#x?}"
        );
    }

    let vectors = elf.section_by_name(".vector_table").unwrap();
    assert_eq!(
        vectors.address(),
        board.flash.start,
        "the first word that is read"
    );
    let words = vectors.data().unwrap();
    let word = |at: usize| u32::from_le_bytes(words[at..at + 4].try_into().unwrap());
    assert_eq!(
        u64::from(word(0)),
        symbol("_stack_start"),
        "the stack pointer"
    );
    assert_eq!(
        u64::from(word(4)),
        symbol("Reset") | 1,
        "the program's start, as Thumb code"
    );

    // Running over is a fault, since there is nothing below.
    assert_eq!(symbol("_stack_end"), board.ram.start);
    assert!(symbol("_stack_start") <= symbol("__sbss"));
    assert_eq!(symbol("__configuration_start"), board.configuration);

    if let Some(spool) = &board.spool {
        let (start, end) = (symbol("__spool_start"), symbol("__spool_end"));
        assert_eq!(start, spool.start);
        assert!(start < end && end <= spool.end, "{start:#x} to {end:#x}");
        for other in [&board.flash, &board.ram] {
            assert!(end <= other.start || other.end <= start, "{other:#x?}");
        }
    }

    if let Some(dma) = &board.dma {
        let packets = elf
            .symbols()
            .find(|one| one.name().unwrap_or("").contains("PACKETS"));
        let packets = packets.expect("the frames' memory");
        assert!(dma.contains(&packets.address()), "{:#x}", packets.address());
        assert_eq!(packets.address() % 8, 0, "descriptors are aligned");
    }
}

#[test]
fn the_emulated_boards_image_is_where_it_belongs() {
    check(&mps2_an385());
}

#[test]
fn the_emulated_boards_image_with_a_spool_is_where_it_belongs() {
    check(&mps2_an385_with_spool());
}

#[test]
fn the_real_boards_image_is_where_it_belongs_and_dma_reaches_its_frames() {
    check(&nucleo_h743zi2());
}

//! What if a damaged file asks for more memory than there is? A count of cells that is wrong by one digit makes the reading library
//! ask for terabytes, and Rust's answer to a refusal is to abort. This allocator ends the program with a message instead.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Write};
use std::process;

/// Bytes at one go, at most. The largest sheet of an `.xls` takes half of it; 50,000 signals take a tenth in all.
const LIMIT: usize = 1 << 30;

/// The system's allocator, which never says no: it ends the program.
pub struct Bounded;

// SAFETY: every request goes to the system's allocator as it is and with what it returned before, or is never answered.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        given(layout.size(), || unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        given(layout.size(), || unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        given(size, || unsafe { System.realloc(memory, layout, size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

fn given(size: usize, ask: impl FnOnce() -> *mut u8) -> *mut u8 {
    if size <= LIMIT {
        let memory = ask();
        if !memory.is_null() {
            return memory;
        }
    }
    // Nothing here takes memory.
    let line = b"elseta-mqtt-config: the file is damaged, or too large to be read\n";
    let _ = io::stderr().write_all(line);
    process::exit(crate::EX_CONFIG.into())
}

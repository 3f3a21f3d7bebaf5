//! What if a workbook asks for more memory than it should have? A file of 1 KiB can name gigabytes: one text that thousands of cells share, one cell that
//! is repeated, a count that is wrong by a digit. The libraries that read workbooks read them whole, and Rust's answer to a refusal is to abort.
//! So this allocator counts all that is taken at a time, by whomever, and ends the program with a message at the limit.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Write};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes in all, at most, in MiB: README, "From the spreadsheet".
const LIMIT_MIB: usize = 512;
const LIMIT: usize = LIMIT_MIB << 20;

/// The system's allocator, which never says no: it ends the program.
pub struct Bounded;

/// Bytes that are taken at the moment.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// What is being read, for the message.
static FILE: OnceLock<String> = OnceLock::new();

/// From here on, what takes too much memory is this file's fault.
pub fn is_taken_for(file: String) {
    // One file is read in a process's life.
    let _ = FILE.set(file);
}

// SAFETY: every request goes to the system's allocator as it is and with what it returned before, or is never answered.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        given(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        given(unsafe { System.alloc_zeroed(layout) })
    }

    /// Counts the growth alone: what is large is moved by its pages, not copied.
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size.saturating_sub(layout.size()));
        let memory = given(unsafe { System.realloc(memory, layout, size) });
        TAKEN.fetch_sub(layout.size().saturating_sub(size), Relaxed);
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
        TAKEN.fetch_sub(layout.size(), Relaxed);
    }
}

fn take(size: usize) {
    let taken = TAKEN.fetch_add(size, Relaxed);
    if taken.checked_add(size).is_none_or(|taken| taken > LIMIT) {
        end(&format_args!(
            "is damaged or too large: reading it takes more than {LIMIT_MIB} MiB of memory"
        ));
    }
}

fn given(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        end(&"cannot be read: this computer has not enough memory left");
    }
    memory
}

/// Nothing here takes memory.
fn end(why: &dyn std::fmt::Display) -> ! {
    let file = FILE.get().map_or("elseta-mqtt-config", String::as_str);
    let _ = writeln!(io::stderr(), "{file}: {why}");
    process::exit(crate::EX_CONFIG.into())
}

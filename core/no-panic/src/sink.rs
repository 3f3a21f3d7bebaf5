//! Where texts go: nowhere, but the optimiser does not know.

use core::fmt::{self, Arguments, Write};
use core::hint::black_box;

struct Sink;

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        black_box(text);
        black_box(true).then_some(()).ok_or(fmt::Error)
    }
}

/// Formats a text.
pub fn show(text: Arguments<'_>) {
    let _ = Sink.write_fmt(text);
}

/// The `log` crate's lines.
#[cfg(feature = "log")]
pub fn start_log() {
    struct Logger;
    impl log::Log for Logger {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            black_box(true)
        }
        fn log(&self, record: &log::Record<'_>) {
            crate::outside::mine!(mine_log);
            show(*record.args());
        }
        fn flush(&self) {}
    }
    let _ = log::set_logger(&Logger);
    log::set_max_level(black_box(log::LevelFilter::Trace));
}

/// `defmt`'s.
#[cfg(feature = "defmt")]
mod frames {
    use core::hint::black_box;

    defmt::timestamp!("");

    #[defmt::global_logger]
    struct Logger;

    // SAFETY: there is one thread, and no interrupt.
    unsafe impl defmt::Logger for Logger {
        fn acquire() {}
        unsafe fn flush() {}
        unsafe fn release() {}
        unsafe fn write(bytes: &[u8]) {
            crate::outside::mine!(mine_defmt);
            black_box(bytes);
        }
    }
}

//! What was logged, thread by thread: each test has its own thread, and so its own book.

use std::cell::RefCell;

use log::{LevelFilter, Log, Metadata, Record};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Logbook;

/// Keeps all lines from now on, as `WARN text`.
pub fn open() {
    // Another test may have opened it before.
    let _ = log::set_logger(&Logbook);
    log::set_max_level(LevelFilter::Trace);
}

/// The lines of this thread since it last asked.
pub fn lines() -> Vec<String> {
    LINES.take()
}

impl Log for Logbook {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

//! What is written down while a life is lived: a readable trace where one is wanted, and the log, looked through for secrets.
//!
//! Lives run on threads of their own, each with its own book.

use std::cell::RefCell;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::network::Clock;
use crate::world::SECRETS;

#[derive(Default)]
struct Book {
    clock: Clock,
    /// Lines, if they are wanted.
    lines: Option<Vec<String>>,
    /// Whether all is logged, or what an operator sees.
    verbose: bool,
    /// A line that shows a secret.
    leak: Option<String>,
    /// Warnings and errors.
    loud: u64,
    loudest: Vec<String>,
    /// All of them that tell of a channel.
    refusals: Vec<String>,
}

thread_local! {
    static BOOK: RefCell<Book> = RefCell::new(Book::default());
}

/// Begins a life's book, and its clock at zero.
pub fn open(wanted: bool, verbose: bool) {
    // It may have been set for an earlier life.
    let _ = log::set_logger(&Logger);
    log::set_max_level(LevelFilter::Trace);
    BOOK.set(Book {
        lines: wanted.then(Vec::new),
        verbose,
        ..Book::default()
    });
}

/// The clock of this thread's life.
#[must_use]
pub fn clock() -> Clock {
    BOOK.with_borrow(|book| book.clock.clone())
}

/// Writes down who did what, if a trace is wanted.
pub fn note(entry: impl FnOnce() -> (String, String)) {
    BOOK.with_borrow_mut(|book| {
        if book.lines.is_some() {
            let (who, what) = entry();
            book.write(&who, &what);
        }
    });
}

/// The trace; empty if none was wanted.
#[must_use]
pub fn close() -> Vec<String> {
    BOOK.take().lines.unwrap_or_default()
}

/// A line that shows a password, if there was one.
#[must_use]
pub fn leak() -> Option<String> {
    BOOK.with_borrow(|book| book.leak.clone())
}

/// Looks through a text that somebody will see.
pub fn shown(text: &str) {
    BOOK.with_borrow_mut(|book| book.look_through(text));
}

/// Warnings and errors so far, and the first of them.
#[must_use]
pub fn loud() -> (u64, Vec<String>) {
    BOOK.with_borrow(|book| (book.loud, book.loudest.clone()))
}

/// Whether a warning about a channel holds these words.
#[must_use]
pub fn was_told(words: &str) -> bool {
    BOOK.with_borrow(|book| book.refusals.iter().any(|text| text.contains(words)))
}

/// Whether everything that is shown should be looked at.
#[must_use]
pub fn is_verbose() -> bool {
    BOOK.with_borrow(|book| book.verbose)
}

impl Book {
    fn write(&mut self, who: &str, what: &str) {
        let now = self.clock.get();
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>11.3}  {who:<9} {what}", now as f64 / 1000.0));
        }
    }

    fn look_through(&mut self, text: &str) {
        if SECRETS.iter().any(|secret| text.contains(secret)) {
            self.leak.get_or_insert_with(|| text.to_string());
        }
    }
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        BOOK.with_borrow_mut(|book| {
            let loud = record.level() <= Level::Warn;
            let traced = book.lines.is_some() && record.level() <= Level::Info;
            if !loud && !traced && !book.verbose {
                return;
            }
            let text = record.args().to_string();
            book.look_through(&text);
            if loud {
                book.loud += 1;
                if text.contains("no subscription to") {
                    book.refusals.push(text.clone());
                }
                if book.loudest.len() < 20 {
                    book.loudest.push(text.clone());
                }
            }
            if traced {
                book.write("log", &format!("{}: {text}", record.level()));
            }
        });
    }

    fn flush(&self) {}
}

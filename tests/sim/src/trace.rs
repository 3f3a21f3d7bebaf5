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
    /// Errors, and warnings about a channel or missing acknowledgements.
    told: Vec<String>,
    /// With the device that it is about.
    news: Vec<(String, News)>,
}

/// Something that the bridge tells in its log, and that decides what it does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// This topic is set aside.
    SetAside(String),
    /// What was set aside is tried again.
    TriedAgain,
    /// A session begins anew, since PUBREL is not answered.
    PubrelUnanswered,
    /// Samples of a spool are lost.
    SpoolLost,
}

impl News {
    /// The device and what the line says of it.
    fn read(line: &str) -> Option<(String, News)> {
        let (device, text) = line.split_once(": ")?;
        let news = if let Some(rest) = text.strip_prefix(AFTER_EACH) {
            News::SetAside(rest.split_once(SET_ASIDE)?.0.to_string())
        } else if text.starts_with(TRIED_AGAIN) {
            News::TriedAgain
        } else if text.starts_with(NO_ANSWER) {
            News::PubrelUnanswered
        } else if text.ends_with(DAMAGED) || text.starts_with(NO_ROOM) {
            News::SpoolLost
        } else {
            return None;
        };
        Some((device.to_string(), news))
    }
}

const AFTER_EACH: &str = "the broker closes the connection after each message on ";
const SET_ASIDE: &str = ": this topic is set aside";
const TRIED_AGAIN: &str = "what was set aside is tried again";
const DAMAGED: &str = "samples of the spool are damaged";
const NO_ROOM: &str = "the spool is full, its oldest ";
const NO_ANSWER: &str = "the broker does not answer PUBREL";

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

/// What was told of this device since it was last asked, in order.
#[must_use]
pub fn take_news(device: &str) -> Vec<News> {
    BOOK.with_borrow_mut(|book| {
        let news = book.news.extract_if(.., |(of, _)| of == device);
        news.map(|(_, news)| news).collect()
    })
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

/// Whether an error, or a warning about a channel or missing acknowledgements, holds these words.
#[must_use]
pub fn was_told(words: &str) -> bool {
    BOOK.with_borrow(|book| book.told.iter().any(|text| text.contains(words)))
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
            if record.level() <= Level::Info {
                book.news.extend(News::read(&record.args().to_string()));
            }
            let traced = book.lines.is_some() && record.level() <= Level::Info;
            if !loud && !traced && !book.verbose {
                return;
            }
            let text = record.args().to_string();
            book.look_through(&text);
            if loud {
                book.loud += 1;
                let is_told = ["no subscription to", "it may throttle"];
                let is_told = is_told.iter().any(|words| text.contains(words));
                if record.level() == Level::Error || is_told {
                    book.told.push(text.clone());
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

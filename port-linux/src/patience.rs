//! What if the configuration cannot be used at the start (`--keep-trying`)? A certificate may be on storage that is mounted later: it is read again,
//! with back-off, and what is wrong is said once.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use log::LevelFilter;
use signal_hook::consts::SIGHUP;
use signal_hook::low_level::{pipe, unregister};

use crate::configuration::{self, Most, Tables, Unusable, complain};

const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

thread_local! {
    /// What is wrong with it now, a line for each.
    static WRONG: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The text of a configuration that can be used, and has a device that is enabled; waits until it is. SIGHUP asks to look at once.
///
/// # Errors
/// No file descriptor is left.
pub fn wait_for_usable(path: &Path) -> io::Result<Vec<u8>> {
    let (mut wake, waker) = UnixStream::pair()?;
    let hang_up = pipe::register(SIGHUP, waker)?;
    let mut said = String::new();
    let mut wait = FIRST_WAIT;
    loop {
        let (text, wrong) = look(path);
        if let Some(text) = text {
            unregister(hang_up);
            return Ok(text);
        }
        if wrong != said {
            for line in wrong.lines() {
                complain(format_args!("{line}"));
            }
            let path = path.display();
            complain(format_args!(
                "{path}: not usable yet; it is read again until it is"
            ));
            said = wrong;
        }
        wake.set_read_timeout(Some(wait))?;
        wait = match wake.read(&mut [0; 16]) {
            Ok(_) => FIRST_WAIT,
            Err(_) => LONGEST_WAIT.min(wait * 2),
        };
    }
}

/// The configuration's text if it can be used; else lines. Warnings are left to the start.
fn look(path: &Path) -> (Option<Vec<u8>>, String) {
    let level = log::max_level();
    log::set_max_level(LevelFilter::Off);
    let text = usable(path).ok();
    log::set_max_level(level);
    (text, WRONG.take())
}

fn usable(path: &Path) -> Result<Vec<u8>, Unusable> {
    let text = configuration::read_again(path, note)?;
    let mut tables = Tables::for_text(&text);
    let config = tables.parse(path, &text, note, Most::IN_SERVICE)?;
    configuration::transports(path, config.devices, note)?;
    if config.devices.is_empty() {
        let path = path.display();
        note(format_args!("{path}: no MQTT device is enabled"));
        return Err(Unusable);
    }
    Ok(text)
}

fn note(line: fmt::Arguments<'_>) {
    WRONG.with_borrow_mut(|wrong| *wrong += &format!("{line}\n"));
}

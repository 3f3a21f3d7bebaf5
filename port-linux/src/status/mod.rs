//! `--status`: how do the devices of the running daemon fare? It says so to whoever connects to its Unix socket, in JSON, and waits for nobody.
//!
//! | file | question |
//! |---|---|
//! | `socket` | how is the socket made, so that it is ours and nobody else's? |
//! | `report` | what does the daemon say? |
//! | `ask` | what does `--status` ask and print? |
//! | `answer` | how is the daemon's answer read? |
//! | `table` | how does it look to a person? |

mod answer;
pub mod ask;
mod report;
mod socket;
mod table;

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use mqtt_client_core::bridge::Bridge;
use mqtt_client_core::config::Config;
use mqtt_client_core::time::{Instant, SECOND};

use crate::net::Stack;
use crate::poller::{Event, Interest, Poller};
use socket::Socket;

/// Where the socket is: the init script makes the folder, since the daemon's user may not.
pub const DEFAULT_SOCKET: &str = "/var/run/mqtt-client/status.sock";

/// Askers that have not read all of their answer yet; one more, and the first of them is cut off.
const MOST_ASKERS: usize = 8;

/// Askers that are let in in one turn, so that a crowd does not keep brokers waiting.
const MOST_AT_ONCE: usize = 8;

/// How long an asker may take to read its answer, in milliseconds.
const PATIENCE: u64 = 5 * SECOND;

/// The socket at which the daemon tells how it is.
pub struct Status {
    poller: Arc<Poller>,
    /// Of the socket; that of all askers is the next one.
    key: u32,
    socket: Option<Socket>,
    /// Somebody may be waiting to be let in.
    is_called: bool,
    askers: Vec<Asker>,
}

/// Somebody who reads slowly: most answers are in the kernel's hands at once.
struct Asker {
    stream: UnixStream,
    rest: Vec<u8>,
    give_up: Instant,
}

impl Status {
    /// A socket at this path, or at the usual place; without one, the daemon goes on all the same.
    pub fn open(path: Option<&Path>, poller: &Arc<Poller>, key: u32) -> Self {
        let (given, path) = (path.is_some(), path.unwrap_or(Path::new(DEFAULT_SOCKET)));
        let socket = Socket::bind(path).and_then(|socket| {
            poller.add(&socket, key, Interest::Read)?;
            Ok(socket)
        });
        if let Err(error) = &socket {
            let path = path.display();
            match error.kind() {
                // A daemon that was started by hand, where there is no service.
                io::ErrorKind::NotFound if !given => log::debug!("no --status: {path}: {error}"),
                io::ErrorKind::AddrInUse if !given => log::info!("no --status: {path}: {error}"),
                _ => log::warn!("no --status: {path}: {error}"),
            }
        }
        Status {
            poller: poller.clone(),
            key,
            socket: socket.ok(),
            is_called: false,
            askers: Vec::new(),
        }
    }

    /// Takes an event of the poller; those of others pass by.
    pub fn ready(&mut self, event: Event) {
        if event.key == self.key {
            self.is_called = true;
        } else if event.key == self.key + 1 {
            self.go_on();
        }
    }

    /// Answers whoever has asked; when to come back, `now` if others wait.
    #[must_use]
    pub fn answer(
        &mut self,
        now: Instant,
        config: &Config<'_>,
        bridge: &Bridge<'_, '_, Stack>,
    ) -> Instant {
        if !self.is_called && self.askers.is_empty() {
            return Instant::NEVER;
        }
        if self.is_called {
            self.let_in(now, config, bridge);
        }
        let next = self.expire(now);
        if self.is_called { now } else { next }
    }

    /// Cuts those off who have not read in time; when the next one's time is over.
    #[cold]
    fn expire(&mut self, now: Instant) -> Instant {
        self.askers.retain(|asker| now < asker.give_up);
        let times = self.askers.iter().map(|asker| asker.give_up);
        times.min().unwrap_or(Instant::NEVER)
    }

    #[cold]
    fn let_in(&mut self, now: Instant, config: &Config<'_>, bridge: &Bridge<'_, '_, Stack>) {
        let mut answer = None;
        for _ in 0..MOST_AT_ONCE {
            // An error of the system's will be the same for the next one.
            let Some(Ok(stream)) = self.socket.as_ref().map(Socket::accept) else {
                self.is_called = false;
                return;
            };
            let answer = answer.get_or_insert_with(|| report::write(now, config, bridge));
            self.hand_over(now, stream, answer);
        }
    }

    /// With an error the stream is closed, as it is with the whole answer.
    fn hand_over(&mut self, now: Instant, stream: UnixStream, answer: &[u8]) {
        let mut asker = Asker {
            stream,
            rest: Vec::new(),
            give_up: now + PATIENCE,
        };
        if let Ok(written) = asker.write(answer)
            && let Some(rest) = answer.get(written..).filter(|rest| !rest.is_empty())
        {
            asker.rest = rest.into();
            self.keep(asker);
        }
    }

    #[cold]
    fn keep(&mut self, asker: Asker) {
        if self.askers.len() >= MOST_ASKERS {
            self.askers.remove(0);
        }
        let (stream, key) = (&asker.stream, self.key + 1);
        if self.poller.add(stream, key, Interest::Write).is_ok() {
            self.askers.push(asker);
        }
    }

    /// Some asker has read.
    #[cold]
    fn go_on(&mut self) {
        self.askers.retain_mut(|asker| {
            let rest = std::mem::take(&mut asker.rest);
            match asker.write(&rest) {
                Ok(written) if written < rest.len() => {
                    asker.rest = rest[written..].into();
                    true
                }
                _ => false,
            }
        });
    }
}

impl Asker {
    /// How many bytes there was room for.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::poller::Events;
    use crate::testing::LIMIT;

    /// More than the kernel has room for.
    const LONG: usize = 4 * 1024 * 1024;

    fn status() -> Status {
        Status {
            poller: Arc::new(Poller::new().unwrap()),
            key: 0,
            socket: None,
            is_called: false,
            askers: Vec::new(),
        }
    }

    /// Somebody who has asked, and has got the beginning of this answer.
    fn ask(status: &mut Status, now: Instant, answer: &[u8]) -> UnixStream {
        let (asker, stream) = UnixStream::pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        asker.set_read_timeout(Some(LIMIT)).unwrap();
        status.hand_over(now, stream, answer);
        asker
    }

    #[test]
    fn a_short_answer_is_the_kernels_at_once() {
        let mut status = status();
        let mut asker = ask(&mut status, Instant::default(), b"short");
        assert!(status.askers.is_empty());
        let mut answer = String::new();
        asker.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "short");
    }

    #[test]
    fn a_long_answer_goes_on_as_it_is_read() {
        let mut status = status();
        let answer: Vec<u8> = (0..LONG).map(|at| (at % 251) as u8).collect();
        let mut asker = ask(&mut status, Instant::default(), &answer);
        let reader = std::thread::spawn(move || {
            let mut read = Vec::new();
            asker.read_to_end(&mut read).map(|_| read)
        });
        let mut events = Events::new();
        while !status.askers.is_empty() {
            let poller = status.poller.clone();
            poller.wait(&mut events, Some(LIMIT)).unwrap();
            assert_ne!(events.iter().count(), 0, "nobody reads");
            events.iter().for_each(|event| status.ready(event));
        }
        assert!(reader.join().unwrap().unwrap() == answer);
    }

    #[test]
    fn of_many_that_do_not_read_the_first_are_cut_off_and_in_the_end_all() {
        let mut status = status();
        let answer = vec![b'x'; LONG];
        let now = Instant::default();
        let mut askers: Vec<_> = (0..3 * MOST_ASKERS)
            .map(|_| ask(&mut status, now, &answer))
            .collect();
        assert_eq!(status.askers.len(), MOST_ASKERS);
        let first = &mut askers[0];
        let mut read = Vec::new();
        first.read_to_end(&mut read).unwrap();
        assert!(read.len() < LONG);
        assert!(status.expire(now + (PATIENCE - 1)) == now + PATIENCE);
        assert_eq!(status.askers.len(), MOST_ASKERS);
        assert!(status.expire(now + PATIENCE) == Instant::NEVER);
        assert!(status.askers.is_empty());
        let last = &mut askers[3 * MOST_ASKERS - 1];
        read.clear();
        last.read_to_end(&mut read).unwrap();
        assert!(read.len() < LONG);
    }
}

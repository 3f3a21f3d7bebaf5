//! What can go on? Waits for sockets, for other threads and for a time, in one place, with one system call: epoll(7), by `mio`.
//!
//! Own epoll over `rustix` was here before. Measured on a big-endian gateway, without TLS: the same system calls, 109 instructions more for each
//! wake-up (`rustix` divides the limit in 64 bits, for which MIPS has no instruction), and 816 bytes less of 313,864.
//!
//! `polling`, which does the same for all systems, cannot be used: it keeps time with timerfd, and `rustix` 1.1 hands
//! that a `timespec` whose layout is not musl's on 32-bit MIPS, so that to wait with a limit fails with EINVAL; for the same reason `rustix` reads a
//! wrong time there. `polling` does not tell of `EPOLLRDHUP` either, see [`Event::ended`], and it takes five system calls for a wait.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Poll, Registry, Token, Waker};

/// Key of the notifier.
const NOTIFIER: Token = Token(usize::MAX);

/// Events that one call of [`Poller::wait`] tells of; the next call tells of the rest.
const EVENTS: usize = 32;

/// The process's sources of events. It may be shared with threads, which call [`Poller::notify`].
#[derive(Debug)]
pub struct Poller {
    /// Only the event loop waits, so nobody ever waits for the lock.
    poll: Mutex<Poll>,
    registry: Registry,
    waker: Waker,
}

/// What a source is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    Read,
    Write,
    ReadAndWrite,
}

/// A change at a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The key that the source was added with.
    pub key: u32,
    /// To read would not block: there is data, the end, or an error.
    pub readable: bool,
    /// To write would not block: there is room, or an error.
    pub writable: bool,
    /// The peer has ended its direction, or the connection is broken: after the data comes the end or an error.
    pub ended: bool,
}

/// Room for what [`Poller::wait`] tells.
pub struct Events(mio::Events);

impl Poller {
    /// # Errors
    /// No file descriptor is left.
    pub fn new() -> io::Result<Poller> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        Ok(Poller {
            waker: Waker::new(&registry, NOTIFIER)?,
            poll: Mutex::new(poll),
            registry,
        })
    }

    /// Tells of the source's present state, and then of each change (edge-triggered), until it is removed.
    pub fn add(&self, source: impl AsFd, key: u32, interest: Interest) -> io::Result<()> {
        let interests = match interest {
            Interest::Read => mio::Interest::READABLE,
            Interest::Write => mio::Interest::WRITABLE,
            Interest::ReadAndWrite => mio::Interest::READABLE | mio::Interest::WRITABLE,
        };
        let source = source.as_fd().as_raw_fd();
        let token = Token(key as usize);
        (self.registry).register(&mut SourceFd(&source), token, interests)
    }

    /// Tells no more of the source. Before it is closed: a copy of its descriptor would keep it here.
    pub fn remove(&self, source: impl AsFd) -> io::Result<()> {
        let source = source.as_fd().as_raw_fd();
        self.registry.deregister(&mut SourceFd(&source))
    }

    /// Ends the present [`Poller::wait`], or else the next one, without an event. From any thread.
    pub fn notify(&self) {
        // It cannot fail: the descriptor is open, and a full counter is emptied.
        let _ = self.waker.wake();
    }

    /// Waits for events, a notice, a signal or the time limit, and replaces what is in `events`. `None` is no limit;
    /// a limit is rounded up to milliseconds, and one beyond 24 days (31 bits) is cut to that.
    pub fn wait(&self, events: &mut Events, limit: Option<Duration>) -> io::Result<()> {
        let mut poll = self.poll.lock().unwrap_or_else(PoisonError::into_inner);
        match poll.poll(&mut events.0, limit) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }
}

impl Events {
    pub fn new() -> Events {
        Events(mio::Events::with_capacity(EVENTS))
    }

    /// What the last wait told, without the notices.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.0.iter().filter_map(|event| {
            let ended = event.is_read_closed() || event.is_error();
            Some(Event {
                // On a gateway the notifier's key is a `u32` too, but nobody's: keys count up from 0.
                key: (event.token() != NOTIFIER).then_some(event.token().0 as u32)?,
                readable: event.is_readable() || ended,
                writable: event.is_writable() || event.is_write_closed() || event.is_error(),
                ended,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::thread;
    use std::time::Instant;

    use super::*;
    use crate::testing::LIMIT;

    fn wait(poller: &Poller, limit: Duration) -> Vec<Event> {
        let mut events = Events::new();
        poller.wait(&mut events, Some(limit)).unwrap();
        events.iter().collect()
    }

    #[test]
    fn a_wait_ends_at_its_limit_and_not_before() {
        let poller = Poller::new().unwrap();
        for limit in [
            Duration::ZERO,
            Duration::from_micros(1500),
            Duration::from_millis(30),
        ] {
            let start = Instant::now();
            assert_eq!(wait(&poller, limit), []);
            assert!(
                start.elapsed() >= limit,
                "{:?} of {limit:?}",
                start.elapsed()
            );
            assert!(
                start.elapsed() < LIMIT,
                "{:?} of {limit:?}",
                start.elapsed()
            );
        }
    }

    #[test]
    fn a_notice_ends_the_wait_without_an_event_as_often_as_it_is_given() {
        let poller = Arc::new(Poller::new().unwrap());
        for _ in 0..3 {
            let notifying = poller.clone();
            let thread = thread::spawn(move || notifying.notify());
            let start = Instant::now();
            assert_eq!(wait(&poller, Duration::MAX), []);
            assert!(start.elapsed() < LIMIT);
            thread.join().unwrap();
            poller.notify();
            assert_eq!(
                wait(&poller, Duration::MAX),
                [],
                "one that came before the wait"
            );
        }
    }

    #[test]
    fn an_event_tells_of_the_present_state_then_of_changes_then_of_the_end() {
        let poller = Poller::new().unwrap();
        let (mut source, mut peer) = UnixStream::pair().unwrap();
        let event = |readable, writable, ended| Event {
            key: 7,
            readable,
            writable,
            ended,
        };
        peer.write_all(b"a").unwrap();
        poller.add(&source, 7, Interest::ReadAndWrite).unwrap();
        assert_eq!(wait(&poller, LIMIT), [event(true, true, false)]);
        assert_eq!(wait(&poller, Duration::ZERO), [], "an edge is told once");
        peer.write_all(b"b").unwrap();
        assert_eq!(wait(&poller, LIMIT), [event(true, true, false)]);
        source.read_exact(&mut [0; 2]).unwrap();
        drop(peer);
        assert_eq!(wait(&poller, LIMIT), [event(true, true, true)]);
        poller.remove(&source).unwrap();
        poller.add(&source, 8, Interest::Read).unwrap();
        assert!(matches!(
            wait(&poller, LIMIT)[..],
            [Event {
                key: 8,
                ended: true,
                ..
            }]
        ));
    }
}

//! What can go on? Waits for sockets, for other threads and for a time, in one place, with one system call: epoll(7).
//!
//! `polling`, which does the same for all systems, cannot be used: it keeps time with timerfd, and `rustix` 1.1 hands
//! that a `timespec` whose layout is not musl's on 32-bit MIPS, so that to wait with a limit fails with EINVAL. It
//! does not tell of `EPOLLRDHUP` either, see [`Event::ended`], and it takes five system calls for a wait.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::{Errno, write};

/// Key of the notifier.
const NOTIFIER: u64 = u64::MAX;

/// Events that one call of [`Poller::wait`] tells of; the next call tells of the rest.
const EVENTS: usize = 32;

/// Beyond this epoll_wait(2) cannot count: it takes milliseconds in 31 bits.
const LONGEST_WAIT: Duration = Duration::from_millis(i32::MAX as u64);

/// The process's sources of events. It may be shared with threads, which call [`Poller::notify`].
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
    notifier: OwnedFd,
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
pub struct Events(Vec<epoll::Event>);

impl Poller {
    /// # Errors
    /// No file descriptor is left.
    pub fn new() -> io::Result<Poller> {
        let poller = Poller {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            notifier: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        };
        // For edges, so that it need never be read: each write makes an event.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        let key = epoll::EventData::new_u64(NOTIFIER);
        epoll::add(&poller.epoll, &poller.notifier, key, flags)?;
        Ok(poller)
    }

    /// Tells of the source's present state, and then of each change (edge-triggered), until it is removed.
    pub fn add(&self, source: impl AsFd, key: u32, interest: Interest) -> io::Result<()> {
        use epoll::EventFlags as Flags;
        let read = Flags::IN | Flags::RDHUP;
        let flags = match interest {
            Interest::Read => read,
            Interest::Write => Flags::OUT,
            Interest::ReadAndWrite => read | Flags::OUT,
        };
        epoll::add(
            &self.epoll,
            source,
            epoll::EventData::new_u64(key.into()),
            flags | Flags::ET,
        )?;
        Ok(())
    }

    /// Tells no more of the source. Before it is closed: a copy of its descriptor would keep it here.
    pub fn remove(&self, source: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, source)?)
    }

    /// Ends the present [`Poller::wait`], or else the next one, without an event. From any thread.
    pub fn notify(&self) {
        // It fails only when the counter is full, and then the notice has long been given.
        let _ = write(&self.notifier, &1_u64.to_ne_bytes());
    }

    /// Waits for events, a notice, a signal or the time limit, and replaces what is in `events`. `None` is no limit;
    /// a limit is rounded up to milliseconds, and one beyond 24 days is cut to that.
    pub fn wait(&self, events: &mut Events, limit: Option<Duration>) -> io::Result<()> {
        events.0.clear();
        let limit = limit.map(|limit| {
            let limit = limit.min(LONGEST_WAIT);
            Timespec {
                tv_sec: limit.as_secs() as i64,
                tv_nsec: limit.subsec_nanos() as _,
            }
        });
        match epoll::wait(&self.epoll, spare_capacity(&mut events.0), limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Events {
    pub fn new() -> Events {
        Events(Vec::with_capacity(EVENTS))
    }

    /// What the last wait told, without the notices.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        use epoll::EventFlags as Flags;
        let broken = Flags::HUP | Flags::ERR;
        self.0.iter().filter_map(move |event| {
            let (flags, key) = (event.flags, event.data.u64());
            Some(Event {
                // The notifier's key is no `u32`.
                key: key.try_into().ok()?,
                readable: flags.intersects(Flags::IN | Flags::RDHUP | broken),
                writable: flags.intersects(Flags::OUT | broken),
                ended: flags.intersects(Flags::RDHUP | broken),
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

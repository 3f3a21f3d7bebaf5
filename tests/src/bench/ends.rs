//! Both ends on sockets: one thread plays Redis and the broker, and lets the one be ahead of the other by a bounded number of messages.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::sink::Sink;
use super::source::Source;
use super::workload::Workload;

/// How many messages may be on their way. Less than any bridge's buffer, so that none is dropped; enough for a burst.
pub const AHEAD: u64 = 2_000;

/// A bridge that does nothing for so long does nothing any more.
const LIMIT: Duration = Duration::from_secs(30);

/// Two listeners, for one bridge.
pub struct Ends {
    redis: End,
    broker: End,
}

/// A listener, and the one connection that it takes.
struct End {
    listener: TcpListener,
    stream: Option<TcpStream>,
}

/// A bridge that is connected to both ends.
pub struct Linked<'w> {
    workload: &'w Workload,
    ahead: u64,
    source: Source,
    sink: Sink,
    redis: End,
    broker: End,
}

impl Ends {
    /// Listens on free ports of the loopback.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            redis: End::new()?,
            broker: End::new()?,
        })
    }

    /// The port that stands for Redis, and the one that stands for the broker.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn ports(&self) -> io::Result<(u16, u16)> {
        let port = |end: &End| end.listener.local_addr().map(|address| address.port());
        Ok((port(&self.redis)?, port(&self.broker)?))
    }

    /// Waits until the bridge has connected to both ends, in any order, and subscribed to all channels.
    ///
    /// # Errors
    ///
    /// What the bridge has not done, or done wrong.
    pub fn link(self, workload: &Workload, qos: u8) -> Result<Linked<'_>, String> {
        self.link_with(workload, qos, AHEAD)
    }

    /// As [`link`](Self::link), with at most `ahead` messages on their way.
    ///
    /// # Errors
    ///
    /// What the bridge has not done, or done wrong.
    pub fn link_with(self, workload: &Workload, qos: u8, ahead: u64) -> Result<Linked<'_>, String> {
        let mut linked = Linked {
            workload,
            ahead,
            source: Source::default(),
            sink: Sink::new(qos),
            redis: self.redis,
            broker: self.broker,
        };
        linked.turn_until("connect and subscribe", 0, |ends| {
            ends.source.subscribed() == workload.signals()
                && ends.sink.is_connected()
                && ends.source.output(workload, 0).is_empty()
                && ends.sink.output().is_empty()
        })?;
        Ok(linked)
    }
}

impl End {
    fn new() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            stream: None,
        })
    }

    /// What the connection does now; `None` if it would have to wait, for a connection too. The end of one is an error.
    fn now(
        &mut self,
        action: impl FnOnce(&mut TcpStream) -> io::Result<usize>,
    ) -> io::Result<Option<usize>> {
        let result = match &mut self.stream {
            Some(stream) => action(stream),
            None => self.listener.accept().and_then(|(mut stream, _)| {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let result = action(&mut stream);
                self.stream = Some(stream);
                result
            }),
        };
        match result {
            Ok(0) => Err(io::Error::other("it has closed a connection")),
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Some(stream) => stream.as_fd(),
            None => self.listener.as_fd(),
        }
    }
}

impl Linked<'_> {
    /// Publishes until `messages` messages in all have come out at the other end; how long that took.
    ///
    /// # Errors
    ///
    /// If a message is lost, late or wrong.
    pub fn run(&mut self, messages: u64) -> Result<Duration, String> {
        let start = Instant::now();
        self.turn_until("forward a message", messages, |ends| {
            ends.sink.complete() >= messages && ends.sink.output().is_empty()
        })?;
        Ok(start.elapsed())
    }

    fn turn_until(
        &mut self,
        what: &str,
        messages: u64,
        is_done: impl Fn(&Self) -> bool,
    ) -> Result<(), String> {
        while !is_done(self) {
            let turn = self.publish(messages).and_then(|()| self.take());
            turn.map_err(|error| error.to_string())?;
            if !is_done(self) {
                self.wait(what, messages)
                    .map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    fn publish(&mut self, messages: u64) -> io::Result<()> {
        let mut commands = [0; 4096];
        while let Some(count) = self.redis.now(|redis| redis.read(&mut commands))? {
            self.source.receive(&commands[..count]);
        }
        loop {
            let limit = messages.min(self.sink.complete() + self.ahead);
            let output = self.source.output(self.workload, limit);
            if output.is_empty() {
                return Ok(());
            }
            match self.redis.now(|redis| redis.write(output))? {
                Some(count) => self.source.sent(count),
                None => return Ok(()),
            }
        }
    }

    /// One read, and one write that answers it.
    fn take(&mut self) -> io::Result<()> {
        if let Some(count) = self.broker.now(|broker| broker.read(self.sink.input()))? {
            self.sink
                .received(count, self.workload)
                .map_err(io::Error::other)?;
        }
        if !self.sink.output().is_empty()
            && let Some(count) = self.broker.now(|broker| broker.write(self.sink.output()))?
        {
            self.sink.sent(count);
        }
        Ok(())
    }

    /// Until one of the ends can go on.
    fn wait(&self, what: &str, messages: u64) -> io::Result<()> {
        let limit_messages = messages.min(self.sink.complete() + self.ahead);
        let wanted = |has_output| {
            if has_output {
                PollFlags::IN | PollFlags::OUT
            } else {
                PollFlags::IN
            }
        };
        let to_redis = !self.source.output(self.workload, limit_messages).is_empty();
        let mut fds = [
            PollFd::new(&self.redis, wanted(to_redis)),
            PollFd::new(&self.broker, wanted(!self.sink.output().is_empty())),
        ];
        match poll(&mut fds, Some(&limit()))? {
            0 => {
                let complete = self.sink.complete();
                Err(io::Error::other(format!(
                    "it does not {what} any more, after {complete} messages"
                )))
            }
            _ => Ok(()),
        }
    }
}

fn limit() -> Timespec {
    Timespec {
        tv_sec: LIMIT.as_secs() as i64,
        tv_nsec: 0,
    }
}

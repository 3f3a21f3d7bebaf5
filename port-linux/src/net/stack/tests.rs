//! The stack against real sockets: TCP over the loopback, and Unix.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use embedded_nal::{TcpError, TcpErrorKind};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketType, sockopt};

use super::*;
use crate::poller::Events;
use crate::testing::{LIMIT, Random, alone};

#[cfg(feature = "tls")]
mod tls;

const KEY: u32 = 3;

/// One link and the event loop around it.
struct Link {
    stack: Stack,
    socket: Socket,
    events: Events,
    remote: SocketAddr,
}

impl Link {
    fn new(transport: Transport, remote: SocketAddr) -> Link {
        let mut stack = Stack::new(Arc::new(Poller::new().unwrap()), KEY, transport);
        let socket = stack.socket().unwrap();
        Link {
            stack,
            socket,
            events: Events::new(),
            remote,
        }
    }

    /// A connected link and its peer.
    fn tcp() -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut link = Link::new(Transport::Tcp, listener.local_addr().unwrap());
        link.until_connected().unwrap();
        (link, listener.accept().unwrap().0)
    }

    /// The same over a Unix socket. Its path is free again at once: who is connected needs none.
    fn unix(name: &str) -> (Link, UnixStream) {
        let path = socket_path(name);
        let listener = UnixListener::bind(&path).unwrap();
        let mut link = Link::new(Transport::Unix(path.clone()), unused());
        link.until_connected().unwrap();
        fs::remove_file(path).unwrap();
        (link, listener.accept().unwrap().0)
    }

    /// As far as it goes, TLS included.
    fn connect(&mut self) -> nb::Result<(), Error> {
        self.stack.connect(&mut self.socket, self.remote)?;
        self.stack.secure(&mut self.socket)
    }

    /// The address of `localhost`.
    fn look_up(&mut self) -> IpAddr {
        // A finished look-up wakes the poller without an event.
        loop {
            match self.stack.get_host_by_name("localhost", AddrType::IPv4) {
                Err(nb::Error::WouldBlock) => _ = self.wait(LIMIT),
                answer => return answer.unwrap(),
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> nb::Result<usize, Error> {
        self.stack.send(&mut self.socket, bytes)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> nb::Result<usize, Error> {
        self.stack.receive(&mut self.socket, buffer)
    }

    fn close(&mut self) {
        let socket = mem::replace(&mut self.socket, Socket::Idle);
        self.stack.close(socket).unwrap();
    }

    /// Waits for events and hands them to the stack; how many there were.
    fn wait(&mut self, limit: Duration) -> usize {
        self.stack
            .poller
            .wait(&mut self.events, Some(limit))
            .unwrap();
        self.events.iter().for_each(|event| self.stack.ready(event));
        self.events.iter().count()
    }

    /// Does as the event loop does: `operation`, and again after each event while it would block.
    fn until<T>(
        &mut self,
        mut operation: impl FnMut(&mut Link) -> nb::Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            match operation(self) {
                Ok(value) => return Ok(value),
                Err(nb::Error::Other(error)) => return Err(error),
                Err(nb::Error::WouldBlock) => assert!(self.wait(LIMIT) > 0, "an event was lost"),
            }
        }
    }

    /// Receives to the end as a link does that asks no more after a read that left room in its buffer: it waits then, unless there is more.
    fn receive_to_the_end(&mut self, room: usize) -> (Vec<u8>, Error) {
        let (mut buffer, mut received) = (vec![0; room], Vec::new());
        loop {
            match self.receive(&mut buffer) {
                Ok(length) => {
                    received.extend_from_slice(&buffer[..length]);
                    if length == room {
                        continue;
                    }
                }
                Err(nb::Error::WouldBlock) => {}
                Err(nb::Error::Other(error)) => return (received, error),
            }
            if !self.stack.has_more() {
                assert!(self.wait(LIMIT) > 0, "nothing wakes the link");
            }
        }
    }

    fn until_connected(&mut self) -> Result<(), Error> {
        self.until(Link::connect)
    }

    fn descriptor(&self) -> &OwnedFd {
        match &self.socket {
            Socket::Idle => panic!("the socket has no descriptor"),
            Socket::Connecting(stream) | Socket::Connected(stream) => stream.descriptor(),
            #[cfg(feature = "tls")]
            Socket::Secured(session) => session.stream().descriptor(),
        }
    }
}

/// An address that a Unix link must not use.
fn unused() -> SocketAddr {
    ([192, 0, 2, 1], 9).into()
}

fn socket_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("stack-{}-{name}", std::process::id()))
}

/// Waits until the kernel says that `condition` holds of the descriptor.
fn await_condition(descriptor: impl AsFd, condition: PollFlags) {
    let mut descriptors = [PollFd::new(&descriptor, condition)];
    assert_eq!(poll(&mut descriptors, None), Ok(1));
    assert!(
        descriptors[0].revents().contains(condition),
        "{:?}",
        descriptors[0].revents()
    );
}

/// An event that says that everything is possible.
fn every(key: u32) -> Event {
    Event {
        key,
        readable: true,
        writable: true,
        ended: false,
    }
}

fn would_block<T>(result: nb::Result<T, Error>) -> bool {
    matches!(result, Err(nb::Error::WouldBlock))
}

/// Ends a connection by a reset instead of in good order.
fn reset(peer: TcpStream) {
    sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    drop(peer);
}

/// Bytes that differ from their neighbours, so that lost, doubled and swapped pieces show.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

#[test]
fn bytes_go_both_ways_over_tcp_and_unix() {
    fn exchange(mut link: Link, mut peer: impl Read + Write) {
        assert_eq!(link.until(|link| link.send(b"question")).unwrap(), 8);
        let mut buffer = [0; 8];
        peer.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"question");
        peer.write_all(b"answer").unwrap();
        assert_eq!(link.until(|link| link.receive(&mut buffer)).unwrap(), 6);
        assert_eq!(&buffer[..6], b"answer");
    }
    let (link, peer) = Link::tcp();
    exchange(link, peer);
    let (link, peer) = Link::unix("both-ways");
    exchange(link, peer);
}

#[test]
fn the_loopback_of_ipv6_works_too() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        return println!("this machine has no IPv6");
    };
    let mut link = Link::new(Transport::Tcp, listener.local_addr().unwrap());
    link.until_connected().unwrap();
    assert!(sockopt::tcp_nodelay(link.descriptor()).unwrap());
}

#[test]
fn a_refused_connection_says_so_and_the_socket_can_try_again() {
    // Bound and not listening: nothing answers there, and nobody else can take the port.
    let bound = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&bound, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = rustix::net::getsockname(&bound)
        .unwrap()
        .try_into()
        .unwrap();
    let mut link = Link::new(Transport::Tcp, address);
    for _ in 0..2 {
        let error = link.until_connected().unwrap_err();
        assert!(
            error.to_string().starts_with("Connection refused"),
            "{error}"
        );
        assert_eq!(error.kind(), TcpErrorKind::Other);
    }
    rustix::net::listen(&bound, 1).unwrap();
    link.until_connected().unwrap();
}

#[test]
fn a_missing_or_deserted_unix_socket_says_so() {
    let path = socket_path("deserted");
    let mut link = Link::new(Transport::Unix(path.clone()), unused());
    let error = link.until_connected().unwrap_err();
    assert!(error.to_string().starts_with("No such file"), "{error}");
    drop(UnixListener::bind(&path).unwrap());
    let error = link.until_connected().unwrap_err();
    assert!(
        error.to_string().starts_with("Connection refused"),
        "{error}"
    );
    fs::remove_file(path).unwrap();

    let mut link = Link::new(Transport::Unix("x".repeat(200).into()), unused());
    let error = link.until_connected().unwrap_err();
    assert!(
        matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::InvalidFilename),
        "{error}"
    );
}

/// A listener whose queue of connections is full, and what fills it.
fn full_tcp_queue() -> (TcpListener, Vec<Link>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let mut links = Vec::new();
    while links.len() < 16 {
        let mut link = Link::new(Transport::Tcp, listener.local_addr().unwrap());
        let pending = would_block(link.connect());
        link.wait(Duration::from_millis(200));
        let pending = pending && would_block(link.connect());
        links.push(link);
        if pending {
            return (listener, links);
        }
    }
    panic!("the queue never fills");
}

#[test]
fn a_connection_in_progress_stays_so_whatever_events_say_and_completes_later() {
    let (listener, mut links) = full_tcp_queue();
    let mut link = links.pop().unwrap();
    for _ in 0..3 {
        assert!(would_block(link.connect()));
        // As if an earlier socket's event had come late.
        link.stack.ready(every(KEY));
    }
    let error = link.send(b"early").unwrap_err();
    assert!(
        matches!(error, nb::Error::Other(Error::Io(error)) if error.kind() == io::ErrorKind::NotConnected)
    );
    // With room in the queue, the system's next attempt, after a second, succeeds.
    let count = links.len() + 1;
    let accepting = thread::spawn(move || {
        let peers = (0..count).map(|_| listener.accept().unwrap());
        peers.collect::<Vec<_>>()
    });
    link.until_connected().unwrap();
    link.connect().expect("it stays connected");
    accepting.join().unwrap();
}

#[test]
fn a_connection_in_progress_can_be_given_up() {
    let (_listener, mut links) = full_tcp_queue();
    let mut link = links.pop().unwrap();
    link.close();
    assert_eq!(
        link.wait(Duration::ZERO),
        0,
        "a closed socket has no events"
    );
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    link.remote = other.local_addr().unwrap();
    link.until_connected().unwrap();
}

#[test]
fn a_unix_server_that_is_behind_with_accepting_is_an_error_since_no_event_would_follow() {
    let path = socket_path("behind");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let mut links = Vec::new();
    let error = loop {
        let mut link = Link::new(Transport::Unix(path.clone()), unused());
        match link.connect() {
            Ok(()) => links.push(link),
            Err(error) => break error,
        }
        assert!(links.len() < 16, "the queue never fills");
    };
    fs::remove_file(path).unwrap();
    assert!(matches!(error, nb::Error::Other(Error::Io(_))), "{error:?}");
}

#[test]
fn a_full_send_buffer_blocks_until_there_is_room_and_nothing_is_lost() {
    fn fill_and_empty(mut link: Link, mut peer: impl Read + Send + 'static) {
        let bytes = pattern(16 << 20);
        let mut sent = 0;
        loop {
            match link.send(&bytes[sent..]) {
                Ok(length) => sent += length,
                Err(nb::Error::WouldBlock) => break,
                Err(nb::Error::Other(error)) => panic!("{error}"),
            }
            assert!(sent < bytes.len(), "it never fills");
        }
        let expected = bytes.clone();
        let reading = thread::spawn(move || {
            let mut received = Vec::new();
            peer.read_to_end(&mut received).unwrap();
            assert!(
                received == expected,
                "{} of {} bytes",
                received.len(),
                expected.len()
            );
        });
        while sent < bytes.len() {
            sent += link.until(|link| link.send(&bytes[sent..])).unwrap();
        }
        link.close();
        reading.join().unwrap();
    }
    let (link, peer) = Link::tcp();
    fill_and_empty(link, peer);
    let (link, peer) = Link::unix("full");
    fill_and_empty(link, peer);
}

#[test]
fn the_end_is_seen_even_if_it_came_together_with_the_data_before_it() {
    fn end(mut link: Link, mut peer: impl Write + AsFd) {
        peer.write_all(b"last words").unwrap();
        drop(peer);
        // Data and end are both there before the poller is asked, so one event stands for both.
        await_condition(link.descriptor(), PollFlags::RDHUP);
        let mut buffer = [0; 100];
        assert_eq!(link.until(|link| link.receive(&mut buffer)).unwrap(), 10);
        for _ in 0..2 {
            assert_eq!(link.receive(&mut []).unwrap(), 0);
            let error = link.until(|link| link.receive(&mut buffer)).unwrap_err();
            assert_eq!(error.to_string(), "closed by the peer");
            assert_eq!(error.kind(), TcpErrorKind::PipeClosed);
        }
    }
    let (link, peer) = Link::tcp();
    end(link, peer);
    let (link, peer) = Link::unix("end");
    end(link, peer);
}

#[test]
fn whoever_asks_no_more_after_a_short_read_misses_neither_data_nor_the_end() {
    fn end(mut link: Link, mut peer: impl Write + AsFd, room: usize) {
        peer.write_all(b"last words").unwrap();
        drop(peer);
        // One event stands for both.
        await_condition(link.descriptor(), PollFlags::RDHUP);
        let (received, error) = link.receive_to_the_end(room);
        assert_eq!(received, b"last words", "{room}");
        assert!(matches!(error, Error::Closed), "{room}: {error}");
    }
    for room in [1, 4, 10, 100] {
        let (link, peer) = Link::tcp();
        end(link, peer, room);
        let (link, peer) = Link::unix("short");
        end(link, peer, room);
    }
}

#[test]
fn that_there_is_more_is_told_once() {
    let (mut link, mut peer) = Link::tcp();
    peer.write_all(b"bytes").unwrap();
    let mut buffer = [0; 100];
    assert_eq!(link.until(|link| link.receive(&mut buffer)).unwrap(), 5);
    assert!(!link.stack.has_more());
    peer.write_all(b"last words").unwrap();
    drop(peer);
    await_condition(link.descriptor(), PollFlags::RDHUP);
    assert_eq!(link.until(|link| link.receive(&mut buffer)).unwrap(), 10);
    assert!(link.stack.has_more());
    assert!(!link.stack.has_more());
}

#[test]
fn an_idle_link_wakes_for_the_end_alone() {
    let (mut link, peer) = Link::tcp();
    assert!(would_block(link.receive(&mut [0; 10])));
    peer.shutdown(Shutdown::Write).unwrap();
    let error = link.until(|link| link.receive(&mut [0; 10])).unwrap_err();
    assert!(matches!(error, Error::Closed));
    // The other direction still works.
    assert_eq!(link.until(|link| link.send(b"bye")).unwrap(), 3);
}

#[test]
fn a_reset_is_told_to_the_reader_and_to_the_writer() {
    let (mut link, peer) = Link::tcp();
    reset(peer);
    let error = link.until(|link| link.receive(&mut [0; 10])).unwrap_err();
    assert!(
        error.to_string().starts_with("Connection reset by peer"),
        "{error}"
    );
    assert_eq!(error.kind(), TcpErrorKind::PipeClosed);

    let (mut link, peer) = Link::tcp();
    reset(peer);
    await_condition(link.descriptor(), PollFlags::HUP);
    // Neither this error nor the next ends the process by SIGPIPE.
    for _ in 0..2 {
        let error = link.until(|link| link.send(b"bytes")).unwrap_err();
        assert_eq!(error.kind(), TcpErrorKind::PipeClosed, "{error}");
    }
}

#[test]
fn no_event_is_lost_between_many_small_pieces() {
    let mut random = Random::new();
    let (mut link, mut peer) = Link::tcp();
    let bytes = pattern(1 << 20);
    let mut echo_random = Random::seeded(random.up_to(usize::MAX - 1));
    let echo = thread::spawn(move || {
        let mut buffer = vec![0; 8192];
        loop {
            let limit = echo_random.up_to(buffer.len());
            let length = peer.read(&mut buffer[..limit]).unwrap();
            if length == 0 {
                return;
            }
            for piece in buffer[..length].chunks(echo_random.up_to(3000)) {
                peer.write_all(piece).unwrap();
            }
        }
    });
    let (mut sent, mut received) = (0, Vec::new());
    let mut buffer = vec![0; 5000];
    while received.len() < bytes.len() {
        let end = bytes.len().min(sent + random.up_to(3000));
        let limit = random.up_to(buffer.len());
        // To the poller only when neither direction can go on, as the event loop does.
        let (count, is_sent) = link
            .until(
                |link| match (sent < end).then(|| link.send(&bytes[sent..end])) {
                    Some(Ok(length)) => Ok((length, true)),
                    Some(Err(nb::Error::Other(error))) => Err(error.into()),
                    Some(Err(nb::Error::WouldBlock)) | None => link
                        .receive(&mut buffer[..limit])
                        .map(|length| (length, false)),
                },
            )
            .unwrap();
        if is_sent {
            sent += count;
        } else {
            received.extend_from_slice(&buffer[..count]);
        }
    }
    link.close();
    echo.join().unwrap();
    assert!(received == bytes, "the bytes came back changed");
}

#[test]
fn what_is_not_ready_costs_no_event_and_stays_blocked() {
    let (mut link, mut peer) = Link::tcp();
    assert!(would_block(link.receive(&mut [0; 10])));
    while link.wait(Duration::ZERO) > 0 {}
    peer.write_all(b"abc").unwrap();
    await_condition(link.descriptor(), PollFlags::IN);
    assert!(
        would_block(link.receive(&mut [0; 10])),
        "the poller has not been asked"
    );
    assert_eq!(link.wait(LIMIT), 1);
    assert_eq!(link.wait(Duration::ZERO), 0, "an edge is told once");
    assert_eq!(link.receive(&mut [0; 2]).unwrap(), 2);
    assert_eq!(
        link.receive(&mut [0; 2]).unwrap(),
        1,
        "the rest needs no event"
    );
}

#[test]
fn events_of_other_links_pass_by() {
    let (mut link, mut peer) = Link::tcp();
    while link.wait(Duration::ZERO) > 0 {}
    assert!(would_block(link.receive(&mut [0; 10])));
    peer.write_all(b"abc").unwrap();
    await_condition(link.descriptor(), PollFlags::IN);
    link.stack.ready(every(KEY + 1));
    assert!(would_block(link.receive(&mut [0; 10])));
}

#[test]
fn a_closed_socket_has_left_the_poller_even_if_its_descriptor_was_copied() {
    let (mut link, mut peer) = Link::tcp();
    while link.wait(Duration::ZERO) > 0 {}
    let copy = link.descriptor().try_clone().unwrap();
    link.close();
    peer.write_all(b"too late").unwrap();
    await_condition(&copy, PollFlags::IN);
    assert_eq!(link.wait(Duration::ZERO), 0);
}

#[test]
fn what_was_sent_arrives_though_an_answer_is_unread_when_the_link_closes() {
    fn leave(mut link: Link, mut peer: impl Read + Write) {
        // More than the peer's side holds, so that the rest waits on this side.
        let mut sent = 0;
        while let Ok(length) = link.send(&[0; 8192]) {
            sent += length;
        }
        peer.write_all(b"ack").unwrap();
        await_condition(link.descriptor(), PollFlags::IN);
        link.close();
        let mut received = Vec::new();
        peer.read_to_end(&mut received).expect("no reset");
        assert_eq!(received.len(), sent);
    }
    let (link, peer) = Link::tcp();
    leave(link, peer);
    let (link, peer) = Link::unix("unread");
    leave(link, peer);
}

#[test]
fn a_link_has_one_connection_at_a_time() {
    let (mut link, _peer) = Link::tcp();
    let mut second = link.stack.socket().unwrap();
    let error = link.stack.connect(&mut second, link.remote).unwrap_err();
    assert!(matches!(error, nb::Error::Other(Error::Io(_))), "{error:?}");
    assert_eq!(link.send(b"the first still works").unwrap(), 21);
}

#[test]
fn a_socket_is_not_inherited_by_programs_that_are_started() {
    let (link, _peer) = Link::tcp();
    let flags = rustix::io::fcntl_getfd(link.descriptor()).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}

#[test]
fn a_name_leads_to_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut link = Link::new(Transport::Tcp, listener.local_addr().unwrap());
    let address = link.look_up();
    link.remote.set_ip(address);
    link.until_connected().unwrap();
}

#[test]
fn an_address_whose_connection_has_held_is_tried_first_next_time() {
    let addresses = [[127, 0, 0, 2], [127, 0, 0, 1]].map(IpAddr::from);
    let [other, loopback] = addresses;
    for (seconds, next) in [(10, [loopback, other]), (1, [other, loopback])] {
        let (mut link, _peer) = Link::tcp();
        let poller = link.stack.poller.clone();
        link.stack.resolver = Resolver::with_lookup(poller, |_| {
            Ok(vec![[127, 0, 0, 2].into(), [127, 0, 0, 1].into()])
        });
        assert_eq!([link.look_up(), link.look_up()], addresses);
        let held = link.stack.established_at.as_mut().unwrap();
        *held = held.checked_sub(Duration::from_secs(seconds)).unwrap();
        link.close();
        assert_eq!([link.look_up(), link.look_up()], next, "{seconds} s");
    }
}

#[test]
fn every_name_of_a_unix_link_is_the_loopback() {
    let mut link = Link::new(Transport::Unix("/nowhere".into()), unused());
    let address = link
        .stack
        .get_host_by_name("no such name", AddrType::Either);
    assert_eq!(address.unwrap(), Ipv4Addr::LOCALHOST);
}

#[test]
fn reconnecting_a_hundred_times_reuses_descriptors_and_leaks_none() {
    fn count() -> usize {
        fs::read_dir("/proc/self/fd").unwrap().count()
    }
    let test = "net::stack::tests::reconnecting_a_hundred_times_reuses_descriptors_and_leaks_none";
    let status = alone(test, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut link = Link::new(Transport::Tcp, listener.local_addr().unwrap());
        let before = count();
        for round in 0..100_u8 {
            link.until_connected().unwrap();
            let mut peer = listener.accept().unwrap().0;
            peer.write_all(&[round]).unwrap();
            let mut buffer = [0; 10];
            assert_eq!(link.until(|link| link.receive(&mut buffer)).unwrap(), 1);
            assert_eq!(buffer[0], round);
            match round % 3 {
                0 => reset(peer),
                1 => link.close(),
                // To drop it is to close it.
                _ => link.socket = Socket::Idle,
            }
            if round % 3 == 0 {
                link.until(|link| link.receive(&mut buffer)).unwrap_err();
                link.close();
            }
        }
        assert_eq!(count(), before);
    });
    assert!(status.success(), "{status}");
}

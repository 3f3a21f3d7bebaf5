//! A link with faults: a TCP proxy that cuts, resets, swallows, stalls, delays, splits, damages or refuses.

mod link;

pub use link::{BOTH, Fault, Treatment, Way};

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use link::{Link, reset_when_closed};

use crate::port::Reserved;
use crate::wait;

/// A proxy on a loopback port of its own.
pub struct Proxy {
    port: Reserved,
    shared: Arc<Shared>,
}

struct Shared {
    target: u16,
    /// Its threads own a link: it ends with them.
    links: Mutex<Vec<Weak<Link>>>,
    listening: AtomicBool,
    accepted: AtomicUsize,
}

impl Proxy {
    /// A proxy to a server on the loopback interface.
    #[must_use]
    pub fn to(target: u16) -> Self {
        let proxy = Self {
            port: Reserved::new(),
            shared: Arc::new(Shared {
                target,
                links: Mutex::default(),
                listening: AtomicBool::new(false),
                accepted: AtomicUsize::new(0),
            }),
        };
        proxy.accept();
        proxy
    }

    /// Its TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// How many connections it has taken so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Waits until it has taken `count` connections since it was made.
    ///
    /// # Panics
    ///
    /// If that takes longer than [`wait::LIMIT`].
    #[track_caller]
    pub fn wait_for_connections(&self, count: usize) {
        wait::until(format_args!("connection {count} at the proxy"), || {
            wait::holds(self.accepted() >= count)
        });
    }

    /// A fault happens to the present connections, at once. New ones are sound.
    pub fn strike(&self, fault: Fault) {
        self.links().iter().for_each(|link| link.strike(fault));
    }

    /// A fault happens to the latest connection when so many bytes more have passed in that direction, in the middle of a packet if
    /// that is where they end.
    pub fn arm(&self, way: Way, after: usize, fault: Fault) {
        if let Some(latest) = self.links().last() {
            latest.arm(way, after, fault);
        }
    }

    /// Whether a fault is still to come.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.links().iter().any(|link| link.is_armed())
    }

    /// From now on all bytes pass as they come; what was lost is lost.
    pub fn heal(&self) {
        self.links().iter().for_each(|link| link.heal());
    }

    /// Closes every connection; what is on its way is lost.
    pub fn cut(&self) {
        self.strike(Fault::Cut);
    }

    /// Resets every connection (RST).
    pub fn reset(&self) {
        self.strike(Fault::Reset);
    }

    /// From now on nothing passes on the present connections, and nobody is told. New connections work.
    pub fn stall(&self) {
        self.strike(Fault::Treat(BOTH, Treatment::Stall));
    }

    /// Closes every connection and refuses new ones.
    pub fn refuse(&self) {
        self.shared.listening.store(false, Ordering::SeqCst);
        // Wakes the thread that accepts. It may have ended before.
        let _ = TcpStream::connect(("127.0.0.1", self.port()));
        wait::until("the proxy to refuse connections", || {
            TcpStream::connect(("127.0.0.1", self.port())).err()
        });
        self.cut();
    }

    /// Takes connections again after [`refuse`](Self::refuse).
    pub fn accept(&self) {
        let listener = self.port.listen();
        let shared = Arc::clone(&self.shared);
        shared.listening.store(true, Ordering::SeqCst);
        thread::spawn(move || shared.serve(&listener));
    }

    fn links(&self) -> Vec<Arc<Link>> {
        let links = self.shared.links.lock().expect("no proxy thread panics");
        links.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if self.shared.listening.load(Ordering::SeqCst) {
            self.refuse();
        }
    }
}

impl Shared {
    fn serve(&self, listener: &TcpListener) {
        while let Ok((client, _)) = listener.accept() {
            if !self.listening.load(Ordering::SeqCst) {
                return;
            }
            match TcpStream::connect(("127.0.0.1", self.target)) {
                Ok(server) => self.begin(Link::new(client, server)),
                // The server is away. To refuse is too late; this is the next best.
                Err(_) => reset_when_closed(&client),
            }
            // Last, so that a connection that was counted can be cut.
            self.accepted.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn begin(&self, link: Link) {
        let link = Arc::new(link);
        let mut links = self.links.lock().expect("no proxy thread panics");
        links.retain(|link| link.strong_count() > 0);
        links.push(Arc::downgrade(&link));
        for &way in BOTH {
            let link = Arc::clone(&link);
            thread::spawn(move || link.copy(way));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::time::Duration;

    use super::*;

    /// A client and a server that are connected through a proxy.
    fn connected() -> (Proxy, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::to(listener.local_addr().unwrap().port());
        let client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        let (server, _) = listener.accept().unwrap();
        proxy.wait_for_connections(1);
        (proxy, client, server)
    }

    #[test]
    fn bytes_pass_in_both_directions() {
        let (_proxy, mut client, mut server) = connected();
        let mut bytes = [0; 4];
        client.write_all(b"ping").unwrap();
        server.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"ping");
        server.write_all(b"pong").unwrap();
        client.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"pong");
    }

    #[test]
    fn a_cut_is_an_end_for_both_sides() {
        let (proxy, mut client, mut server) = connected();
        proxy.cut();
        assert_eq!(client.read(&mut [0; 4]).unwrap(), 0);
        assert_eq!(server.read(&mut [0; 4]).unwrap(), 0);
    }

    #[test]
    fn a_reset_is_an_error_for_both_sides() {
        let (proxy, mut client, mut server) = connected();
        proxy.reset();
        for side in [&mut client, &mut server] {
            let error = side.read(&mut [0; 4]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }

    #[test]
    fn a_stalled_link_stays_open_and_silent_while_a_new_one_works() {
        let (proxy, mut client, mut server) = connected();
        proxy.stall();
        client.write_all(b"lost").unwrap();
        server
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let error = server.read(&mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        drop(TcpStream::connect(("127.0.0.1", proxy.port())).unwrap());
        proxy.wait_for_connections(2);
    }

    #[test]
    fn a_proxy_that_refuses_can_accept_again() {
        let (proxy, _client, _server) = connected();
        proxy.refuse();
        let refused = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        proxy.accept();
        drop(TcpStream::connect(("127.0.0.1", proxy.port())).unwrap());
        proxy.wait_for_connections(2);
    }

    #[test]
    fn a_fault_sets_in_after_exactly_so_many_bytes() {
        let (proxy, mut client, mut server) = connected();
        proxy.arm(Way::ToServer, 6, Fault::Cut);
        client.write_all(b"abcd").unwrap();
        let mut bytes = [0; 4];
        server.read_exact(&mut bytes).unwrap();
        assert!(proxy.is_armed());
        client.write_all(b"efgh").unwrap();
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"ef");
        assert!(!proxy.is_armed());
    }

    #[test]
    fn bytes_that_stall_or_come_late_or_in_pieces_all_arrive_and_swallowed_ones_never() {
        let (proxy, mut client, mut server) = connected();
        let one = &[Way::ToServer];
        let mut bytes = [0; 3];
        for treatment in [
            Treatment::Stall,
            Treatment::Split(1),
            Treatment::Delay(Duration::from_millis(5)),
        ] {
            proxy.strike(Fault::Treat(one, treatment));
            client.write_all(b"abc").unwrap();
            if treatment == Treatment::Stall {
                server.set_nonblocking(true).unwrap();
                let error = server.peek(&mut bytes).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                server.set_nonblocking(false).unwrap();
                proxy.heal();
            }
            server.read_exact(&mut bytes).unwrap();
            assert_eq!(&bytes, b"abc", "{treatment:?}");
        }
        // The other direction tells that the lost bytes were read.
        proxy.arm(Way::ToServer, 3, Fault::Treat(one, Treatment::Pass));
        proxy.strike(Fault::Treat(one, Treatment::Swallow));
        client.write_all(b"lost").unwrap();
        server.read_exact(&mut bytes[..1]).unwrap();
        assert_eq!(bytes[0], b't');
    }

    #[test]
    fn one_bit_is_flipped_in_the_direction_that_was_named() {
        let (proxy, mut client, mut server) = connected();
        proxy.strike(Fault::Flip {
            way: Way::ToClient,
            skip: 1,
            bit: 0,
        });
        let mut bytes = [0; 3];
        client.write_all(b"abc").unwrap();
        server.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"abc");
        server.write_all(&bytes).unwrap();
        client.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"acc");
    }

    #[test]
    fn a_connection_is_reset_while_the_server_is_away() {
        let away = Reserved::new();
        let proxy = Proxy::to(away.number());
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        let error = client.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

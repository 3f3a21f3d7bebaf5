//! A link with faults: a TCP proxy that cuts, resets, stalls or refuses.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use crate::port::Reserved;
use crate::wait;

/// A proxy on a loopback port of its own.
pub struct Proxy {
    port: Reserved,
    shared: Arc<Shared>,
}

struct Shared {
    target: u16,
    links: Mutex<Vec<Arc<Link>>>,
    listening: AtomicBool,
    accepted: AtomicUsize,
}

/// One connection through the proxy: the client's half and the server's.
struct Link {
    client: TcpStream,
    server: TcpStream,
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Passing,
    Stalled,
    Resetting,
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

    /// Closes every connection; what is on its way is lost.
    pub fn cut(&self) {
        for link in self.shared.links().drain(..) {
            link.close();
        }
    }

    /// Resets every connection (RST).
    pub fn reset(&self) {
        for link in self.shared.links().drain(..) {
            link.reset();
        }
    }

    /// From now on nothing passes on the present connections, and nobody is told: a half-open link. New connections work.
    pub fn stall(&self) {
        for link in self.shared.links().iter() {
            link.enter(State::Stalled);
        }
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
            // With the server away, the client finds its connection closed.
            if let Ok(server) = TcpStream::connect(("127.0.0.1", self.target)) {
                let link = Arc::new(Link {
                    client,
                    server,
                    state: Mutex::new(State::Passing),
                });
                self.links().push(Arc::clone(&link));
                let other = Arc::clone(&link);
                thread::spawn(move || link.copy(&link.client, &link.server));
                thread::spawn(move || other.copy(&other.server, &other.client));
            }
            // Last, so that a connection that was counted can be cut.
            self.accepted.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn links(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().expect("no proxy thread panics")
    }
}

impl Link {
    /// Copies one direction. Where the link does not pass any more, both sockets stay as they are.
    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if self.state() != State::Passing {
                return;
            }
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        if self.state() == State::Passing {
            self.close();
        }
    }

    fn close(&self) {
        for side in [&self.client, &self.server] {
            // It may be closed already.
            let _ = side.shutdown(Shutdown::Both);
        }
    }

    /// Closing a socket that lingers for no time at all sends RST. The last owner closes it: the copying threads, which a
    /// shutdown for reading only ends without sending FIN.
    fn reset(&self) {
        self.enter(State::Resetting);
        for side in [&self.client, &self.server] {
            set_socket_linger(side, Some(Duration::ZERO)).expect("SO_LINGER");
            let _ = side.shutdown(Shutdown::Read);
        }
    }

    fn state(&self) -> State {
        *self.state.lock().expect("no proxy thread panics")
    }

    fn enter(&self, state: State) {
        *self.state.lock().expect("no proxy thread panics") = state;
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

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
}

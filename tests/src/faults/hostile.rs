//! Brokers that nobody should have: what can the other end of a connection do to a bridge?

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;

/// A kind of broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Closes at once.
    Closes,
    /// Answers with nonsense.
    Garbage,
    /// Takes everything and says nothing.
    Silent,
    /// Lets everybody in and throws them out.
    ThrowsOut,
    /// Acknowledges without end what was never sent.
    Acknowledges,
    /// Lets everybody in and reads nothing more.
    Deaf,
}

/// All of them, by the name that a device can have.
pub const MISBEHAVIOURS: [(&str, Misbehaviour); 6] = [
    ("closes", Misbehaviour::Closes),
    ("garbage", Misbehaviour::Garbage),
    ("silent", Misbehaviour::Silent),
    ("throws", Misbehaviour::ThrowsOut),
    ("acks", Misbehaviour::Acknowledges),
    ("deaf", Misbehaviour::Deaf),
];

/// A broker that misbehaves, until it is dropped.
pub struct Hostile {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hostile {
    /// Listens on a loopback port of its own.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn start(kind: Misbehaviour, rng: Rng) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener
            .set_nonblocking(true)
            .expect("a non-blocking listener");
        let port = listener.local_addr().expect("an address").port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || serve(kind, rng, &listener, &stopped));
        Self {
            port,
            stop,
            thread: Some(thread),
        }
    }

    /// Its TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // It has no reason to panic, and a test that fails has one of its own.
            let _ = thread.join();
        }
    }
}

/// How often a misbehaving broker does something.
const PACE: Duration = Duration::from_millis(20);

fn serve(kind: Misbehaviour, mut rng: Rng, listener: &TcpListener, stop: &AtomicBool) {
    let mut links: Vec<TcpStream> = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        if let Ok((link, _)) = listener.accept() {
            link.set_nonblocking(true).expect("a non-blocking socket");
            links.push(link);
        }
        links.retain_mut(|link| misbehave(kind, link, &mut rng).is_ok());
        thread::sleep(PACE);
    }
}

/// What it does at each turn; an error ends the connection.
fn misbehave(kind: Misbehaviour, link: &mut TcpStream, rng: &mut Rng) -> std::io::Result<()> {
    let mut bytes = [0; 4096];
    match kind {
        Misbehaviour::Closes => Err(ErrorKind::Other.into()),
        Misbehaviour::Garbage => {
            let count = rng.usize(1..64);
            rng.fill(&mut bytes[..count]);
            write(link, &bytes[..count])
        }
        Misbehaviour::Silent => read(link, &mut bytes).map(|_| ()),
        Misbehaviour::ThrowsOut => {
            if read(link, &mut bytes)? {
                write(link, CONNACK)?;
                return Err(ErrorKind::Other.into());
            }
            Ok(())
        }
        Misbehaviour::Acknowledges => {
            if read(link, &mut bytes)? {
                return write(link, CONNACK);
            }
            // PUBREC, whose PUBREL is due even for a message that nobody knows.
            for packet in bytes.as_chunks_mut::<4>().0 {
                *packet = [0x50, 2, 0xff, rng.u8(..)];
            }
            write(link, &bytes)
        }
        Misbehaviour::Deaf => {
            if link.peek(&mut bytes[..1]).is_ok_and(|count| count == 1) && bytes[0] == 0x10 {
                // CONNECT is all that it takes.
                let connect = link.peek(&mut bytes)?;
                let length = 2 + usize::from(bytes[1]);
                if connect >= length {
                    link.read_exact(&mut bytes[..length])?;
                    return write(link, CONNACK);
                }
            }
            Ok(())
        }
    }
}

const CONNACK: &[u8] = b"\x20\x02\x00\x00";

/// Reads what there is; whether it begins as CONNECT does.
fn read(link: &mut TcpStream, bytes: &mut [u8]) -> std::io::Result<bool> {
    match link.read(bytes) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(count) => Ok(bytes[..count].starts_with(b"\x10")),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes what the client takes.
fn write(link: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    match link.write(bytes) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

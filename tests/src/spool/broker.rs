//! A broker that notes what it acknowledges, before it does, and goes away or falls silent when it is told to. MQTT 3.1.1.
//!
//! A subscriber of a real broker sees less than that: what was acknowledged while no subscriber was there, or had no room, never arrives there.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use crate::wait;

/// How the broker is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Takes and acknowledges.
    There,
    /// Lets clients in, and answers nothing else.
    Silent,
    /// Closes each connection.
    Away,
}

/// A message, when it was acknowledged: at QoS 2 with PUBCOMP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub at: Instant,
    pub topic: String,
    pub payload: String,
    /// The client says that it may have sent it before, on an earlier connection (DUP).
    pub again: bool,
    pub retained: bool,
}

/// A running broker on a free loopback port. It ends when this is dropped.
pub struct Broker {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    /// With the number of changes so far: a connection from before the last one is over, even if its thread has not seen that yet.
    mood: Mutex<(Mood, u64)>,
    connections: AtomicUsize,
    arrivals: Mutex<Vec<Arrival>>,
    streams: Mutex<Vec<TcpStream>>,
    is_over: AtomicBool,
}

impl Broker {
    /// Starts one that takes and acknowledges.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a listener's address").port();
        let shared = Arc::new(Shared {
            mood: Mutex::new((Mood::There, 0)),
            connections: AtomicUsize::new(0),
            arrivals: Mutex::default(),
            streams: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let broker = Self {
            port,
            shared: Arc::clone(&shared),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&shared);
                let mut streams = lock(&shared.streams);
                let (mood, change) = *lock(&shared.mood);
                if mood == Mood::Away {
                    continue;
                }
                streams.extend(stream.try_clone());
                drop(streams);
                shared.connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    // A client that is gone, or killed in the middle of a packet, is no error.
                    let _ = serve(&stream, &shared, change);
                    shared.connections.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        broker
    }

    /// Its TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes how it is; all connections go with that.
    pub fn be(&self, mood: Mood) {
        let mut streams = lock(&self.shared.streams);
        let mut now = lock(&self.shared.mood);
        *now = (mood, now.1 + 1);
        for stream in streams.drain(..) {
            // One that has ended already is as good.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Waits until all that a client has sent that is dead is read.
    ///
    /// # Panics
    ///
    /// If there is one that lives.
    pub fn settle(&self) {
        wait::until("the ends of all connections", || {
            wait::holds(self.shared.connections.load(Ordering::SeqCst) == 0)
        });
    }

    /// The messages that it has acknowledged after the first `count`, in order.
    #[must_use]
    pub fn arrivals_after(&self, count: usize) -> Vec<Arrival> {
        lock(&self.shared.arrivals)[count..].to_vec()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.be(Mood::Away);
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Serves one client until its connection ends.
fn serve(mut stream: &TcpStream, shared: &Shared, change: u64) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    // QoS 2 messages that were read and not released, by identifier.
    let mut unreleased = HashMap::new();
    let mut body = Vec::new();
    let is_there = || *lock(&shared.mood) == (Mood::There, change);
    loop {
        let first = read_packet(&mut reader, &mut body)?;
        let answer = match first >> 4 {
            1 => vec![0x20, 2, 0, 0],
            3 => {
                let mut arrivals = lock(&shared.arrivals);
                // Decided and noted in one step, so that nothing is noted after the harness has sent the broker away.
                if !is_there() {
                    continue;
                }
                let publish = Publish::read(first, &body).ok_or(io::ErrorKind::InvalidData)?;
                let id = publish.id.to_be_bytes();
                if publish.qos < 2 {
                    arrivals.push(publish.arrival);
                } else {
                    unreleased.entry(id).or_insert(publish.arrival);
                }
                match publish.qos {
                    0 => continue,
                    1 => vec![0x40, 2, id[0], id[1]],
                    _ => vec![0x50, 2, id[0], id[1]],
                }
            }
            6 => {
                let mut arrivals = lock(&shared.arrivals);
                if !is_there() {
                    continue;
                }
                let id = [body[0], body[1]];
                if let Some(arrival) = unreleased.remove(&id) {
                    let at = Instant::now();
                    arrivals.push(Arrival { at, ..arrival });
                }
                vec![0x70, 2, id[0], id[1]]
            }
            12 => vec![0xd0, 0],
            _ => return Ok(()),
        };
        if first >> 4 == 1 || is_there() {
            stream.write_all(&answer)?;
        }
    }
}

fn read_packet(reader: &mut impl Read, body: &mut Vec<u8>) -> io::Result<u8> {
    let mut byte = || -> io::Result<u8> {
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        Ok(byte[0])
    };
    let first = byte()?;
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let part = byte()?;
        length |= usize::from(part & 0x7f) << shift;
        if part & 0x80 == 0 {
            break;
        }
    }
    body.resize(length, 0);
    reader.read_exact(body)?;
    Ok(first)
}

struct Publish {
    qos: u8,
    /// 0 at QoS 0.
    id: u16,
    arrival: Arrival,
}

impl Publish {
    fn read(first: u8, body: &[u8]) -> Option<Self> {
        let (length, rest) = body.split_first_chunk()?;
        let (topic, mut rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let qos = first >> 1 & 3;
        let mut id = 0;
        if qos > 0 {
            let (bytes, payload) = rest.split_first_chunk()?;
            id = u16::from_be_bytes(*bytes);
            rest = payload;
        }
        Some(Self {
            qos,
            id,
            arrival: Arrival {
                at: Instant::now(),
                topic: String::from_utf8_lossy(topic).into_owned(),
                payload: String::from_utf8_lossy(rest).into_owned(),
                again: first & 8 != 0,
                retained: first & 1 != 0,
            },
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread of the broker panics")
}

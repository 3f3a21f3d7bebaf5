//! One connection through a proxy: what becomes of its bytes, and when that changes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

/// A direction. The client is the one that has connected: the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// Both of them.
pub const BOTH: &[Way] = &[Way::ToServer, Way::ToClient];

/// How the bytes of a direction are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// As they come.
    Pass,
    /// They are lost, and nobody is told, not even of the end of the connection: a half-open link.
    Swallow,
    /// They are not taken: the sender's window closes.
    Stall,
    /// In segments of at most so many bytes.
    Split(usize),
    /// What comes at a time arrives so much later.
    Delay(Duration),
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends for both sides (FIN).
    Cut,
    /// It is reset for both sides (RST).
    Reset,
    /// These directions' bytes are treated differently from now on.
    Treat(&'static [Way], Treatment),
    /// One bit of what arrives next in this direction is wrong: in the byte after `skip` others, or in the last one.
    Flip { way: Way, skip: usize, bit: u8 },
}

/// A connection: the client's half and the server's.
pub(super) struct Link {
    client: TcpStream,
    server: TcpStream,
    control: Mutex<Control>,
    changed: Condvar,
}

struct Control {
    treatments: [Treatment; 2],
    armed: Option<Armed>,
    /// How often a fault was armed.
    armings: usize,
    flip: Option<Fault>,
    has_ended: bool,
}

/// A fault that waits until so many bytes more have passed.
struct Armed {
    way: Way,
    after: usize,
    fault: Fault,
}

/// What to do with the first bytes of those that were read.
enum Portion {
    Write { count: usize, later: Duration },
    Lose(usize),
    End,
}

impl Link {
    pub(super) fn new(client: TcpStream, server: TcpStream) -> Self {
        for side in [&client, &server] {
            // Bytes that are to arrive one by one must not be collected.
            side.set_nodelay(true).expect("TCP_NODELAY");
        }
        Self {
            client,
            server,
            control: Mutex::new(Control {
                treatments: [Treatment::Pass; 2],
                armed: None,
                armings: 0,
                flip: None,
                has_ended: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Copies one direction until the connection ends.
    pub(super) fn copy(&self, way: Way) {
        let (mut from, to) = match way {
            Way::ToServer => (&self.client, &self.server),
            Way::ToClient => (&self.server, &self.client),
        };
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            self.damage(way, &mut buffer[..count]);
            if self.forward(way, &buffer[..count], to).is_none() {
                break;
            }
        }
        self.pass_on_the_end(way);
    }

    /// The fault happens at once.
    pub(super) fn strike(&self, fault: Fault) {
        self.strike_locked(&mut self.locked(), fault);
    }

    /// The fault happens when so many bytes more have passed in that direction.
    pub(super) fn arm(&self, way: Way, after: usize, fault: Fault) {
        let mut control = self.locked();
        if after == 0 {
            self.strike_locked(&mut control, fault);
        } else {
            control.armed = Some(Armed { way, after, fault });
            control.armings += 1;
        }
    }

    /// Whether the fault that was armed is still to come.
    pub(super) fn is_armed(&self) -> bool {
        let control = self.locked();
        !control.has_ended && (control.armed.is_some() || control.flip.is_some())
    }

    /// Bytes pass again as they come.
    pub(super) fn heal(&self) {
        let mut control = self.locked();
        control.treatments = [Treatment::Pass; 2];
        control.armed = None;
        control.flip = None;
        self.changed.notify_all();
    }

    fn strike_locked(&self, control: &mut Control, fault: Fault) {
        match fault {
            Fault::Cut => self.close(control),
            Fault::Reset => self.reset(control),
            Fault::Treat(ways, treatment) => {
                ways.iter()
                    .for_each(|&way| control.treatments[way as usize] = treatment);
            }
            Fault::Flip { .. } => control.flip = Some(fault),
        }
        self.changed.notify_all();
    }

    fn damage(&self, came: Way, bytes: &mut [u8]) {
        let mut control = self.locked();
        if let Some(Fault::Flip { way, skip, bit }) = control.flip
            && way == came
        {
            bytes[skip.min(bytes.len() - 1)] ^= 1 << bit;
            control.flip = None;
        }
    }

    /// Treats all of `bytes`; `None` if the connection has ended.
    fn forward(&self, way: Way, mut bytes: &[u8], mut to: &TcpStream) -> Option<()> {
        while !bytes.is_empty() {
            let (portion, armings) = self.portion(way, bytes.len());
            let count = match portion {
                Portion::End => return None,
                Portion::Lose(count) => count,
                Portion::Write { count, later } => {
                    thread::sleep(later);
                    to.write_all(&bytes[..count]).ok()?;
                    count
                }
            };
            bytes = &bytes[count..];
            self.count(way, count, armings);
        }
        Some(())
    }

    /// What is to be done next, and how often a fault had been armed then.
    fn portion(&self, way: Way, available: usize) -> (Portion, usize) {
        let mut control = self.locked();
        loop {
            if control.has_ended {
                return (Portion::End, control.armings);
            }
            // A fault sets in exactly where it was planned.
            let count = match &control.armed {
                Some(armed) if armed.way == way => available.min(armed.after),
                _ => available,
            };
            let write = |count, later| Portion::Write { count, later };
            let portion = match control.treatments[way as usize] {
                Treatment::Pass => write(count, Duration::ZERO),
                Treatment::Swallow => Portion::Lose(count),
                Treatment::Split(most) => write(count.min(most), Duration::ZERO),
                Treatment::Delay(time) => write(count, time),
                Treatment::Stall => {
                    control = self.wait(control);
                    continue;
                }
            };
            return (portion, control.armings);
        }
    }

    /// Counts bytes that have passed, for a fault that was armed before they began to: the receiver may have read them, and armed another, by now.
    fn count(&self, passed: Way, count: usize, armings: usize) {
        let mut control = self.locked();
        if armings != control.armings {
            return;
        }
        let Some(armed) = control.armed.as_mut().filter(|armed| armed.way == passed) else {
            return;
        };
        armed.after -= count.min(armed.after);
        if let Some(armed) = control.armed.take_if(|armed| armed.after == 0) {
            self.strike_locked(&mut control, armed.fault);
        }
    }

    /// A side has closed. The other learns it, unless nothing passes.
    fn pass_on_the_end(&self, way: Way) {
        let mut control = self.locked();
        while !control.has_ended
            && matches!(
                control.treatments[way as usize],
                Treatment::Swallow | Treatment::Stall
            )
        {
            control = self.wait(control);
        }
        if !control.has_ended {
            self.close(&mut control);
        }
    }

    fn close(&self, control: &mut Control) {
        control.has_ended = true;
        for side in [&self.client, &self.server] {
            // It may be closed already.
            let _ = side.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
    }

    /// Closing a socket that lingers for no time at all sends RST. The last owner closes it: the copying threads, which a
    /// shutdown for reading only ends without sending FIN.
    fn reset(&self, control: &mut Control) {
        control.has_ended = true;
        for side in [&self.client, &self.server] {
            reset_when_closed(side);
            let _ = side.shutdown(Shutdown::Read);
        }
    }

    fn locked(&self) -> MutexGuard<'_, Control> {
        self.control.lock().expect("no proxy thread panics")
    }

    fn wait<'g>(&self, control: MutexGuard<'g, Control>) -> MutexGuard<'g, Control> {
        self.changed.wait(control).expect("no proxy thread panics")
    }
}

pub(super) fn reset_when_closed(side: &TcpStream) {
    set_socket_linger(side, Some(Duration::ZERO)).expect("SO_LINGER");
}

//! A broker with teeth: it refuses what its [`Profile`] says, the way a cloud provider's broker does, over real TCP and TLS. MQTT 3.1.1.
//!
//! What a publisher sends is all it knows: nobody can subscribe. What it took, and what it refused and why, is told by [`ModelBroker::events`].
//!
//! | module | question |
//! |---|---|
//! | [`profile`] | what does a broker refuse, and how? |
//! | [`providers`] | which profile has each provider, from its documentation? |
//! | `link` | how does a client reach it: TCP or TLS? |
//! | `session` | what is answered to a client's packets? |

mod link;
pub mod profile;
pub mod providers;
mod session;

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

pub use link::{Files, Greeting};
pub use profile::Profile;
pub use session::{Event, Message, Refusal};

/// A running broker, on a free loopback port. It ends when this is dropped.
pub struct ModelBroker {
    port: u16,
    shared: Arc<Shared>,
}

/// What the broker's threads know together.
#[derive(Default)]
struct Shared {
    events: Mutex<Vec<Event>>,
    /// The connections so far, to be closed in the end.
    streams: Mutex<Vec<TcpStream>>,
    is_over: AtomicBool,
}

impl ModelBroker {
    /// Starts a broker. With a profile that has TLS, `files` are what it shows and whom it trusts.
    ///
    /// # Errors
    ///
    /// There is no free port, or the files are not what TLS needs.
    pub fn start(profile: Profile, files: Option<&Files>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let door = link::Door::new(profile.tls.as_ref(), files)?;
        let shared = Arc::new(Shared::default());
        let broker = Self {
            port,
            shared: Arc::clone(&shared),
        };
        thread::spawn(move || {
            let profile = Arc::new(profile);
            for stream in listener.incoming().flatten() {
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let (profile, door) = (Arc::clone(&profile), door.clone());
                let shared = Arc::clone(&shared);
                shared.remember(&stream);
                thread::spawn(move || session::serve(stream, &door, &profile, &shared));
            }
        });
        Ok(broker)
    }

    /// Its TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What has happened so far, of all connections, in order.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.shared.events().clone()
    }

    /// The messages that were taken so far, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        let events = self.events();
        let messages = events.into_iter().filter_map(|event| match event {
            Event::Taken(message) => Some(message),
            _ => None,
        });
        messages.collect()
    }

    /// Whether something was refused for this reason.
    #[must_use]
    pub fn has_refused(&self, refusal: Refusal) -> bool {
        self.shared.events().contains(&Event::Refused(refusal))
    }
}

impl Drop for ModelBroker {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for stream in lock(&self.shared.streams).drain(..) {
            // One that has ended already is as good.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        lock(&self.events)
    }

    fn tell(&self, event: Event) {
        self.events().push(event);
    }

    fn remember(&self, stream: &TcpStream) {
        if let Ok(stream) = stream.try_clone() {
            lock(&self.streams).push(stream);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Real brokers other than Mosquitto, which do many things their own way: `docs/brokers.md` says which.

mod kinds;
mod version5;

pub use version5::{KINDS_5, Kind5, Rules, tight};

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::wait_for_an_answer;
use crate::port::Reserved;
use crate::process::Process;
use crate::subscriber::{self, Subscriber};

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ActiveMQ Classic, of Debian.
    ActiveMq,
    /// aedes, of npm.
    Aedes,
    /// amqtt, of PyPI.
    Amqtt,
    /// RabbitMQ with its MQTT plugin, of Debian.
    RabbitMq,
    /// rumqttd, of crates.io.
    Rumqttd,
}

/// All kinds that are tried with 3.1.1.
pub const KINDS: [Kind; 5] = [
    Kind::ActiveMq,
    Kind::Aedes,
    Kind::Amqtt,
    Kind::RabbitMq,
    Kind::Rumqttd,
];

/// Who may do what.
#[derive(Clone, Copy)]
enum Access<'a> {
    Everything,
    /// Only this user with this password is let in.
    User(&'a str, &'a str),
    /// Who publishes to this topic loses the connection.
    NotTo(&'a str),
}

/// A broker on a loopback port, with its files in a temporary folder. What it keeps on storage outlives a restart; which kinds keep
/// anything is their own decision, since nothing of that is configured.
pub struct Broker {
    process: Process,
    command: Command,
    port: Reserved,
    /// Where a subscriber connects, if that is another port.
    subscribers: Option<Reserved>,
    _folder: TempDir,
}

/// How a broker is started.
struct Command {
    /// In front of the program: `env` and so on.
    words: Vec<String>,
    program: PathBuf,
    arguments: Vec<String>,
    /// What it needs while it runs: a process, and ports that are held for both.
    _helper: Option<(Process, [Reserved; 2])>,
}

impl Broker {
    /// Starts a broker that lets everybody in.
    #[must_use]
    pub fn start(kind: Kind) -> Self {
        Self::start_with(kind, Access::Everything)
    }

    /// Starts a broker that lets in only `user` with `password`.
    #[must_use]
    pub fn with_user(kind: Kind, user: &str, password: &str) -> Self {
        Self::start_with(kind, Access::User(user, password))
    }

    /// Starts an aedes that closes the connection on which somebody publishes to `topic`.
    #[must_use]
    pub fn that_forbids(topic: &str) -> Self {
        Self::start_with(Kind::Aedes, Access::NotTo(topic))
    }

    fn start_with(kind: Kind, access: Access<'_>) -> Self {
        Self::prepared(None, |folder, port, _| {
            kinds::prepare(kind, folder, port, access)
        })
    }

    /// Starts what `prepare` makes of a folder, a port, and the port for subscribers.
    fn prepared(
        subscribers: Option<Reserved>,
        prepare: impl FnOnce(&Path, u16, u16) -> Command,
    ) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = Reserved::new();
        let other = subscribers.as_ref().unwrap_or(&port).number();
        let command = prepare(folder.path(), port.number(), other);
        let broker = Self {
            process: command.start(),
            command,
            port,
            subscribers,
            _folder: folder,
        };
        broker.wait_until_ready();
        broker
    }

    fn wait_until_ready(&self) {
        // The other listener answers the probe, which is of 3.1.1, by closing the connection.
        wait_for_an_answer(self.port());
        if let Some(subscribers) = &self.subscribers {
            wait_for_an_answer(subscribers.number());
        }
    }

    /// Its TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// A client that receives everything.
    #[must_use]
    pub fn subscribe(&self) -> Subscriber {
        self.subscribe_to("#")
    }

    /// A client that receives what is published to topics of this filter.
    #[must_use]
    pub fn subscribe_to(&self, filter: &'static str) -> Subscriber {
        let port = self.subscribers.as_ref().unwrap_or(&self.port);
        subscriber::to(port.number()).only(filter).connect()
    }

    /// Ends the broker with SIGTERM: a persistent one saves its state.
    pub fn stop(&mut self) {
        self.process.terminate();
    }

    /// Ends the broker with SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts a broker that was ended again, on the same ports.
    pub fn start_again(&mut self) {
        self.process = self.command.start();
        self.wait_until_ready();
    }
}

impl Command {
    fn start(&self) -> Process {
        let name = self.program.display();
        Process::start_under(&self.words, name, &self.program, &self.arguments)
    }
}

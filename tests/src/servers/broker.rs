//! Real brokers other than Mosquitto, which do many things their own way: `docs/brokers.md` says which.

mod kinds;

use std::path::PathBuf;

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

/// All kinds.
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
        let folder = TempDir::new().expect("a temporary folder");
        let port = Reserved::new();
        let command = kinds::prepare(kind, folder.path(), port.number(), access);
        let broker = Self {
            process: command.start(),
            command,
            port,
            _folder: folder,
        };
        wait_for_an_answer(broker.port());
        broker
    }

    /// Its TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// A client that receives everything.
    #[must_use]
    pub fn subscribe(&self) -> Subscriber {
        subscriber::to(self.port()).connect()
    }

    /// Ends the broker with SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts a broker that was killed again, on the same port.
    pub fn start_again(&mut self) {
        self.process = self.command.start();
        wait_for_an_answer(self.port());
    }
}

impl Command {
    fn start(&self) -> Process {
        let name = self.program.display();
        Process::start_under(&self.words, name, &self.program, &self.arguments)
    }
}

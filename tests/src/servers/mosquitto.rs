//! A real Mosquitto broker, with the limits that it is shipped with, and with users, persistence and any other line of its configuration.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{wait_for_an_answer, write_configuration};
use crate::port::Reserved;
use crate::process::{Lines, Process, Signal};
use crate::subscriber::{self, Subscriber};
use crate::{install, wait};

/// Lifts Mosquitto's limit of 1,000 messages that wait for a subscriber.
///
/// What is over that limit is thrown away, whoever sent it. A test that sends more at once than its own subscriber may have taken needs this: that
/// loss is not the bridge's.
pub const SUBSCRIBER_MAY_LAG: &str = "max_queued_messages 0";

/// A broker on a loopback port. Its log names every packet, which is an independent view of what the bridge sends.
pub struct Mosquitto {
    process: Process,
    /// In front of its command line.
    words: Vec<String>,
    port: Reserved,
    folder: TempDir,
}

impl Mosquitto {
    /// Starts a broker that lets everybody in, and is else as it is shipped.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&["allow_anonymous true"])
    }

    /// Starts a broker that keeps sessions and messages over a restart ([`stop`](Self::stop), not [`kill`](Self::kill)).
    #[must_use]
    pub fn persistent() -> Self {
        Self::start_with(&["allow_anonymous true", "persistence true"])
    }

    /// Starts a broker that lets in only `user` with `password`. Its log says `not authorised` of others.
    #[must_use]
    pub fn with_user(user: &str, password: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let line = password_file(folder.path(), user, password);
        Self::start_in(folder, &[], &["allow_anonymous false", &line])
    }

    /// Starts a broker whose configuration has these lines as well. None of them lets anybody in: see `allow_anonymous`.
    #[must_use]
    pub fn start_with(lines: &[&str]) -> Self {
        Self::start_under(&[], lines)
    }

    /// As [`start_with`](Self::start_with), with these words in front of its command line: `env` and so on.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start_under(words: &[String], lines: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        Self::start_in(folder, words, lines)
    }

    fn start_in(folder: TempDir, words: &[String], lines: &[&str]) -> Self {
        let port = Reserved::new();
        // Its limits stay as they are shipped: users have them too, and a bridge that goes over them loses messages.
        let mut fixed = vec![
            format!("listener {} 127.0.0.1", port.number()),
            format!("persistence_location {}/", folder.path().display()),
            String::from("log_dest stderr"),
            String::from("log_type all"),
            String::from("log_timestamp false"),
        ];
        if rustix::process::geteuid().is_root() {
            // As root it would change to a user that may not write to the folder.
            fixed.push(String::from("user root"));
        }
        let lines: Vec<_> = lines.iter().map(|&line| String::from(line)).collect();
        write_configuration(&folder.path().join("mosquitto.conf"), &fixed, &lines);
        let broker = Self {
            process: spawn(words, &folder),
            words: words.to_vec(),
            port,
            folder,
        };
        wait_for_an_answer(broker.port());
        broker
    }

    /// Its TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Where one that is persistent saves its state.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("mosquitto.db")
    }

    /// What it has logged since it was last started.
    #[must_use]
    pub fn log(&self) -> &Lines {
        self.process.stderr()
    }

    /// A client that receives everything at its sender's quality of service.
    #[must_use]
    pub fn subscribe(&self) -> Subscriber {
        subscriber::to(self.port()).connect()
    }

    /// The log's lines about bridges that were let in, as `New client connected from ... as cloud (p2, c0, k60)`: `p1` is MQTT 3.1,
    /// `p2` 3.1.1; `c1` a clean session; `k` the keep-alive in seconds; `u` the user.
    #[must_use]
    pub fn bridges(&self) -> Vec<String> {
        let mut lines = self.log().with(&["New client connected", " as "]);
        lines.retain(|line| !line.contains(subscriber::CLIENT_ID));
        lines
    }

    /// Waits until `count` bridges have been let in since the start, and returns the log's lines about them.
    #[track_caller]
    pub fn wait_for_bridges(&self, count: usize) -> Vec<String> {
        wait::until(format_args!("bridge {count} at the broker"), || {
            Some(self.bridges()).filter(|bridges| bridges.len() >= count)
        })
    }

    /// Ends the broker. Clients lose their connection, and a persistent broker saves its state.
    pub fn stop(&mut self) {
        self.process.terminate();
    }

    /// Ends the broker with SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts a broker that was stopped or killed again, on the same port.
    pub fn start_again(&mut self) {
        self.process = spawn(&self.words, &self.folder);
        wait_for_an_answer(self.port());
    }

    /// Stops it where it is (SIGSTOP): connections stay, and nothing answers.
    pub fn pause(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn go_on(&mut self) {
        self.process.signal(Signal::CONT);
    }

    /// Makes a persistent broker save its state now (SIGUSR1). It does so by itself only when it ends, or every half hour: what it has
    /// acknowledged since then is lost when it is killed.
    pub fn save(&mut self) {
        let mark = self.log().mark();
        self.process.signal(Signal::USR1);
        self.log()
            .wait_for_after(mark, &["saving in-memory database"]);
        // It has one thread: when it answers, it has saved.
        wait_for_an_answer(self.port());
    }
}

/// Writes a file with this one user into `folder`, and returns the line that names it. Whoever gives a user name then needs the password, and nobody else.
///
/// # Panics
///
/// If `mosquitto_passwd` fails.
#[must_use]
pub fn password_file(folder: &Path, user: &str, password: &str) -> String {
    let file = folder.join("passwords");
    let status = Command::new(install::path(install::MOSQUITTO_PASSWD))
        .args(["-b", "-c"])
        .arg(&file)
        .args([user, password])
        .status();
    assert!(status.expect("run mosquitto_passwd").success());
    format!("password_file {}", file.display())
}

fn spawn(words: &[String], folder: &TempDir) -> Process {
    let configuration = folder.path().join("mosquitto.conf").display().to_string();
    let arguments = [String::from("-c"), configuration];
    let program = install::path(install::MOSQUITTO);
    Process::start_under(words, "Mosquitto", &program, &arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_sees_topic_message_order_and_what_was_retained() {
        let broker = Mosquitto::start();
        let subscriber = broker.subscribe();
        subscriber.publish("a", "1");
        subscriber.publish("b", "2");
        subscriber.publish("a", "3");
        subscriber.expect("a", "1");
        let last = subscriber.expect("a", "3");
        assert_eq!((last.qos, last.retained), (1, false));
        subscriber.expect("b", "2");
        assert_eq!(subscriber.payloads("a"), ["1", "3"]);
    }

    #[test]
    fn a_broker_with_a_user_lets_nobody_else_in() {
        let broker = Mosquitto::with_user("me", "right");
        let subscriber = subscriber::to(broker.port()).user("me", "right").connect();
        subscriber.publish("a", "1");
        subscriber.expect("a", "1");
        let anonymous = std::process::Command::new(install::path(install::MOSQUITTO_PUB))
            .args(["-p", &broker.port().to_string(), "-t", "a", "-m", "2"])
            .output()
            .expect("run mosquitto_pub");
        assert!(!anonymous.status.success());
    }

    #[test]
    fn a_persistent_broker_keeps_messages_for_a_lasting_subscriber_over_a_restart() {
        let mut broker = Mosquitto::persistent();
        let subscriber = subscriber::to(broker.port()).lasting().connect();
        for n in 0..3 {
            subscriber.publish("a", &n.to_string());
            subscriber.expect("a", &n.to_string());
            broker.stop();
            broker.start_again();
        }
        assert_eq!(subscriber.payloads("a"), ["0", "1", "2"]);
    }
}
